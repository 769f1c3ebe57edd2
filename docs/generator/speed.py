"""What benchmarks of speed printed, as text. Measured figures are in `docs/measured/`."""

from __future__ import annotations

from generator.text import Figures, table


def data(figures: Figures) -> str:
    names = {"thesis": "the thesis's steps", "colorize": "this package", "decoding alone": "decoding alone"}
    rows = [
        [text, *(word for size in ("small", "large") for word in _rate(figures[size], name))]
        for name, text in names.items()
    ]
    rates = table(["", "of 481×321", "times the thesis's", "of 1024²", "times the thesis's"], rows, "lrrrr")
    loader = table(
        ["loader", "pictures a second"], [[name, f"{rate:,.0f}"] for name, rate in figures["loader"].items()], "lr"
    )
    lists = table(
        ["worker processes", "seconds until 14 million photographs are listed", "MB that the list takes in all"],
        [[count, f"{one['seconds']:.2f}", f"{one['megabytes']:,.0f}"] for count, one in figures["index"].items()],
        "rrr",
    )
    return (
        f"{rates}\n\nLab is computed on the device, a batch at a time: {figures['lab_ms']:.1f} ms a picture on the "
        f"same core, at most {figures['lab_error']:.1e} from scikit-image. `data/look=film` takes "
        f"{figures['look_ms']:.1f} ms a picture.\n\n{loader}\n\n{lists}"
    )


def models(figures: Figures) -> str:
    """How near each step comes to the limit, and the kinds of operation that take most beyond it."""
    rows = []
    for name, share in figures["train_of_limit"].items():
        beyond = sorted(figures["operators"][name].items(), key=lambda item: -item[1]["beyond"])[:4]
        words = "; ".join(f"{kind} {100 * row['beyond']:.0f} %" for kind, row in beyond if row["beyond"] > 0.01)
        rows.append([f"`{name}`", f"{figures['forward_of_limit'][name]:.2f}", f"{share:.2f}", words])
    heads = ["network", "forward pass, of the limit", "training step, of the limit", "of the step, beyond the limit"]
    note = " The machine was busy: take it again." if figures["busy"] else ""
    return f"{table(heads, rows, 'lrrl')}\n\n{_ddcolor(figures)}{note}"


def _ddcolor(figures: Figures) -> str:
    """DDColor-T against its published order, as measured and if all of its operations ran at the limit."""
    ways = figures["operators"]["ddcolor"]
    gflop = {way: sum(row["gflop"] for row in kinds.values()) for way, kinds in ways.items()}
    ms = {way: sum(row["ms"] for row in kinds.values()) for way, kinds in ways.items()}
    known = next(row for row in ways["ours"].values() if row["of_limit"])
    limit = known["gflop"] / known["ms"] / known["of_limit"]
    at_limit = {way: gflop[way] / limit for way in ways}
    largest = sorted(ways["ours"].items(), key=lambda item: -item[1]["ms"])[:3]
    kinds = ", ".join(
        f"{kind} {100 * row['share']:.0f} %" + (f" (at {row['of_limit']:.2f} of the limit)" if row["of_limit"] else "")
        for kind, row in largest
    )
    return (
        f"DDColor-T is {figures['ddcolor_vs_published_order']:.2f} times as fast as in the published order, with "
        f"outputs that differ by {figures['ddcolor_difference']:.0e} of the largest ab at most. It multiplies "
        f"{gflop['ours']:.0f} GFLOP for two pictures of 256² instead of {gflop['published']:.0f}, at "
        f"{at_limit['ours'] / ms['ours']:.2f} of the limit instead of {at_limit['published'] / ms['published']:.2f}; "
        f"at the limit itself it would be {ms['published'] / at_limit['ours']:.2f} times as fast. Its time: {kinds}."
    )


def _rate(rates: Figures, name: str) -> tuple[str, str]:
    return f"{rates[name]:,.0f}", f"{rates[name] / rates['thesis']:.1f}"


def precision(figures: Figures) -> str:
    rows = [
        [f"`{name}`", f"{times:.2f}{' *' if name in figures['busy'] else ''}", figures["chosen"].get(name, "–")]
        for name, times in figures["bf16_step"].items()
    ]
    heads = ["network", "training step in bfloat16, times as fast", "`auto` chooses"]
    busy = " \\* The times of a precision spread by more than 15 %: no verdict." if figures["busy"] else ""
    return (
        f"{table(heads, rows, 'lrl')}\n\nPredicted in bfloat16, the 24 demo photographs lose "
        f"{figures['psnr_cost']:.4f} dB of PSNR and {figures['ciede2000_cost']:.4f} of CIEDE2000 with the "
        f"shipped weights.{busy}"
    )


def deploy(figures: Figures) -> str:
    names = {"torch": "PyTorch", "onnxruntime": "onnxruntime", "openvino": "OpenVINO", "int8": "onnxruntime, int8"}
    rows = [[names[name], f"{times:.2f}"] for name, times in figures["ddcolor_vs_published_order"].items()]
    return table(["DDColor-T, two pictures of 256²", "times as fast as the published order in PyTorch"], rows, "lr")


def paint(figures: Figures) -> str:
    stages = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in figures["stages"].items())
    folder = figures["folder"]
    return (
        f"A photograph of {figures['megapixels']} megapixels takes {figures['seconds']:.2f} s from JPEG to JPEG "
        f"behind the start ({stages}) and {figures['memory_gb']:.2f} GB; Pillow alone decodes and encodes it in "
        f"{figures['pillow']['seconds']:.2f} s. {folder['photographs']} of them as a folder take "
        f"{folder['seconds']:.1f} s, and {folder['one_by_one']:.1f} s one after the other."
    )
