"""Whether a run can be trained for longer than its schedule said at first."""

from __future__ import annotations

from collections.abc import Mapping

from colorize.errors import UserError
from colorize.schedule import Phase


def check_lengthened(
    old: Mapping[str, Phase], before: Mapping[str, int], new: Mapping[str, Phase], after: Mapping[str, int], done: int,
    folder: str,
) -> None:  # fmt: skip
    """Raises `UserError` unless the `done` steps of the run in `folder` are those that the new schedule begins with:
    the same phases, and at every step the same learning rate. The run then ends with the weights of one that was
    begun with the new schedule.

    old, new       the schedules; before, after: the lengths of their phases in optimizer steps
    """
    told = f"init_from={folder} begins a new run with its weights"
    if done > sum(after.values()):
        raise UserError(
            f"the run in {folder!r} has taken {done} steps, and its schedule would end after {sum(after.values())}: "
            f"say more of them; {told}"
        )
    left = done
    for name, length in before.items():
        taken = min(length, left)
        left -= taken
        longest = after.get(name, 0)
        if not taken:
            return
        if longest < taken or (left and longest != length):
            raise UserError(
                f"the run in {folder!r} has taken {taken} steps of the phase {name!r}, which cannot become "
                f"{longest} steps now: lengthen the phase that it is in, or a later one; {told}"
            )
        if longest != length:
            check_curve(name, old[name], length, new[name], longest, taken, told)


def check_curve(name: str, old: Phase, length: int, new: Phase, longer: int, taken: int, told: str) -> None:
    """Raises `UserError` where one of the steps that were taken would have had another learning rate."""
    for step in range(1, taken + 1):
        if old.lr(step / length) != new.lr(step / longer):
            raise UserError(
                f"the phase {name!r} cannot become {longer} steps long: its learning rate has a curve, and would have "
                f"been another from step {step} on; add a phase of its own (+schedule.more=…), or {told}"
            )
