"""Words of the command line: in any order, refused where they are wrong, before anything starts."""

import pytest
from test_command_line import SMOKE, refused

MISTAKES = [
    # groups and their options
    (["model=transfomer"], ["model has no option 'transfomer': did you mean model=transformer?"]),
    (["data/look=filmm"], ["did you mean data/look=film?", "film, mixed, modern"]),
    (["experiment=cpu/cn"], ["did you mean experiment=cpu/cnn"]),
    (["hydra/sweeper=optunaa"], ["did you mean hydra/sweeper=optuna?"]),
    (["+model=cnn"], ["model is chosen without a plus: model=cnn"]),
    (["+experiment=smoke"], ["experiment is chosen without a plus: experiment=smoke"]),
    (["loss@foo=l1"], ["Could not override 'loss@foo'. Did you mean to override loss?"]),
    # keys
    (["optimizer.lrr=1"], ["there is no 'optimizer.lrr': did you mean optimizer.lr?"]),
    (["hydra.rn.dir=x"], ["there is no 'hydra.rn.dir': did you mean hydra.run.dir"]),
    (["hydra.mode=MULTIRUNN"], ["'MULTIRUNN'", "RUN, MULTIRUN"]),
    (["checkpoint={evry: 3}"], ["'evry'"]),
    (["=3"], ["cannot read '=3'"]),
    (["model"], ["cannot read 'model'"]),
    # additions
    (["+experimnt=smoke"], ["nothing called 'experimnt' to add to: did you mean experiment"]),
    (["+checkpoint.evry=3"], ["checkpoint has no 'evry': did you mean checkpoint.every?"]),
    (["++checkpoint.evry=3"], ["checkpoint has no 'evry': did you mean checkpoint.every?"]),
    (["+names.foo=3"], ["names has no 'foo'"]),
    (["+hydra.foo=1"], ["hydra has no 'foo'"]),
    (["+model.upsampel=nearest", "~model.upsample"], ["CNN takes no 'upsampel': did you mean model.upsample?"]),
    (["+model.anything=1"], ["CNN takes no 'anything'; the config has all that it takes"]),
    (["model=transformer", "+model.anything=1"], ["Transformer takes no 'anything'; it also takes encoder_options"]),
    (["+trainer.model=1"], ["Trainer takes no 'model'"]),  # the program hands it over
    (["schedule=warmup_cosine", "+schedule.all.lr.wramup=3"], ["did you mean schedule.all.lr.warmup?"]),
    (["+schedule.al.steps=3"], ["'schedule.al' cannot be added without a _target_", "did you mean schedule.all?"]),
    (["+metrics.mine.unit=3"], ["'metrics.mine' cannot be added without a _target_"]),
    (["+loss.terms.mine.unit=3"], ["'loss.terms.mine' cannot be added without a _target_"]),
    (["+loss.terms.my={_target_: colorize.losses.L1, unt: 3}"], ["L1 takes no 'unt': did you mean loss.terms.my.unit"]),
    (["+loss.terms.mine={_target_: colorize.losses.L3}"], ["loss.terms.mine._target_=colorize.losses.L3 is no class"]),
    (["model._target_=colorize.models.CNNN"], ["model._target_=colorize.models.CNNN is no class"]),
    (["+schedule.all.weights={pixle: 1}"], ["a phase weighs ['pixle']"]),
    (["+optimizer.momentum=0.9"], ["takes no ['momentum']"]),  # any name is given to it: its own constructor judges
    # what is left out
    (["~modle"], ["there is no 'modle' to leave out: did you mean model?"]),
    (["~model"], ["~model would leave out what is always read"]),
    (["~optimizer.lrr"], ["there is no 'optimizer.lrr' to leave out: did you mean optimizer.lr?"]),
    (["~checkpoint.every"], ["~checkpoint.every would leave out what is always read"]),
    # values
    (["optimizer.lr=fast"], ["optimizer.lr is a number, such as 0.001; 'fast' is not"]),
    (["optimizer.lr=${optimizer.lrr}"], ["'optimizer.lrr' not found: did you mean optimizer.lr?"]),
    (["optimizer.lr=${oc.env:COLORIZE_NOTHING}"], ["Environment variable 'COLORIZE_NOTHING' not found"]),
    (["data=folder"], ["data.root has no value: say data.root=… on"]),
    (["data=folder", "name=???"], ["data.root and name have no value: say data.root=… name=… on"]),
    # several runs
    (["seed=0,1"], ["seed=0,1 names several values: say -m as well"]),
    (["model.width=0.1,0.2"], ["or model.width=[0.1,0.2] for a list"]),
    (["model=cnn,gan"], ["model=cnn,gan names several values: say -m as well"]),
    (["-m", "model=cnn,transfomer"], ["did you mean model=transformer?"]),
    (["-m", "optimizer.lrr=1,2"], ["did you mean optimizer.lr?"]),
    (["-m", "optimizer.lr=1e-3,fast"], ["'fast' is not"]),
    (["-m", "model=transformer,cnn", "model.queries=3"], ["there is no 'model.queries' with model=cnn"]),
    (["-m", "model=cnn,transformer", "data=demo,folder"], ["data.root has no value"]),
    (["-m", "seed=0,1", "seed=2"], ["seed is said 2 times, seed=0,1 and seed=2"]),
    (["-m", "hparams_search=optuna", "optimizer.lrr=interval(0,1)"], ["did you mean optimizer.lr?"]),
    # options
    (["--multirn"], ["there is no option '--multirn': did you mean --multirun?"]),
    (["--cfg", "jobb"], ["'jobb'", "job"]),
    (["--cfg", "job", "-m"], ["-m and --cfg do not go together"]),
    (["--resolve"], ["--resolve goes with --cfg"]),
    (["--package", "model"], ["--package goes with --cfg"]),
    (["--config-dir=nowhere"], ["--config-dir=nowhere: there is no such folder"]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "parts"), MISTAKES, ids=[" ".join(words) for words, _ in MISTAKES])
def test_mistakes_get_one_sentence(words, parts, inside, tmp_path):
    base = [word for word in SMOKE[1:] if word.split("=")[0] not in {each.split("=")[0] for each in words}]
    refused(inside("train", *base, *words), *parts)
    assert not list(tmp_path.rglob("config.yaml"))


EVALUATE = [
    (["run=x", "protocol=claen"], ["did you mean protocol=clean?"]),
    (["run=x", "checkpiont=last"], ["did you mean checkpoint?"]),
    (["run=x", "+protocol.sise=3"], ["Protocol takes no 'sise': did you mean protocol.size?"]),
    (["protocol=clean"], ["run has no value: say run=…"]),
    (["-m", "run=a,b", "name=???"], ["name has no value"]),
]


@pytest.mark.parametrize(("words", "parts"), EVALUATE, ids=[" ".join(words) for words, _ in EVALUATE])
def test_evaluate_says_as_much(words, parts, inside):
    refused(inside("evaluate", *words), *parts)
