"""Every fenced command of README.md, docs/ and experiments/, and how the slow test runs it.

A row says: as it stands (`Run()`), with words that shorten it (`Run("steps_scale=0.01")`), with a stand-in for what no
test machine has (`needs`), or which other test runs it (`Elsewhere`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.configs import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "experiments").glob("*/README.md"))]
SHORT = "steps_scale=0.004 trainer.batch_size=2 data.size=32 evaluate.historical=false tracker=none"
PAIRS = "trainer.batch_size=4"  # two photographs for each of two processes, which batch norm needs
JOBS = f"{SHORT} hydra.callbacks.after_sweep.compare=false"  # of a sweep: what follows one is tried with the first


@dataclass(frozen=True)
class Run:
    """`more` is put behind the command; `needs` names the stand-ins; `instead` replaces a part of the command."""

    more: str = ""
    needs: tuple[str, ...] = ()
    instead: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Elsewhere:
    """The command is not run by the slow test: the file of tests that runs it, or the reason why none does."""

    where: str


QUICKSTART = "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/python train.py experiment=quickstart"
INSTALLED = ("python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/python", "python")
WINDOWS = Elsewhere("no test machine has Windows; the words behind .venv are those of the Linux command")

HOW: dict[str, Run | Elsewhere] = {
    # README.md
    QUICKSTART: Run(SHORT, instead=INSTALLED),
    "colorize paint colorize/data/historical -o painted": Run(),
    "colorize paint scans/ -o painted": Run(),
    "colorize paint scans/ --weights outputs/quickstart -o painted": Run(),
    "colorize paint a.jpg --weights ddcolor-tiny -o a-colour.png": Run(needs=("hub",)),
    "colorize inspect photos -o inspected": Run(),
    "python train.py model=cnn loss=iizuka data=folder data.root=photos data.exclude=inspected/manifest.tsv":
        Run(SHORT),
    "python train.py init_from=ddcolor_tiny.pth data=folder data.root=photos data.size=256": Run(
        f"{SHORT} name=fine-tuned", ("ddcolor_tiny.pth",)
    ),
    "python evaluate.py run=outputs/quickstart": Run(),
    "python train.py experiment=quickstart seed=1": Run(SHORT),
    "python evaluate.py run=outputs/quickstart-s1": Run(),
    "python compare.py outputs/quickstart outputs/quickstart-s1": Run(),
    "python train.py model=transformer loss=ddcolor schedule.all.steps=1000": Run(f"{SHORT} name=longer"),
    "python train.py experiment=cpu/gan optimizer.lr=5e-4": Run(SHORT),
    "python train.py -m model=cnn,transformer seed=0,1,2": Run(f"{SHORT} hydra.sweep.dir=outputs/sweep-xxxx"),
    "python train.py --help": Run(),
    # docs/benchmarks.md
    "python benchmarks/loop.py": Run("--steps 2 --models cnn"),
    "python benchmarks/models.py": Run("--rounds 1 --models cnn"),
    "python benchmarks/precision.py": Run("--tiny --rounds 2 --models gan_unet"),
    "python benchmarks/models.py --profile": Run("--rounds 1 --models cnn --tiny"),
    "bash benchmarks/gpu.sh gpu.json": Elsewhere("system/test_benchmark_timing.py"),
    "python benchmarks/deploy.py": Run("--rounds 2 --size 64"),
    "python benchmarks/data.py": Run("--rounds 1 --quick"),
    "python train.py model=diffusion": Run(f"{SHORT} model.steps=50"),  # its benchmark samples all of them
    "python benchmarks/diffusion.py --weights outputs/diffusion-ddpm-demo-s0": Run("--rounds 1 --resamples 20"),
    "python benchmarks/hints.py --weights base": Run("--photographs 2 --size 64"),
    "python benchmarks/confidence.py --weights base": Run("--photographs 2 --size 64"),
    "python benchmarks/size.py photos --weights base": Run("--photographs 2 --sizes 64"),
    "python benchmarks/paint.py --folder 8": Run("--megapixels 0.1 --folder 2 --rounds 1"),
    "python benchmarks/evaluate.py": Run("--photographs 4 --size 64"),
    "python benchmarks/validation.py": Run("--recipes cpu/cnn --scale 0.01"),
    "python benchmarks/page.py": Run("--runs 2 --photographs 4 --size 32"),
    "python benchmarks/ddp.py": Run("--steps 2 --models cnn"),
    "python benchmarks/batch_norm.py": Run("--models cnn"),
    "python benchmarks/neighbour.py": Run("--seconds 10 --turns 1"),
    "python benchmarks/cli_latency.py": Run("--repeats 1"),
    "python benchmarks/tracking.py": Run("--steps 4"),
    "python benchmarks/coverage.py": Run("--repetitions 4 --resamples 50"),
    # docs/cli.md, configuration.md, data.md
    "colorize paint scans/ --weights outputs/quickstart -o archive --format tif --depth 16 --profile source --sidecar "
    "--report": Run(),
    "torchrun --nproc-per-node=2 -m colorize paint scans/ --weights outputs/quickstart -o shared": Run(),
    "colorize verify archive --source scans/ --weights outputs/quickstart": Run(),
    "colorize models": Run(),
    "colorize paint a.jpg --weights outputs/quickstart --strength 0.8 --hints hints.png --confidence -o guided.png":
        Run(),
    "colorize export outputs/release-fine/checkpoints/step-00008500.pt -o colorize/weights/base --half "
    "--card experiments/release/base.yaml --results experiments/release/results/base/*.json":
        Elsewhere("reports/test_model_card.py"),
    "colorize app --weights outputs/quickstart outputs/quickstart-s1": Elsewhere("cli/test_web_app.py"),
    "colorize export outputs/quickstart -o my-network": Run(),
    "python train.py experiment=quickstart trainer.ema_lengths=[0.05,0.1] name=averages": Run(SHORT),
    "colorize export outputs/averages --ema-length 0.08 -o averaged": Run(),
    # docs/deployment.md
    "colorize export base -o my-onnx --format onnx": Run(),
    "python my-onnx/paint.py a.jpg -o a-onnx.png": Run(),
    "colorize export base -o base-int8 --format onnx --int8": Elsewhere("cli/test_deployment.py"),
    "python train.py model=transformer loss=ddcolor": Run(f"{SHORT} name=with-ddcolor"),
    "python train.py experiment=smoke model=cnn": Run(),
    "python train.py rerun=outputs/quickstart optimizer.lr=3e-4": Run(),
    """python train.py data=folder 'data.root="my photos [1920]"'""": Run(SHORT),
    "colorize prepare photos shards": Run(),
    "python train.py model=cnn data=shards data.root=shards": Run(SHORT),
    # docs/evaluation.md
    "python evaluate.py run=outputs/quickstart protocol=clean source=test_photos": Run(),
    "python evaluate.py run=outputs/quickstart protocol=historical": Run(),
    "python compare.py outputs/a outputs/b": Run(instead=("a outputs/b", "quickstart outputs/quickstart-s1")),
    "python compare.py 'outputs/cpu-*'": Run(instead=("cpu-*", "sweep-xxxx/0*")),
    "python compare.py outputs/sweep-xxxx": Run(),
    "python compare.py outputs/a": Run(instead=("outputs/a", "outputs/quickstart-s1")),
    # docs/extending.md, whose files are in mine/
    "python train.py --config-dir mine/conf experiment=smoke model=mine loss=mine metrics=mine tracker=mine name=mine":
        Run("evaluate.historical=false"),
    "python train.py --config-dir mine/conf experiment=smoke model=mine loss=l1 data=mine data.root=photos"
    " name=mine-data": Run(SHORT),
    "python evaluate.py --config-dir mine/conf run=outputs/mine metrics=mine protocol=mine source=photos trust=[mine]":
        Run(),
    "colorize paint a.jpg --weights outputs/mine --trust mine -o a-by-mine.png": Run(),
    # docs/historical.md, inspection.md, losses.md
    "colorize look photos -o look": Run(),
    "colorize plates plate-scans/ -o plates": Run(),
    "python evaluate.py run=their-pngs protocol=ddcolor-val5k source=imagenet/val":
        Elsewhere("evaluation/test_painted.py"),
    "python compare.py outputs/mine outputs/their-pngs --protocol ddcolor-val5k":
        Elsewhere("evaluation/test_painted.py"),
    "colorize judge outputs/a outputs/b outputs/c -o judging": Elsewhere("reports/test_judge.py"),
    "colorize judge --read judging/judgements-*.csv": Elsewhere("reports/test_judge.py"),
    "python train.py experiment=release/base": Elsewhere("hours; contracts/test_recipes.py composes every recipe"),
    "python train.py experiment=release/fine init_from=outputs/release-base/checkpoints/step-00016500.pt":
        Elsewhere("hours; contracts/test_recipes.py composes every recipe"),
    "python train.py experiment=release/open": Elsewhere("hours; contracts/test_recipes.py composes every recipe"),
    "python experiments/release/run.py": Elsewhere("system/test_release.py"),
    "python experiments/release/pictures.py": Run(),
    "python experiments/release/skin.py outputs/release/base people_places/val -o skin":
        Elsewhere("system/test_skin.py"),
    "python experiments/release/faces.py people_places/val": Elsewhere("system/test_skin.py"),
    "colorize fetch historical -o old": Elsewhere("cli/test_fetch.py"),  # with a stand-in for the library
    "colorize inspect photos -o inspected --val held-back": Run("--overwrite"),
    "python train.py model=cnn loss=pix2pix loss.weights.pixel=50 +loss.terms.adversarial.kind=hinge": Run(SHORT),
    # docs/scale.md, sweeps.md
    "torchrun --nproc_per_node=2 train.py experiment=cpu/transformer": Run(f"{SHORT} {PAIRS}"),
    "torchrun --nproc_per_node=2 --max_restarts=2 train.py experiment=cpu/gan": Run(f"{SHORT} {PAIRS} name=restarted"),
    "python train.py -m model=cnn,gan,diffusion,transformer seed=0,1,2": Run(JOBS),
    "python train.py -m hparams_search=optuna model=cnn": Run(f"{JOBS} hydra.sweeper.n_trials=2"),
    "python train.py -m hparams_search=optuna experiment=cpu/cnn optimizer.lr='tag(log, interval(1e-4, 1e-2))'"
    " hydra.sweeper.n_trials=40": Run(f"{JOBS} hydra.sweeper.n_trials=2"),
    # docs/tracking.md, training.md
    "colorize sync": Run(needs=("wandb",)),
    "wandb leet outputs/wandb": Elsewhere("tracking/test_wandb.py"),  # its data; its screen wants a terminal
    "colorize dashboard": Run(needs=("wandb",)),
    "colorize dashboard faces --entity lab --protocol clean-val5k": Run(
        needs=("wandb",), instead=("faces", "colorize")  # the stand-in has one project
    ),
    "colorize dashboard --print > dashboard.json": Run(),
    "wandb sweep docs/wandb_sweep.yaml": Elsewhere("sweeps/test_wandb_sweep.py"),
    "wandb agent ENTITY/colorize/SWEEP": Elsewhere("sweeps/test_wandb_sweep.py"),
    "python train.py resume=outputs/quickstart": Run(),
    "python train.py experiment=thesis/gan data.root=imagenet": Run(
        f"{SHORT} model.pretrained=false", ("imagenet",)
    ),
    # experiments/
    "python train.py experiment=quickstart": Run(SHORT),
    "python train.py experiment=quickstart seed=2": Run(SHORT),
    "python compare.py outputs/quickstart outputs/quickstart-s1 outputs/quickstart-s2": Run(
        instead=("python c", "python evaluate.py run=outputs/quickstart-s2 && python c")  # as README.md did the others
    ),
    "python train.py -m experiment=cpu/cnn,cpu/gan_unet,cpu/gan,cpu/diffusion,cpu/transformer,cpu/multicolor"
    " hydra.sweep.dir=outputs/six_models": Run(SHORT),
    "python compare.py outputs/six_models --markdown outputs/six_models/table.md": Run(),
    "python experiments/photographs.py FOLDER": Elsewhere("system/test_experiments.py"),
    "python experiments/four_models/run.py": Elsewhere("hours; system/test_four_models_report.py composes it"),
    "python experiments/four_models/run.py --report": Elsewhere("system/test_four_models_report.py"),
    "python experiments/four_models/flops.py": Elsewhere("system/test_four_models.py"),
    "python experiments/four_models/power.py": Run("--repetitions 1 -o power.csv"),
    "python experiments/four_models/strength.py": Elsewhere("system/test_four_models_report.py"),
    "python experiments/four_models/pictures.py": Elsewhere("system/test_four_models_report.py"),
    "python experiments/period/run.py": Elsewhere("hours; system/test_period.py composes what it says"),
    "python experiments/period/run.py --report": Elsewhere("system/test_period.py"),
    "python experiments/recipe/run.py": Elsewhere("hours; system/test_experiments.py composes every try"),
    "python experiments/recipe/run.py --table": Elsewhere("system/test_experiments.py"),
}  # fmt: skip


def own_parts() -> dict[str, str]:
    """The files of the package `mine` in docs/extending.md: each fence is the file that is named before it."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^`(mine/\S+)`:\n\n```\w+\n(.*?)^```", page, re.M | re.S))


def commands(page: Path) -> list[str]:
    """The commands of a page's shell fences, comments left out; a script with a first line of its own is one."""
    found = []
    for body in re.findall(r"^```(?:bash|bat)\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        if body.startswith("#!"):
            found.append(body.strip())
        else:
            found += [re.sub(r"\s+# .*", "", line).strip() for line in body.splitlines() if line.strip()]
    return found


def how(command: str) -> Run | Elsewhere:
    """The row of a command. Raises `KeyError` where it has none."""
    if re.fullmatch(
        r"py -m venv \.venv && \.venv\\Scripts\\pip install -e \S+ && \.venv\\Scripts\\python [^&|;]+", command
    ):
        return WINDOWS
    if command.startswith("#!/bin/bash\n#SBATCH"):
        return Elsewhere("system/test_slurm.py")
    if command.endswith(("-m pytest -n auto --dist worksteal", "-m pytest -n auto --dist loadgroup")):
        return Elsewhere("the test run itself")
    if "--nnodes=2" in command:
        return Elsewhere("system/test_distributed.py")
    return HOW[command]
