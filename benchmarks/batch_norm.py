"""How far two processes end from one, with batch norm and with group norm in its place, for the networks made small.

    python benchmarks/batch_norm.py [--models cnn gan …]

Baseline is one process with the same effective batch; each trains 20 steps of SGD
(`tests/helpers/two_processes.py`). Batch norm takes its statistics from a process's own share of the batch, so that
more processes compute another function. The last line is one JSON object:
{network: {"with": …, "without": …, "psnr": …}}, the largest difference of a weight with and without batch norm, and
the difference of the validation PSNR with it, in dB.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.helpers.configs import SMALL  # noqa: E402


def trained(models: list[str], folder: Path, processes: int, batch_norm: bool) -> dict[str, dict]:
    """What each network came to."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    script = ["-m", "tests.helpers.two_processes", str(folder.resolve())]
    words = [*script, *(["--batch-norm"] if batch_norm else []), "--models", *models]
    done = subprocess.run([sys.executable, *launcher, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return {model: torch.load(folder / f"{model}-{processes}.pt", weights_only=True) for model in models}


def differences(models: list[str], batch_norm: bool) -> dict[str, tuple[float, float]]:
    """The largest difference of a weight and that of the PSNR, of two processes from one."""
    with tempfile.TemporaryDirectory() as folder:
        one, two = (trained(models, Path(folder), processes, batch_norm) for processes in (1, 2))
    return {
        model: (
            max(
                (value.double() - two[model]["state"]["model"]["module"][name].double()).abs().max().item()
                for name, value in one[model]["state"]["model"]["module"].items()
                if name.rpartition(".")[2] in ("weight", "bias")
            ),
            abs(one[model]["last"]["psnr"] - two[model]["last"]["psnr"]),
        )
        for model in models
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SMALL, default=list(SMALL))
    words = parser.parse_args()
    without, beside = (differences(words.models, batch_norm) for batch_norm in (False, True))
    table = Table("network", "largest difference of a weight, group norm", "batch norm", "PSNR, dB, batch norm")
    figures = {}
    for model, (weight, psnr) in beside.items():
        table.add_row(model, f"{without[model][0]:.0e}", f"{weight:.0e}", f"{psnr:.2f}")
        figures[model] = {"without": without[model][0], "with": weight, "psnr": round(psnr, 4)}
    Console().print(table)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
