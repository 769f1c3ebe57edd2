"""The verb `prepare`: any source of photographs as tar files with a manifest, resumable."""

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from colorize.cli.paths import new_folder
from colorize.data.collection import Collection, lines_digest
from colorize.data.datamodule import exclude_listed
from colorize.data.loader import FeistelPermutation
from colorize.data.resolve import ResolvedSource, open_source
from colorize.data.shard_writer import PreparedPhoto, Shard, numbered_keys, prepare_photo, write_shard
from colorize.data.sources import split_by_hash
from colorize.utils.console import ProgressBar, counted, say
from colorize.utils.errors import INTERRUPTED, UserError
from colorize.utils.files import cut_torn_line, write_text
from colorize.utils.processes import choose_workers, map_in_processes
from colorize.utils.seeds import seed_of

FORMAT = 1
MANIFEST, PROGRESS = "manifest.json", ".progress.jsonl"
CRASHED = "its decoder crashed"  # and ended the process with it
NAMED = 3  # unreadable photographs that a message names


@dataclass(frozen=True)
class SplitShards:
    """The photographs of `train` or `val` in the order in which they are written."""

    name: str
    photos: Collection
    each: int  # photographs in a tar file

    def shards(self) -> Iterator[tuple[str, int, int]]:
        """(file, first place, last place + 1)"""
        count = -(-len(self.photos) // self.each)
        for number in range(count):
            first = number * self.each
            yield f"{self.name}-{number:05d}.tar", first, min(first + self.each, len(self.photos))


def prepare_source(args: Namespace) -> int:
    """The exit status: 0 where the set is whole."""
    output = new_folder(args.output, overwrite=True)  # what it may hold is seen once the photographs are known
    source = open_source(args.source)
    for note in source.notes():
        say(note)
    train = exclude_listed(source.train, args.exclude) if args.exclude else source.train
    val = source.val
    if val is None and args.val_fraction:
        train, val, _ = split_by_hash(train, args.val_fraction, source.title)
    parts = [SplitShards("train", shuffle(train, args.seed), args.photographs)]
    if val is not None:
        parts.append(SplitShards("val", val, args.photographs))
    plan = {
        "format": FORMAT, "names": lines_digest(*(part.photos.lines() for part in parts)),
        "classes": list(source.classes),
        **{key: getattr(args, key) for key in ("size", "quality", "photographs", "seed")},
    }  # fmt: skip
    done = read_progress(output, plan)
    if done is None:
        say(f"{str(output)!r} is complete already")
        return 0
    try:
        return write_shards(parts, plan, done, output, args, source)
    except KeyboardInterrupt:
        say("interrupted; the same command resumes after the last whole tar file")
        return INTERRUPTED


def shuffle(photos: Collection, seed: int) -> Collection:
    """In a random order, so that training may read whole tar files one after the other."""
    order = FeistelPermutation(len(photos), seed_of("prepare", seed))
    return photos.select(order(np.arange(len(photos))))


def read_progress(output: Path, plan: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What a former start has finished, a record for each tar file; None where everything is.

    Raises `UserError` where the folder holds another set, or something else.
    """
    manifest, progress = output / MANIFEST, output / PROGRESS
    if manifest.is_file():
        check_same_set(json.loads(manifest.read_text(encoding="utf-8")).get("plan"), plan, output)
        return None
    if progress.is_file():
        cut_torn_line(progress)
        first, *records = map(json.loads, progress.read_text(encoding="utf-8").split("\n")[:-1] or ["null"])
        check_same_set(first, plan, output)
        return records
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"{str(output)!r} is not empty: name an empty folder, or one that does not exist")
    output.mkdir(parents=True, exist_ok=True)
    write_text(progress, json.dumps(plan) + "\n")
    return []


def check_same_set(found: Any, plan: Mapping[str, Any], output: Path) -> None:
    """Raises `UserError` naming what differs."""
    found = found if isinstance(found, dict) else {}
    if different := [key for key in plan if found.get(key) != plan[key]]:
        key = different[0]
        other = key in ("names", "classes")
        difference = "other photographs" if other else f"{key} {found.get(key)!r}, and not {plan[key]!r}"
        raise UserError(f"{str(output)!r} holds a set with {difference}: name another folder")


def write_shards(
    parts: list[SplitShards], plan: Mapping[str, Any], done: list[dict[str, Any]], output: Path, args: Namespace,
    source: ResolvedSource,
) -> int:  # fmt: skip
    """Write the tar files that `done` lacks, and then the manifest; the exit status."""
    sizes = {path.name: path.stat().st_size for path in output.glob("*.tar")}
    shards = {record["shard"]["name"]: record for record in done}
    whole = {name: record for name, record in shards.items() if sizes.get(name) == record["shard"]["bytes"]}
    total = sum(len(part.photos) for part in parts)
    most = max(1, int(args.max_bad * total)) if 0 < args.max_bad < 1 else int(args.max_bad)
    workers = choose_workers(total) if args.workers is None else args.workers
    task = partial(prepare_photo, size=args.size, quality=args.quality)
    records: list[dict[str, Any]] = []
    with ProgressBar("prepared", total, "photographs") as count:
        seen = 0
        for part in parts:
            numbered = numbered_keys(part.photos)
            missing = [shard for shard in part.shards() if shard[0] not in whole]
            places = np.concatenate([np.arange(first, last) for _, first, last in missing] or [np.arange(0)])
            photos = part.photos.select(places)
            stream = map_in_processes(task, photos, workers, lambda photo: PreparedPhoto(photo.name, why=CRASHED))
            for name, first, last in part.shards():
                if name in whole:
                    records.append(whole[name])
                else:
                    prepared = with_keys(islice(stream, last - first), first, numbered, count, seen)
                    shard, bad = write_shard(output / name, prepared)
                    records.append({"shard": shard._asdict(), "bad": bad})
                    with (output / PROGRESS).open("a", encoding="utf-8") as file:
                        file.write(json.dumps(records[-1]) + "\n")
                seen += last - first
                count.update(seen)
                check_unreadable(records, most, total)
    write_set_manifest(output, parts, plan, records, source)
    return 0


def with_keys(
    stream: Iterator[PreparedPhoto], first: int, numbered: Mapping[int, str], count: ProgressBar, seen: int
) -> Iterator[PreparedPhoto]:
    """The photographs from place `first` of a split on, with their keys in a tar file; `seen` were counted before."""
    for number, photo in enumerate(stream):
        yield photo._replace(key=numbered.get(first + number, ""))
        count.update(seen + number + 1)


def check_unreadable(records: list[dict[str, Any]], most: int, total: int) -> None:
    bad = [pair for record in records for pair in record["bad"]]
    if len(bad) > most:
        examples = "; ".join(f"{name}: {why}" for name, why in bad[:NAMED])
        raise UserError(
            f"{len(bad)} of {total} photographs cannot be read, more than --max-bad allows ({most}), e.g. {examples}; "
            "what is written stays: mend them, or raise --max-bad, and start the same command again"
        )


def write_set_manifest(
    output: Path, parts: list[SplitShards], plan: Mapping[str, Any], records: list[dict[str, Any]],
    source: ResolvedSource,
) -> None:  # fmt: skip
    """The manifest, last of all: with it the set is whole."""
    shards = [Shard(**record["shard"]) for record in records]
    bad = [pair for record in records for pair in record["bad"]]
    classes = plan["classes"]
    if classes:
        write_text(output / "classes.txt", "".join(f"{name}\n" for name in classes))
    held: dict[str, Any] = {"source": source.title, "plan": dict(plan), "unreadable": bad, "left_out": source.notes()}
    for part in parts:
        of = [shard._asdict() for shard in shards if shard.name.startswith(f"{part.name}-")]
        held[part.name] = {"photographs": sum(shard["photographs"] for shard in of), "shards": of}
    text = json.dumps(held, indent=1, ensure_ascii=True) + "\n"
    write_text(output / MANIFEST, text)
    (output / PROGRESS).unlink()
    size = sum(shard.bytes for shard in shards) / 1e6
    for name, why in bad:
        say(f"left out, since it cannot be read: {name}: {why}")
    say(
        f"{counted(sum(shard.photographs for shard in shards))} in {len(shards)} tar files of {size:.0f} MB in all; "
        f"train on them with data=shards data.root={output}"
    )
