"""A run that is trained once, copied, cut and compared."""

import shutil

from tests.helpers.configs import SMALL

TINY = ("experiment=smoke", "model=cnn", "loss=l1", *SMALL["cnn"], "schedule=single", "evaluate.historical=false")
TINY = (*TINY, "evaluate.every=100", "evaluate.judges.train_slice=false")


def cut(finished):
    """As if it had been killed after step 2."""
    shutil.rmtree(finished.folder / "checkpoints")
    shutil.copytree(finished.half, finished.folder / "checkpoints")
    (finished.folder / "summary.json").unlink(missing_ok=True)
