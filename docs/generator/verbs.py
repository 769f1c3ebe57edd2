"""The verbs of the command, from the table that the command itself is made of."""

from __future__ import annotations

from generator.text import table

from colorize.cli.app import VERBS

MORE = {  # where the manual says more
    "train": "[configuration.md](configuration.md), [training.md](training.md)",
    "evaluate": "[evaluation.md](evaluation.md)",
    "compare": "[evaluation.md](evaluation.md#side-by-side)",
    "judge": "[evaluation.md](evaluation.md#people-as-judges)",
    "paint": "[below](#paint)",
    "app": "[below](#app)",
    "models": "[below](#models)",
    "verify": "[below](#verify)",
    "inspect": "[inspection.md](inspection.md)",
    "export": "[below](#export)",
    "prepare": "[data.md](data.md#prepare)",
    "look": "[historical.md](historical.md#the-film-look)",
    "plates": "[historical.md](historical.md#plates-of-three-exposures)",
    "sync": "[tracking.md](tracking.md)",
    "dashboard": "[tracking.md](tracking.md#dashboards)",
    "fetch": "[historical.md](historical.md#plates-of-three-exposures)",
}


def verbs() -> str:
    rows = [[f"`{name} {verb.arguments}`", verb.summary, MORE.get(name, "")] for name, verb in VERBS.items()]
    return table(["verb", "what it does", "more"], rows, "lll")
