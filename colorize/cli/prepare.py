"""The verb `prepare`: any source of photographs as tar files with a manifest, resumable."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from colorize.cli.parser import Arguments
from colorize.data.collection import Collection, lines_digest
from colorize.data.datamodule import exclude_listed
from colorize.data.loader import FeistelPermutation
from colorize.data.resolve import WORDS, ResolvedSource, open_source
from colorize.data.shard_writer import PreparedPhoto, Shard, crashed_photo, numbered_keys, prepare_photo, write_shard
from colorize.data.sources import split_by_hash
from colorize.utils.console import ProgressBar, counted, say
from colorize.utils.environment import at_home
from colorize.utils.errors import INTERRUPTED, UserError
from colorize.utils.files import check_parent, cut_torn_line, write_text
from colorize.utils.processes import choose_workers, map_in_processes
from colorize.utils.seeds import seed_of

FORMAT = 1
MANIFEST, PROGRESS = "manifest.json", ".progress.jsonl"
NAMED = 3  # unreadable photographs that a message names


@dataclass(frozen=True)
class Part:
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


def prepare_source(argv: list[str]) -> int:
    """The exit status: 0 where the set is whole."""
    words = read_words(argv)
    output = at_home(words.output)
    if output.exists() and not output.is_dir():
        raise UserError(f"{str(output)!r} is a file: name a folder for the tar files")
    check_parent(output)
    source = open_source(words.source)
    for note in source.notes():
        say(note)
    train = exclude_listed(source.train, words.exclude) if words.exclude else source.train
    val = source.val
    if val is None and words.val_fraction:
        train, val = split_by_hash(train, words.val_fraction, source.title)
    parts = [Part("train", shuffled(train, words.seed), words.photographs)]
    if val is not None:
        parts.append(Part("val", val, words.photographs))
    plan = {
        "format": FORMAT, "names": lines_digest(*(part.photos.lines() for part in parts)),
        "classes": list(source.classes),
        **{key: getattr(words, key) for key in ("size", "quality", "photographs", "seed")},
    }  # fmt: skip
    done = begin(output, plan)
    if done is None:
        say(f"{str(output)!r} is whole already")
        return 0
    try:
        return work(parts, plan, done, output, words, source)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on behind the last whole tar file")
        return INTERRUPTED


def read_words(argv: list[str]) -> Namespace:
    parser = Arguments("prepare", "Write photographs into tar files that data=shards reads, with a manifest.")
    parser.add_argument("source", help=WORDS)
    parser.add_argument("output", help="the folder for train-*.tar, val-*.tar and manifest.json")
    parser.add_argument("--size", type=int, help="pixels of the shorter side (files stay as they are)")
    parser.add_argument("--quality", type=int, default=95, help="of the JPEGs that --size makes (95)")
    parser.add_argument("--photographs", type=int, default=2000, help="in a tar file (2000)")
    parser.add_argument("--val-fraction", type=float, default=0.0, help="held back where the source names none (0)")
    parser.add_argument("--exclude", help="a manifest of `colorize inspect`: what it leaves out is left out")
    parser.add_argument("--max-bad", type=float, default=0.01, help="unreadable ones to bear: share or number (0.01)")
    parser.add_argument("--seed", type=int, default=0, help="of the order of the photographs (0)")
    parser.add_argument("--workers", type=int, help="processes; 0: none but this one (one for each core)")
    words = parser.parse_args(argv)
    for name, least, most in (
        ("size", 32, None), ("quality", 1, 100), ("photographs", 1, None), ("workers", 0, None), ("max_bad", 0, None),
        ("val_fraction", 0, 0.99),
    ):  # fmt: skip
        value = getattr(words, name)
        if value is not None and (value < least or (most is not None and value > most)):
            limits = f"{least} or more" if most is None else f"between {least} and {most}"
            parser.error(f"--{name.replace('_', '-')} is {value}; it must be {limits}")
    return words


def shuffled(photos: Collection, seed: int) -> Collection:
    """In a random order, so that training may read whole tar files one after the other."""
    order = FeistelPermutation(len(photos), seed_of("prepare", seed))
    return photos.select(order(np.arange(len(photos))))


def begin(output: Path, plan: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What a former start has finished, a record for each tar file; None where everything is.

    Raises `UserError` where the folder holds another set, or something else.
    """
    manifest, progress = output / MANIFEST, output / PROGRESS
    if manifest.is_file():
        check_same(json.loads(manifest.read_text(encoding="utf-8")).get("plan"), plan, output)
        return None
    if progress.is_file():
        cut_torn_line(progress)
        first, *records = map(json.loads, progress.read_text(encoding="utf-8").split("\n")[:-1] or ["null"])
        check_same(first, plan, output)
        return records
    if output.is_dir() and any(output.iterdir()):
        raise UserError(f"{str(output)!r} holds something else: name an empty folder, or one that is not there")
    output.mkdir(parents=True, exist_ok=True)
    write_text(progress, json.dumps(plan) + "\n")
    return []


def check_same(found: Any, plan: Mapping[str, Any], output: Path) -> None:
    """Raises `UserError` naming what differs."""
    found = found if isinstance(found, dict) else {}
    if different := [key for key in plan if found.get(key) != plan[key]]:
        key = different[0]
        other = key in ("names", "classes")
        told = "other photographs" if other else f"{key} {found.get(key)!r}, and not {plan[key]!r}"
        raise UserError(f"{str(output)!r} holds a set with {told}: name another folder")


def work(
    parts: list[Part],
    plan: Mapping[str, Any],
    done: list[dict[str, Any]],
    output: Path,
    words: Namespace,
    source: ResolvedSource,
) -> int:  # fmt: skip
    whole = {record["shard"]["name"]: record for record in done if intact(output, record)}
    total = sum(len(part.photos) for part in parts)
    most = max(1, int(words.max_bad * total)) if 0 < words.max_bad < 1 else int(words.max_bad)
    workers = choose_workers(total) if words.workers is None else words.workers
    task = partial(prepare_photo, size=words.size, quality=words.quality)
    records: list[dict[str, Any]] = []
    with ProgressBar("prepared", total, "photographs") as count:
        seen = 0
        for part in parts:
            numbered = numbered_keys(part.photos)
            missing = [shard for shard in part.shards() if shard[0] not in whole]
            places = np.concatenate([np.arange(first, last) for _, first, last in missing] or [np.arange(0)])
            stream = map_in_processes(task, part.photos.select(places), workers, crashed_photo)
            for name, first, last in part.shards():
                if name in whole:
                    records.append(whole[name])
                else:
                    named = keyed(islice(stream, last - first), first, numbered)
                    counted_in = watched(named, count, seen)
                    records.append(finish(output, name, counted_in))
                seen += last - first
                count.update(seen)
                check_bad(records, most, total)
    conclude(output, parts, plan, records, source)
    return 0


def keyed(stream: Iterator[PreparedPhoto], first: int, numbered: Mapping[int, str]) -> Iterator[PreparedPhoto]:
    for place, photo in enumerate(stream, start=first):
        yield photo._replace(key=numbered.get(place, ""))


def watched(stream: Iterator[PreparedPhoto], count: ProgressBar, seen: int) -> Iterator[PreparedPhoto]:
    for number, photo in enumerate(stream, start=1):
        yield photo
        count.update(seen + number)


def intact(output: Path, record: Mapping[str, Any]) -> bool:
    path = output / record["shard"]["name"]
    return path.is_file() and path.stat().st_size == record["shard"]["bytes"]


def finish(output: Path, name: str, photographs: Iterator[PreparedPhoto]) -> dict[str, Any]:
    """Write a tar file and note it."""
    shard, bad = write_shard(output / name, photographs)
    record = {"shard": shard._asdict(), "bad": bad}
    with (output / PROGRESS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return record


def check_bad(records: list[dict[str, Any]], most: int, total: int) -> None:
    bad = [pair for record in records for pair in record["bad"]]
    if len(bad) > most:
        told = "; ".join(f"{name}: {why}" for name, why in bad[:NAMED])
        raise UserError(
            f"{len(bad)} of {total} photographs cannot be read, more than --max-bad bears ({most}), e.g. {told}; what "
            "is written stays: mend them, or say --max-bad, and start the same command again"
        )


def conclude(
    output: Path, parts: list[Part], plan: Mapping[str, Any], records: list[dict[str, Any]], source: ResolvedSource
) -> None:
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
