"""Recipes: every number of the papers' and the thesis's tables is read back from the composed config."""

import math

import pytest
from omegaconf import OmegaConf

from colorize.config import build_part
from colorize.training.build import build_parts, build_trainer
from tests.helpers.configs import CONF

RECIPES = sorted(
    path.relative_to(CONF / "experiment").with_suffix("").as_posix() for path in (CONF / "experiment").rglob("*.yaml")
)
PUBLISHED = [name for name in RECIPES if name.startswith(("thesis/", "ddcolor/"))]
CPU = [name for name in RECIPES if name.startswith("cpu/")]

# phase -> (share of ImageNet, epochs, redraw); then batch, accumulation, side, optimizer, rate, betas
THESIS = {
    "thesis/cnn": ({"all": (0.4, 20, 5)}, 64, 1, 224, "Adadelta", 1e-5, None),
    "thesis/cnn_as_run": ({"all": (0.4, 20, 5)}, 64, 1, 224, "Adam", 1e-5, (0.9, 0.999)),
    "thesis/gan": (
        {"pretrain": (0.05, 20, 10), "adversarial": (0.1, 20, 5)}, 16, 1, 256, "Adam", 1e-4, (0.9, 0.999),
    ),
    "thesis/gan_as_run": (
        {"pretrain": (0.05, 20, 10), "adversarial": (0.1, 20, 5)}, 16, 1, 256, "Adam", 1e-4, (0.9, 0.999),
    ),
    "thesis/gan_unet": (
        {"pretrain": (0.05, 20, 10), "adversarial": (0.1, 20, 5)}, 16, 1, 256, "Adam", 1e-4, (0.9, 0.999),
    ),
    "thesis/diffusion": ({"all": (0.075, 15, 5)}, 4, 3, 128, "AdamW", 1e-6, (0.9, 0.999)),
    "thesis/transformer": ({"all": (0.035, 12, 6)}, 32, 1, 256, "AdamW", 1e-4, (0.9, 0.999)),
    "thesis/multicolor": ({"all": (0.035, 20, 6)}, 16, 1, 256, "AdamW", 1e-4, (0.9, 0.999)),
}  # fmt: skip


@pytest.mark.parametrize("name", THESIS)
def test_the_numbers_of_the_thesis(name, config):
    phases, batch, accumulate, size, algorithm, lr, betas = THESIS[name]
    cfg = config(f"experiment={name}", "data.root=x")
    assert {k: (p.fraction, p.epochs, p.redraw_every) for k, p in cfg.schedule.items()} == phases
    assert all(phase.steps is None for phase in cfg.schedule.values())
    assert (cfg.trainer.batch_size, cfg.trainer.accumulate, cfg.data.size) == (batch, accumulate, size)
    assert (cfg.optimizer.algorithm, cfg.optimizer.lr, cfg.optimizer.encoder) == (algorithm, lr, 1)
    assert betas is None or tuple(cfg.optimizer.betas) == betas
    assert (cfg.data.geometry, cfg.trainer.clip, cfg.trainer.ema) == ("stretch", None, None)
    crop = 224 / 256 if "cnn" in name else 1
    assert (list(cfg.data.crop), cfg.data.flip) == ([crop, crop], "cnn" in name)
    for phase, (share, epochs, _) in phases.items():
        steps = build_part(cfg.schedule[phase], phase).steps(1_281_167, batch * accumulate)
        assert steps == math.ceil(epochs * round(share * 1_281_167) / (batch * accumulate))


def test_the_weights_of_the_thesis_are_in_the_units_of_their_terms(config):
    weights = {
        name: OmegaConf.to_container(config(f"experiment={name}", "data.root=x").loss.weights) for name in THESIS
    }
    terms = {name: config(f"experiment={name}", "data.root=x").loss.terms for name in THESIS}
    assert weights["thesis/cnn"] == {"pixel": 1, "classify": pytest.approx(1 / 300)}
    assert (terms["thesis/cnn"].pixel.unit, terms["thesis/cnn"].pixel.reduction) == (255, "image_sum")
    # summed over the batch of 64: 64 times the pictures' mean
    assert weights["thesis/cnn_as_run"] == {"pixel": 64, "classify": pytest.approx(1 / 300)}
    for name in ("thesis/gan", "thesis/gan_unet"):
        assert weights[name] == {"pixel": 100, "adversarial": 1}
    assert weights["thesis/gan_as_run"] == {"pixel": pytest.approx(200 / 3), "adversarial": 1}
    for name in ("thesis/gan", "thesis/gan_as_run", "thesis/gan_unet", "thesis/transformer"):
        assert terms[name].pixel.unit == 128
        own = {"start": "torch"} if name == "thesis/gan_as_run" else {}  # its code left the critic as torch makes it
        assert terms[name].adversarial.critic == {"_target_": "colorize.models.PatchCritic", "width": 64, **own}
    assert weights["thesis/transformer"] == {"pixel": 1, "perceptual": 5, "adversarial": 1, "colorful": 0.5}
    assert terms["thesis/transformer"].colorful.scale == "hundred"
    assert terms["thesis/transformer"].perceptual.features == "vgg16"
    expected = {"lab": 0.1, "hsv": 10, "yuv": 10, "rgb": 0, "perceptual": 5, "adversarial": 1, "colorful": 0.5}
    assert weights["thesis/multicolor"] == expected


def test_the_phases_of_the_gan(config):
    for name in ("thesis/gan", "thesis/gan_as_run", "thesis/gan_unet"):
        cfg = config(f"experiment={name}", "data.root=x")
        alone, rivals = cfg.schedule.pretrain, cfg.schedule.adversarial
        assert alone.weights == {"pixel": 1, "adversarial": 0}
        assert "weights" not in rivals
        assert list(rivals.optimizer.betas) == [0.5, 0.999]
        assert list(cfg.optimizer.critic.betas) == [0.5, 0.999]
    assert "lr" not in config("experiment=thesis/gan", "data.root=x").schedule.adversarial.optimizer
    run = config("experiment=thesis/gan_as_run", "data.root=x")
    assert run.schedule.adversarial.optimizer.lr == 2e-4
    assert run.loss.terms.adversarial.smooth == 0.9
    curve = build_part(run.schedule.adversarial, "schedule").lr
    assert [curve(epoch / 20) for epoch in (0, 10, 15, 19)] == pytest.approx([1, 1, 0.5, 0.1])


def test_the_networks_of_the_thesis(config):
    transformer = config("experiment=thesis/transformer", "data.root=x").model
    assert (transformer.pixel_decoder, transformer.freeze, transformer.spectral) == ("thesis", True, False)
    diffusion = config("experiment=thesis/diffusion", "data.root=x").model
    assert (diffusion.encoder, diffusion.steps, list(diffusion.beta), diffusion.ab_scale) == (
        None,
        500,
        [1e-4, 0.02],
        128,
    )
    assert (diffusion.dropout, diffusion.objective, diffusion.attention) == (0.3, "noise", "published")
    as_run = config("experiment=thesis/cnn_as_run", "data.root=x").model
    assert (as_run.branches, as_run.width, as_run.global_size) == (1, 1, 224)


@pytest.mark.parametrize(
    ("name", "encoder"), [("tiny", "convnext_tiny.fb_in22k"), ("large", "convnext_large.fb_in22k")]
)
def test_the_numbers_of_ddcolor(name, encoder, config):
    cfg = config(f"experiment=ddcolor/{name}", "data.root=x")
    assert cfg.model.encoder == encoder
    # 0.5 summed over the 4 photographs of each GPU
    assert cfg.loss.weights == {"pixel": 0.1, "perceptual": 5, "adversarial": 1, "colorful": 0.5 * 4}
    assert cfg.loss.terms.pixel.unit == 1
    assert cfg.loss.terms.adversarial.critic == {"_target_": "colorize.models.UNetCritic", "width": 64}
    assert (cfg.loss.terms.perceptual.features, cfg.loss.terms.colorful.scale) == ("vgg16_bn", "unit")
    assert (cfg.optimizer.algorithm, cfg.optimizer.lr, list(cfg.optimizer.betas)) == ("AdamW", 1e-4, [0.9, 0.99])
    assert (cfg.optimizer.weight_decay, cfg.optimizer.decay, cfg.optimizer.encoder) == (0.01, "all", 1)
    critic = {"algorithm": "Adam", "lr": 1e-4, "betas": [0.9, 0.99], "weight_decay": 0}
    assert OmegaConf.to_container(cfg.optimizer.critic) == critic
    assert (cfg.trainer.batch_size, cfg.data.size, cfg.schedule["all"].steps) == (16, 256, 400_000)
    phase = build_part(cfg.schedule, "schedule")["all"]
    factors = [phase.lr((step + 1) / 400_000) for step in (79_999, 80_000, 119_999, 120_000, 359_999, 360_000)]
    assert factors == [1, 0.5, 0.5, 0.25, 0.5**7, 0.5**8]


def test_a_text_that_cannot_train_is_warned_of(config, photographs, tmp_path):
    data = ("data=folder", f"data.root={photographs}")
    parts = build_parts(small := config("experiment=thesis/cnn", *data, "model.width=0.1"))
    build_trainer(small, parts, tmp_path)
    assert any("Adadelta at lr 1e-05 hardly moves a weight" in note for note in parts.notes)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_says_what_its_best_is(name, config):
    cfg = config(f"experiment={name}", *(["data.root=x"] if name in PUBLISHED else []))
    metric = cfg.checkpoint.monitor
    assert metric in ("val/psnr", "val/features")
    assert cfg.checkpoint.mode is None, "the metric says itself which of two numbers is the better one"
    if any(term in cfg.loss.weights for term in ("adversarial", "noise")) and "gan_unet" not in name and name in CPU:
        assert metric == "val/features"


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_three_steps_at_full_size(name, config, photographs, tmp_path):
    """Without pretrained weights, which only a hub has, and with two photographs at a time."""
    composed = config(f"experiment={name}", "data.root=x")
    words = ["data=folder", f"data.root={photographs}", "trainer.batch_size=2", "trainer.accumulate=1"]
    words += ["model.pretrained=false"] if "pretrained" in composed.model else []
    words += ["loss.terms.perceptual.features=auto"] if "perceptual" in composed.loss.terms else []
    words += [f"schedule.{phase}.{length}" for phase in composed.schedule for length in ("steps=3", "epochs=null")]
    cfg = config(f"experiment={name}", *words)
    trainer = build_trainer(cfg, build_parts(cfg), tmp_path)
    for phase in trainer.lengths:
        trainer.start_phase(phase)
        stream = trainer.step_batches(phase, 0)
        for _ in range(3):
            assert math.isfinite(trainer.train_step(next(stream))["loss"])
