"""The options of the plain verbs. Nothing slow is imported here: --help and a mistake are answered at once."""

import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from pathlib import Path

from colorize.cli.parser import ArgumentParser
from colorize.imaging.choices import AUTO, BALANCES, FORMATS, GAMUTS, LARGEST_SIZE, METHODS, REACH, SMALLEST_SIZE

SOURCE = "demo, a folder, tar files such as 'train-*.tar', or hf://NAME"
KINDS = ("plates", "prints")  # of historical photographs
EXPORT_FORMATS = ("safetensors", "ddcolor", "onnx", "openvino")
PRECISIONS = ("auto", "float32", "bfloat16")
PORT = 7860  # Gradio's own


def parse_arguments(verb: str, summary: str, words: Sequence[str]) -> Namespace:
    parser = ArgumentParser(verb, summary)
    globals()[f"{verb}_options"](parser)
    return parser.parse(words)


def compare_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="run folders, result files in them, 'outputs/cpu-*', a sweep's folder"
    )
    parser.add_argument("--protocol", metavar="NAME", help="which results, where the runs have several")
    parser.add_argument("--pool", action="store_true", help="take runs that differ only by their seed together")
    for option, meaning in (
        ("--html", "the page (default: compare.html; of one run, run.html in its folder)"),
        ("--markdown", "also write the table and the conclusions there"),
        ("--latex", "also write the table there, for booktabs"),
    ):
        parser.add_argument(option, type=Path, metavar="FILE", help=meaning)


def judge_options(parser: ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", metavar="RUN", help="runs that were evaluated, as `colorize compare` takes")
    parser.add_argument("--protocol", metavar="NAME", help="whose pictures are shown, where runs have several results")
    parser.add_argument("--read", nargs="+", type=Path, metavar="CSV", help="judgements that people saved on the page")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="of the page; --read: else the first CSV's")
    parser.add_argument("--overwrite", action="store_true", help="replace another page in that folder")


def paint_options(parser: ArgumentParser) -> None:
    parser.add_argument("photographs", nargs="+", help="files, folders with what is below, or patterns ('scans/*.tif')")
    parser.add_argument(
        "-w",
        "--weights",
        help="a run folder, a checkpoint, an export, a published file, a name of `colorize models` or of the hub "
        "(default: the weights that are shipped)",
    )
    parser.add_output("a folder; or, for one photograph, a file", overwrite="paint again what already exists")
    parser.add_argument("--format", choices=sorted(FORMATS), help="of the files in the folder (png)")
    parser.add_number(
        "--size", SMALLEST_SIZE, LARGEST_SIZE, type=size_of, help="pixels of the shorter side at which colour is "
        f"predicted, {SMALLEST_SIZE} to {LARGEST_SIZE}; auto tries three sizes and takes the one whose colours are "
        "most like those of the other two, in about twice the time (default: the size that the network was trained at)"
    )  # fmt: skip
    parser.add_argument("--upsample", choices=METHODS, default="guided", help="how colour comes to full size (guided)")
    parser.add_argument(
        "--gamut", choices=GAMUTS, default="chroma", help="colours that sRGB lacks: less chroma, or clipped (chroma)"
    )
    guidance_options(parser)
    parser.add_number("--samples", 1, default=1, help="colourings of each photograph, by a stochastic model (1)")
    parser.add_argument("--seed", type=int, default=0, help="of the samples of a stochastic model (0)")
    archive_options(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="of the network; auto: bfloat16 for many photographs "
        "on a CPU where that is measured to be faster, else float32 (auto)"
    )  # fmt: skip
    parser.add_number("--max-pixels", 1, help="of a photograph; larger ones are not opened (500 million)")
    parser.add_trust()


def size_of(word: str) -> int | str:
    if word == AUTO or re.fullmatch(r"-?\d+", word):
        return word if word == AUTO else int(word)
    raise ArgumentTypeError(f"{word!r} is neither a number of pixels nor {AUTO}")


def guidance_options(parser: ArgumentParser) -> None:
    parser.add_number("--strength", 0, 1.5, type=float, default=1.0, help="factor on predicted chroma, 0 to 1.5 (1)")
    parser.add_number(
        "--max-chroma", 0, type=float, help="the largest chroma, in CIE units, such as 20, which is muted, or 60, vivid"
    )
    parser.add_argument(
        "--hints", type=Path, metavar="FILE", help="wanted colours: a PNG of the photograph's size whose opaque pixels "
        "they are, or JSON, [{x, y, rgb, radius}, …]; for several photographs, a folder of such files"
    )  # fmt: skip
    parser.add_number(
        "--reach",
        0.01,
        1,
        type=float,
        default=REACH,
        help=f"how far hints spread, in shares of the shorter side, 0.01 to 1 ({REACH:g})",
    )
    parser.add_argument(
        "--reference", type=Path, metavar="PHOTO", help="a colour photograph, for the colours of like regions"
    )
    parser.add_argument(
        "--confidence", action="store_true", help="also write NAME.confidence.png: dark where colours may be far off"
    )


def archive_options(parser: ArgumentParser) -> None:
    parser.add_argument("--depth", type=int, choices=(8, 16), default=8, help="bits a sample: 16 for PNG and TIFF (8)")
    parser.add_argument(
        "--profile", choices=("srgb", "source"), default="srgb", help="of the colours: sRGB, or the photograph's (srgb)"
    )
    parser.add_argument("--sidecar", action="store_true", help="write NAME.colorize.json: how each file was painted")
    parser.add_argument("--report", action="store_true", help="write painted.csv and painted.html into the folder")
    parser.add_argument(
        "--iiif",
        metavar="URL",
        help="write manifest.json and the originals; URL: where the folder will be served",
    )
    parser.add_argument("--c2pa", nargs=2, type=Path, metavar=("CERTIFICATE", "KEY"), help="PEM files: sign each file")


def app_options(parser: ArgumentParser) -> None:
    parser.add_argument(
        "-w", "--weights", nargs="+", default=[], help="of one network or more (default: the shipped ones)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve at; 0.0.0.0: to the network (127.0.0.1)")
    parser.add_number("--port", 1, 65535, default=PORT, help=f"to serve at ({PORT})")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_number("--max-upload", 1, default=200, help="megabytes of a file that the page takes (200)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_trust()


def models_options(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", help="of runs (default: outputs)")


def verify_options(parser: ArgumentParser) -> None:
    parser.add_argument("painted", nargs="+", help="painted files, folders with what is below, or patterns")
    parser.add_argument("--source", required=True, help="the folder below which the photographs lie, under any name")
    parser.add_argument("-w", "--weights", help="of the network, where they are not where the files say")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    parser.add_trust()


def inspect_options(parser: ArgumentParser) -> None:
    parser.add_argument("source", help=SOURCE)
    parser.add_output(
        "the folder for inspect.html and manifest.tsv", overwrite="replace the files of an earlier report"
    )
    parser.add_argument("--val", help="the validation photographs: pictures that are in both sets are leaks")
    parser.add_workers()
    parser.add_number("--tiny", 0, help="shorter sides below this are tiny (64 pixels)")
    parser.add_number("--chroma", 0, type=float, help="Lab chroma below which a pixel is grey (5)")
    parser.add_number("--tint", 0, type=float, help="how far a toned one strays from its tint (2.5)")


def export_options(parser: ArgumentParser) -> None:
    parser.add_argument("weights", help="a run folder, a checkpoint, a published file, or a name on the hub")
    parser.add_output("the folder to write")
    parser.add_argument("--name", help="of the model; by default that of the run or of the file")
    parser.add_argument("--licence", help="of the weights, such as apache-2.0")
    parser.add_argument(
        "--format", choices=EXPORT_FORMATS, default="safetensors", help="this package's own (safetensors); that of "
        "DDColor's files, for programs that read those; or of a runtime that needs no PyTorch"
    )  # fmt: skip
    parser.add_argument("--half", action="store_true", help="store the weights in half precision: half as many bytes")
    parser.add_argument(
        "--int8", action="store_true", help="quantize to 8 bits (onnx, openvino); measures what it costs"
    )
    parser.add_number(
        "--ema-length", 0.005, 0.28, type=float, help="of a run with trainer.ema_lengths: the average of this length"
    )
    parser.add_argument("--card", metavar="FILE", help="a YAML file for the model card: use, data, limits, … (cli.md)")
    parser.add_argument(
        "--results", nargs="+", default=[], metavar="FILE", help="results of this network (.json) for the model card"
    )
    parser.add_trust()


def prepare_options(parser: ArgumentParser) -> None:
    parser.add_argument("source", help=SOURCE)
    parser.add_argument("output", help="the folder for train-*.tar, val-*.tar and manifest.json")
    parser.add_number("--size", 32, help="pixels of the shorter side (files stay as they are)")
    parser.add_number("--quality", 1, 100, default=95, help="of the JPEGs that --size makes (95)")
    parser.add_number("--photographs", 1, default=2000, help="in a tar file (2000)")
    parser.add_number(
        "--val-fraction", 0, 0.99, type=float, default=0.0, help="held back where the source names none (0)"
    )
    parser.add_argument("--exclude", help="a manifest of `colorize inspect`: what it leaves out is left out")
    parser.add_number(
        "--max-bad", 0, type=float, default=0.01, help="unreadable photographs allowed: share or number (0.01)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the order of the photographs (0)")
    parser.add_workers()


def look_options(parser: ArgumentParser) -> None:
    parser.add_argument("source", help=SOURCE)
    parser.add_output(
        "the folder for index.html and contact-sheet.jpg", overwrite="replace the files of an earlier one"
    )
    parser.add_number("--photographs", 1, default=12, help="how many, evenly chosen (12)")
    parser.add_number("--size", 32, default=224, help="pixels of a side (224)")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn (0)")
    parser.add_argument("--beside", help="real old photographs to mix in: can you tell which is which?")


def plates_options(parser: ArgumentParser) -> None:
    parser.add_argument("scans", nargs="+", metavar="SCAN", help="files, folders, or patterns such as 'scans/*.tif'")
    parser.add_output("a folder")
    parser.add_argument("--balance", choices=BALANCES, default="percentile", help="of the colours (percentile)")


def sync_options(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", help="where runs were tracked (default: $WANDB_DIR, or outputs)")


def dashboard_options(parser: ArgumentParser) -> None:
    parser.add_argument("project", nargs="?", help="of W&B (default: $WANDB_PROJECT, or colorize)")
    parser.add_argument(
        "--entity", metavar="NAME", help="user or team that has it (default: $WANDB_ENTITY, or that of the login)"
    )
    parser.add_argument(
        "--protocol", default="validation", metavar="NAME", help="whose results are shown (default: validation)"
    )
    parser.add_argument("--print", action="store_true", help="print what would be sent, as JSON, and send nothing")


def fetch_options(parser: ArgumentParser) -> None:
    parser.add_argument("what", choices=["historical"], help="Prokudin-Gorskii's plates and black-and-white prints")
    parser.add_output("a folder; what it has already is not fetched again")
    parser.add_argument("--only", choices=KINDS, help="one of the two kinds")
    parser.add_argument("--list", help="another list of the same columns (the package's own)")
