"""Values of a config: of the type, range and kind that the constructors say, before anything is built or read."""

import importlib
import random

import pytest
import torch
from omegaconf import OmegaConf

from colorize.imaging.color import CHROMA_SCALE
from colorize.losses import adversarial, perceptual
from colorize.losses import loss as colorful
from colorize.losses import loss as pixel
from colorize.models import denoiser, multicolor, unet
from colorize.models import diffusion_process as samplers
from colorize.training.config_schema import with_checked_values
from colorize.training.optimizers import Optimizers
from colorize.utils.errors import UserError
from colorize.utils.validation import hints_of
from tests.helpers.commands import refused
from tests.helpers.configs import CONF

absurd_values = importlib.import_module("tests.faults.absurd_values")

WORDS = {"yes": True, "no": False, "on": True, "off": False, "y": True, "n": False, "'true'": True, "'false'": False}
BOOLEANS = ["overwrite", "data.flip", "trainer.recompute", "trainer.channels_last", "model.freeze", "tracker.artifacts"]


@pytest.mark.parametrize("key", BOOLEANS)
def test_yes_and_no_are_what_they_say(key, config):
    for word, meant in WORDS.items():
        cfg = with_checked_values(config(f"{key}={word}"), "train")
        assert OmegaConf.select(cfg, key) is meant, word
    with pytest.raises(UserError, match=f"{key} is 'flase'; it must be true or false: did you mean false?"):
        with_checked_values(config(f"{key}=flase"), "train")


def test_evaluate_sweeps_and_files_of_the_user_are_checked_alike(inside, tmp_path, config):
    for key in ("strict", "track", "overwrite", "table"):
        cfg = config("run=x", f"{key}=off", name="evaluate")
        assert with_checked_values(cfg, "evaluate")[key] is False
    refused(inside("evaluate", "run=x", "strict=flase"), "strict is 'flase'", "did you mean false?")
    refused(inside("train", "-m", "data.flip=true,flase"), "data.flip is 'flase'")
    refused(inside("train", "-m", "trainer.batch_size=4,-4"), "trainer.batch_size is -4")
    refused(inside("train", "-m", "seed=0,1", "hydra.callbacks.after_sweep.compare=no"), "use false")
    refused(
        inside("train", "-m", "seed=0,1", "hydra/launcher=torchrun", "hydra.launcher.processes=-1"), "processes is -1"
    )
    own = tmp_path / "mine" / "experiment"
    own.mkdir(parents=True)
    (own / "quoted.yaml").write_text('# @package _global_\ndata: {flip: "flase"}\n')
    refused(inside("train", f"--config-dir={own.parent}", "experiment=quoted"), "data.flip is 'flase'")


def test_overwrite_no_keeps_a_finished_run(run_folder, inside):
    folder = run_folder("cnn", "l1")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.pt")}
    words = OmegaConf.load(folder / ".hydra" / "overrides.yaml")
    for no in ("no", "off", "n", "'false'"):
        done = inside("train", *words, f"hydra.run.dir='{folder}'", f"overwrite={no}")
        assert done.returncode == 0, done.stderr
        assert "is finished" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.pt")} == before


MISTAKES = {  # words -> what the sentence says
    "name=null": "name is null; it must be text",
    "seed=[1]": "seed is [1]; it must be a whole number",
    "seed=true": "seed is true; it must be a number",
    "optimizer.lr=nan": "optimizer.lr is nan; it must be a finite number",
    "optimizer.betas=[0.9]": "optimizer.betas is [0.9]",
    "optimizer.weight_decay=-1": "Invalid weight_decay value: -1",
    "optimizer.critic.lr=[1]": "optimizer.critic.lr is [1]; it must be a learning rate above 0, such as 0.0003",
    "data.size=1e9": "data.size is 1000000000.0; it must be less than or equal to 8192",
    "data.size=100000": "data.size is 100000",
    "data.crop=[]": "data.crop is []; it must be a list of 2",
    "data.crop=[0.6]": "data.crop is [0.6]; it must be a list of 2",
    "data.max_bad=inf": "data.max_bad is inf",
    "data.num_workers=1.5": "data.num_workers is 1.5; it must be a whole number or auto",
    "data=shards data.root=x data.buffer=0": "data.buffer is 0",
    "trainer.batch_size=100000": "trainer.batch_size is 100000",
    "trainer.batch_size=16000 data.size=2048": "GB for photographs alone",
    "trainer.ema=[0.5]": "trainer.ema is [0.5]; it must be a number or null",
    "trainer.precision=float16": "trainer.precision is 'float16'; it must be auto, float32 or bfloat16",
    "schedule.all.steps=1e18": "schedule.all.steps is 1e+18",
    "schedule.all.steps=1.5": "schedule.all.steps is 1.5; it must be a whole number",
    "schedule.all=null": "schedule.all is null; it must be a part with a _target_; ~schedule.all leaves it out",
    "evaluate=null": "evaluate is null; it must be a mapping with every, batch_size",
    "checkpoint=null": "checkpoint is null; it must be a mapping with every, keep",
    "evaluate.batch_size=1.5": "evaluate.batch_size is 1.5; it must be a whole number",
    "evaluate.samples=0.5": "evaluate.samples is 0.5; it must be a whole number",
    "checkpoint.mode=maxx": "checkpoint.mode is 'maxx'; it must be max or min or null: did you mean max?",
    "loss=null": "loss",
    "loss.terms=null": "loss.terms is null; it must be a mapping",
    "loss.terms.pixel={_target_:colorize.models.CNN}": "loss.terms.pixel is a CNN; it must be a Term",
    "loss.weights.pixel=null": "loss.weights.pixel is null; it must be a number",
    "metrics.psnr=null": "metrics.psnr is null; it must be a part with a _target_; ~metrics.psnr leaves it out",
    "model.widths=[0,64,64]": "model.widths[0] is 0; it must be greater than or equal to 1",
    "model.queries=1e9": "model.queries is 1000000000.0",
    "model=cnn model.width=1e9": "model.width is 1000000000.0; it must be less than or equal to 8",
    "model=cnn model.classes=-1": "model.classes is -1",
    "model=multicolor model.complement=[]": "model.complement is []; it must be a list of 1 or more",
    "model._target_=colorize.losses.L1": "model is a L1; it must be a Colorizer",
    "tracker.patience=[1]": "tracker.patience is [1]; it must be a list of 2",
}  # fmt: skip


@pytest.mark.parametrize(("words", "said"), MISTAKES.items(), ids=MISTAKES)
def test_what_cannot_be_is_one_sentence(words, said, inside, tmp_path):
    refused(inside("train", *words.split()), said)
    assert not list(tmp_path.rglob("*.pt"))


def test_a_folder_that_is_a_file(inside, tmp_path):
    (tmp_path / "file").touch()
    for place in ("/dev/null", "file", "file/below"):
        refused(inside("train", f"hydra.run.dir={place}"), "hydra.run.dir is", "is no folder")


@pytest.mark.parametrize("algorithm", ["LBFGS", "SparseAdam"])
def test_optimizers_that_take_other_steps_are_refused(algorithm):
    with pytest.raises(UserError, match=f"algorithm={algorithm} cannot train"):
        Optimizers(algorithm, lr=0.1)


def test_optimizers_keep_what_is_said_in_other_words():
    given = Optimizers("SGD", lr=0.1, momentum=0.9, nesterov="no", critic={"nesterov": "yes"})
    layer = torch.nn.Linear(1, 1)
    assert given.build(layer).defaults["nesterov"] is False
    assert given.build(layer, critic=True).defaults["nesterov"] is True


def test_a_critic_that_takes_no_such_small_pictures(inside):
    critic = "loss.terms.adversarial.critic={_target_: colorize.models.UNetCritic, width: 8}"
    words = ("experiment=smoke", "tracker=none", "model=gan_unet", "model.widths=[8,8,16]", critic)
    refused(inside("train", *words), "data.size is 32; the critic of 'adversarial', UNetCritic, takes 64 pixels")


def test_choices_are_those_of_the_tables():
    """The annotation of a choice names what the code beside it knows."""
    tables = {
        (adversarial.Adversarial, "kind"): adversarial.KINDS,
        (colorful.Colorfulness, "scale"): colorful.SCALES,
        (perceptual.Perceptual, "features"): perceptual.FEATURES,
        (pixel.ChromaL1, "space"): CHROMA_SCALE,
        (importlib.import_module("colorize.models").Diffusion, "sampler"): samplers.SAMPLERS,
        (importlib.import_module("colorize.models").Diffusion, "norm"): denoiser.NORMS,
        (importlib.import_module("colorize.models").Diffusion, "attention"): denoiser.CONTRACTIONS,
        (importlib.import_module("colorize.models").MultiColor, "complement_norm"): multicolor.COMPLEMENTS,
        (importlib.import_module("colorize.models").UNet, "norm"): unet.NORMS,
    }
    for (part, name), known in tables.items():
        assert set(hints_of(part)[name].__args__) == set(known), name


def test_every_option_of_conf_passes():
    for program, choice, cfg in absurd_values.configs():
        case = absurd_values.Case(program, choice, "name", "x")
        assert absurd_values.checked(case, cfg) == "taken", choice


def test_absurd_values_are_refused_or_taken():
    """The short part of the campaign: a third of the leaves, another one for each option."""
    chance = random.Random(0)
    for program, choice, cfg in absurd_values.configs():
        cases = list(absurd_values.cases(program, choice, cfg))
        for case in chance.sample(cases, len(cases) // 3):
            answer = absurd_values.checked(case, cfg)  # an error of the program's own would be raised
            assert "\n" not in answer, case
            if case.value in ("nan", "inf"):
                assert answer != "taken", case


def test_conf_has_no_leaf_without_a_type():
    """What a constructor of ours does not annotate could be anything."""
    for path in sorted(CONF.rglob("*.yaml")):
        for node in targets(OmegaConf.to_container(OmegaConf.load(path))):
            if node["_target_"].startswith("colorize.") and "optimizers" not in node["_target_"]:
                module, name = node["_target_"].rsplit(".", 1)
                hints = hints_of(getattr(importlib.import_module(module), name))
                assert {key for key in node if not key.startswith("_")} <= hints.keys(), path


def targets(node):
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from targets(value)
