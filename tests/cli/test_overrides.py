"""Overrides: refused where they are wrong, before anything starts."""

import re
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from tests.helpers.commands import PLAIN, SMOKE, refused
from tests.helpers.configs import CONF, ROOT, options

MISTAKES = [
    # groups and their options
    (["model=transfomer"], ["model has no option 'transfomer': did you mean model=transformer?", "cnn, diffusion"]),
    (["experimnt=smoke"], ["'experimnt'", "experiment"]),
    (["experiment=quickstrat"], ["did you mean experiment=quickstart?"]),
    (["data/look=filmm"], ["did you mean data/look=film?", "film, mixed, modern"]),
    (["experiment=cpu/cn"], ["did you mean experiment=cpu/cnn"]),
    (["hydra/sweeper=optunaa"], ["did you mean hydra/sweeper=optuna?"]),
    (["+model=cnn"], ["model is chosen without a plus: model=cnn"]),
    (["+experiment=smoke"], ["experiment is chosen without a plus: experiment=smoke"]),
    (["loss@foo=l1"], ["Could not override 'loss@foo'. Did you mean to override loss?"]),
    # keys
    (["optimizer.lrr=1"], ["there is no 'optimizer.lrr': did you mean optimizer.lr?"]),
    (["trainer.bach_size=1"], ["did you mean trainer.batch_size?"]),
    (["hydra.rn.dir=x"], ["there is no 'hydra.rn.dir': did you mean hydra.run.dir"]),
    (["hydra.mode=MULTIRUNN"], ["'MULTIRUNN'", "RUN, MULTIRUN"]),
    (["checkpoint={evry: 3}"], ["'evry'"]),
    (["=3"], ["cannot read '=3'"]),
    (["model"], ["cannot read 'model'"]),
    (["lr=1e-3"], ["there is no 'lr': did you mean optimizer.lr or"]),
    (["epochs=3"], ["there is no 'epochs': did you mean schedule.all.epochs?"]),
    (["steps=3"], ["there is no 'steps': did you mean schedule.all.steps?"]),
    (["data.root=x"], ["there is no 'data.root' with data=demo; data=folder, hf, ", "have it: choose data=… as well"]),
    (["model.queries=3"], ["there is no 'model.queries' with model=cnn; model=multicolor and transformer have it"]),
    # additions
    (["+experimnt=smoke"], ["nothing called 'experimnt' to add to: did you mean experiment"]),
    (["+checkpoint.evry=3"], ["checkpoint has no 'evry': did you mean checkpoint.every?"]),
    (["++checkpoint.evry=3"], ["checkpoint has no 'evry': did you mean checkpoint.every?"]),
    (["+optimiser.lr=1"], ["'optimiser'", "optimizer"]),
    (["+trainer.bach_size=3"], ["TrainerSettings takes no 'bach_size'", "batch_size"]),
    (["+tracker.projct=x"], ["takes no 'projct'"]),
    (["+names.foo=3"], ["names has no 'foo'"]),
    (["+hydra.foo=1"], ["hydra has no 'foo'"]),
    (["+model.upsampel=nearest", "~model.upsample"], ["CNN takes no 'upsampel': did you mean model.upsample?"]),
    (["+model.anything=1"], ["model: CNN takes no 'anything'; it takes ", "upsample"]),
    (["model=transformer", "+model.anything=1"], ["Transformer takes no 'anything'; it takes ", "encoder_options"]),
    (["+trainer.model=1"], ["TrainerSettings takes no 'model'"]),  # the program hands it over
    (["schedule=warmup_cosine", "+schedule.all.lr.wramup=3"], ["did you mean schedule.all.lr.warmup?"]),
    (["+schedule.al.steps=3"], ["'schedule.al' cannot be added without a _target_", "did you mean schedule.all?"]),
    (["+metrics.mine.unit=3"], ["'metrics.mine' cannot be added without a _target_"]),
    (["+loss.terms.mine.unit=3"], ["loss.terms.mine is {unit: 3}; it must be a Term, which has a _target_"]),
    (["+loss.terms.my={_target_: colorize.losses.L1, unt: 3}"], ["L1 takes no 'unt': did you mean loss.terms.my.unit"]),
    (["+loss.terms.mine={_target_: colorize.losses.L3}"], ["loss.terms.mine names 'colorize.losses.L3', which is no"]),
    (["model._target_=colorize.models.CNNN"], ["model names 'colorize.models.CNNN', which is no class"]),
    (["+schedule.all.weights={pixle: 1}"], ["a phase weighs ['pixle']"]),
    (["+optimizer.momentum=0.9"], ["takes no ['momentum']"]),  # any name is given to it: its own constructor judges
    # what is left out
    (["~modle"], ["there is no 'modle' to leave out: did you mean model?"]),
    (["~model"], ["~model would remove a required key"]),
    (["~optimizer.lrr"], ["there is no 'optimizer.lrr' to leave out: did you mean optimizer.lr?"]),
    (["~checkpoint.every"], ["~checkpoint.every would remove a required key"]),
    # values
    (["optimizer.lr=fast"], ["optimizer.lr is a number, such as 0.001; 'fast' is not"]),
    (["seed=x"], ["seed is a number"]),
    (["optimizer.lr=${optimizer.lrr}"], ["'optimizer.lrr' not found: did you mean optimizer.lr?"]),
    (["optimizer.lr=${oc.env:COLORIZE_NOTHING}"], ["Environment variable 'COLORIZE_NOTHING' not found"]),
    (["data=plates"], ["data=plates has no photographs to train on"]),
    (["optimizer.lr=-1"], ["optimizer.lr is -1; it must be a learning rate above 0"]),
    (["data=folder"], ["data.root has no value: use data.root=… on"]),
    (["name=../x"], ["name is '../x'; it must be a name that stays in its folder"]),
    (["name=a/../../x"], ["it must be a name that stays in its folder: without .. and without a / before it"]),
    (["name=/tmp/x"], ["name is '/tmp/x'; it must be a name that stays in its folder"]),
    (["name=."], ["name is '.'; it must be a name that stays in its folder"]),
    (["-m", "name=a,../x"], ["name is '../x'; it must be a name that stays in its folder"]),
    (["data=folder", "name=???"], ["data.root and name have no value: use data.root=… name=… on"]),
    # several runs
    (["seed=0,1"], ["seed=0,1 names several values: use -m as well"]),
    (["model.width=0.1,0.2"], ["or model.width=[0.1,0.2] for a list"]),
    (["model=cnn,gan"], ["model=cnn,gan names several values: use -m as well"]),
    (["-m", "model=cnn,transfomer"], ["did you mean model=transformer?"]),
    (["-m", "optimizer.lrr=1,2"], ["did you mean optimizer.lr?"]),
    (["-m", "optimizer.lr=1e-3,fast"], ["'fast' is not"]),
    (["-m", "model=transformer,cnn", "model.queries=3"], ["there is no 'model.queries' with model=cnn"]),
    (["-m", "model=cnn,gan", "model.width=0.1"], ["takes two plus signs, as in ++model.width=0.1"]),
    (["-m", "model=cnn,transformer", "data=demo,folder"], ["data.root has no value"]),
    (["-m", "model=glob(x*)"], ["model=glob(x*) names no value; the options are cnn, "]),
    (["-m", "model=glob([x*,y*])", "seed=0,1"], ["model=glob([x*,y*]) names no value; the options are cnn, "]),
    (["-m", "model=glob(x*),cnn"], ["glob(…) stands alone; several patterns are model=glob([a*,b*])"]),
    (["-m", "seed=glob(x*)"], ["seed=glob(x*) names no value"]),
    (["-m", "seed=range(3,3)"], ["seed=range(3,3) names no value"]),
    (["-m", "experiment=glob(gpu*)"], ["experiment=glob(gpu*) names no value; the options are "]),
    (["-m", "seed=0,1", "seed=2"], ["seed is given 2 times, seed=0,1 and seed=2"]),
    (["-m", "hparams_search=optuna", "optimizer.lrr=interval(0,1)"], ["did you mean optimizer.lr?"]),
    (["-m", "hydra/launcher=ray"], ["needs the package hydra-ray-launcher: pip install hydra-ray-launcher"]),
    # options
    (["--multirn"], ["there is no option '--multirn': did you mean --multirun?"]),
    (["--multi"], ["there is no option '--multi': did you mean --multirun?"]),
    (["--hydra", "model=cnn"], ["there is no option '--hydra'"]),
    (["--experiment", "smoke"], ["there is no option '--experiment': write experiment=smoke, without dashes"]),
    (["--experiment=smoke"], ["there is no option '--experiment': write experiment=smoke, without dashes"]),
    (["--model", "cnn"], ["there is no option '--model': write model=cnn, without dashes"]),
    (["-model=cnn"], ["there is no option '-model': write model=cnn, without dashes"]),
    (["--resume", "X"], ["there is no option '--resume': write resume=X, without dashes"]),
    (["--data=demo"], ["there is no option '--data': write data=demo, without dashes"]),
    (["--steps-scale", "2"], ["write steps_scale=2, without dashes"]),
    (["--model", "loss=l1"], ["write model=…, without dashes"]),
    (["--lr", "3"], ["there is no option '--lr'; groups and keys are written without dashes, as in key=value"]),
    (["--experimental-rerun=x"], ["rerun=FOLDER starts the run of a folder again"]),
    (["--cfg", "jobb"], ["'jobb'", "job"]),
    (["--cfg", "job", "-m"], ["-m and --cfg do not go together"]),
    (["--resolve"], ["--resolve goes with --cfg"]),
    (["--package", "model"], ["--package goes with --cfg"]),
    (["--config-dir=nowhere"], ["--config-dir=nowhere: there is no such folder"]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "parts"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_mistakes_get_one_sentence(words, parts, inside, tmp_path):
    base = [word for word in PLAIN if word.split("=")[0] not in {each.split("=")[0] for each in words}]
    refused(inside("train", *base, *words), *parts)
    assert not list(tmp_path.rglob("config.yaml"))


EVALUATE = [
    (["run=x", "protocol=claen"], ["did you mean protocol=clean?"]),
    (["outputs/quickstart"], ["'outputs/quickstart' is no key=value: did you mean run=outputs/quickstart?"]),
    (["run=x", "checkpiont=last"], ["did you mean checkpoint?"]),
    (["run=x", "+protocol.sise=3"], ["Protocol takes no 'sise': did you mean protocol.size?"]),
    (["protocol=clean"], ["run has no value: use run=…"]),
    (["run=nothere", "checkpoint=bst"], ["there is no file or folder 'nothere'"]),
    (["run=x", "name=../../evil"], ["name is '../../evil'; it must be a name that stays in its folder"]),
    (["run=x", "name=a/b"], ["name is 'a/b'; it must be a name without folders"]),
    (["run=x", "name=d", "protocol.name=../x"], ["protocol.name is '../x'; it must be a name that stays"]),
    (["-m", "run=a,b", "name=???"], ["name has no value"]),
    (["run=x", "model=cnn"], ["evaluate has no 'model', a run is evaluated as it was trained", "protocol and metrics"]),
    (["run=x", "data/look=film"], ["evaluate has no 'data'"]),
    (["run=x", "+experiment=smoke"], ["evaluate has no 'experiment'"]),
    (["run=x", "tracker=none"], ["evaluate has no 'tracker'", "track=false leaves W&B alone"]),
]


@pytest.mark.parametrize(("words", "parts"), EVALUATE, ids=[" ".join(words) for words, _ in EVALUATE])
def test_evaluate_says_as_much(words, parts, inside):
    refused(inside("evaluate", *words), *parts)


ONE = (*SMOKE[1:], "schedule.all.steps=1")


def jobs(folder):
    """Folders of a sweep's jobs -> their overrides, when they were begun."""
    found = (folder / "outputs").glob("sweep-*/*/.hydra/overrides.yaml")
    return {path.parents[1]: (OmegaConf.load(path), path.stat().st_mtime_ns) for path in sorted(found)}


def test_m_stands_anywhere(inside, tmp_path):
    """The same words in another order are the same sweep: its jobs are found finished."""
    seeds, quiet = "seed=0,1", "hydra.callbacks.after_sweep.compare=false"
    assert inside("train", "-m", *ONE, seeds, quiet).returncode == 0
    before = jobs(tmp_path)
    assert [words[-1] for words, _ in before.values()] == ["seed=0", "seed=1"]
    for words in ([*ONE, "-m", seeds, quiet], [*ONE, seeds, quiet, "--multirun"]):
        done = inside("train", *words)
        assert done.returncode == 0
        assert done.stdout.count("is finished: 1 steps") == 2
    assert jobs(tmp_path) == before
    other = "optimizer.encoder=${seed}"  # a word that is no value yet
    assert inside("train", f"rerun={next(iter(before))}", "seed=3,4", "-m", other, quiet).returncode == 0
    new = [list(words) for folder, (words, _) in jobs(tmp_path).items() if folder not in before]
    assert len(new) == 2
    assert all("model.width=0.1" in words for words in new)
    assert {word for words in new for word in words if word.startswith("seed=")} == {"seed=3", "seed=4"}
    refused(inside("train", f"resume={next(iter(before))}", "-m", "seed=0,1"), "resume continues one run")


def test_what_a_constructor_takes_may_be_added(inside):
    """--cfg job composes and checks, and starts nothing."""
    for words, line in (
        (["model=transformer", "+model.encoder_options={drop_path_rate: 0.1}"], "drop_path_rate: 0.1"),
        (["+optimizer.amsgrad=true"], "amsgrad: true"),
        (["+optimizer.critic.eps=1e-6"], "eps: 1.0e-06"),
        (["+schedule.all.fraction=0.5"], "fraction: 0.5"),
        (["+schedule.all.weights={pixel: 2}"], "pixel: 2"),
        (["+schedule.more={_target_: colorize.training.schedule.Phase, steps: 3}"], "more:"),
        (["+schedule.more._target_=colorize.training.schedule.Phase", "+schedule.more.steps=3"], "more:"),
        (["+loss.terms.noise={_target_: colorize.losses.NoiseError}", "+loss.weights.noise=1"], "noise: 1"),
        (["+metrics.ciede2000._target_=colorize.metrics.CIEDE2000"], "ciede2000:"),
        (["++checkpoint.every=7"], "every: 7"),
        (["+hydra.job.env_set.OMP_NUM_THREADS=1"], "model:"),
        (["seed=1", "seed=2"], "seed: 2"),
    ):
        done = inside("train", "--cfg", "job", *words)
        assert done.returncode == 0, done.stderr
        assert line in done.stdout
    words = ("--cfg", "job", "metrics=default", "~metrics.ssim", "~schedule.all.lr", "-p", "metrics")
    removed = inside("train", *words).stdout
    assert "psnr" in removed
    assert "ssim" not in removed


def test_the_users_own_configs_are_checked_too(inside, tmp_path):
    own = tmp_path / "mine"
    (own / "experiment").mkdir(parents=True)
    (own / "experiment" / "short.yaml").write_text("# @package _global_\nschedule: {all: {steps: 3}}\n")
    for place in ([f"--config-dir={own}"], [f"hydra.searchpath=[file://{own}]"]):
        assert "steps: 3" in inside("train", *place, "experiment=short", "--cfg", "job").stdout
        refused(inside("train", *place, "experiment=shrot"), "did you mean experiment=short?")
        refused(inside("train", *place, "experiment=short", "optimizer.lrr=1"), "did you mean optimizer.lr?")


def test_nothing_slow_is_imported_for_an_answer():
    main = "from colorize.cli import main; main(['train', 'model=transfomer'])"
    program = f"import sys; {main}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "did you mean model=transformer?" in done.stderr
    assert done.stdout == "False\n"


def test_what_hydra_shows(inside):
    assert "drop_path" not in inside("train", "--cfg", "job", "--resolve", "--package", "optimizer").stdout
    assert "lr: 0.001" in inside("train", "--cfg", "job", "--resolve", "--package", "optimizer").stdout
    assert "model/transformer" in inside("train", "--info", "defaults").stdout
    assert "--shell-completion" in inside("train", "--hydra-help").stdout
    told = inside("evaluate", "--help").stdout
    for key in set(OmegaConf.load(CONF / "evaluate.yaml")) - {"defaults", "hydra"}:
        assert re.search(rf"^ *{key} +\w", told, re.M), key
    for group in ("protocol", "metrics"):
        listed = re.search(rf"^ *{group}=… +((?:[\w-]+(?:, |,\n +)?)+)", told, re.M)
        assert sorted(re.split(r",\s+", listed[1])) == options(group)
    for verb in ("train", "evaluate"):
        examples = [line for line in inside(verb, "--help").stdout.splitlines() if f"  python {verb}.py" in line]
        assert len(examples) == 3
