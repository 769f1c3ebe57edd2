"""Networks of conf/, built small or as they are."""

import torch
from hydra.utils import instantiate

from tests.helpers.configs import SMALL


def build(config, name, whole=False, classes=None):
    """A network of `conf/model`, of a few channels unless it is wanted whole."""
    torch.manual_seed(0)
    node = config(f"model={name}", "loss=l1", *(() if whole else SMALL.get(name, ()))).model
    if classes and "classes" in node:
        node.classes = classes
    return instantiate(node, _convert_="all")
