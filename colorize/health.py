"""Signs that training goes wrong while no number is yet infinite: each is said once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from colorize.terminal import say

SMOOTHING = 0.98  #    of the running means: they remember about fifty steps
SETTLED = 100  #       steps of a phase before a sign means anything
EXPLODED = 10.0  #     times the smallest running mean of the loss so far,
ROSE = 2.0  #          or times its size, where that mean is not above zero
WON, LOST = 0.98, 0.52  # shares of right judgements at which a critic has won, or tells nothing apart
GREY = 0.3  #          chroma of predictions over that of the truth
STALLED = 0.5  #       share of the schedule without a better score


class Health:
    """Watches the numbers of a run. Its state is plain: a resumed run says what the whole run would say."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}  # sign -> the step, and the sentence
        self.best_at = 0  #                            step of the best evaluation
        self.enter()

    def enter(self) -> None:
        """A new phase: another loss, other optimizers."""
        self.means: dict[str, float] = {}  # number -> its running mean in this phase
        self.seen = 0
        self.first: float | None = None  #   running mean of the loss once it had settled,
        self.lowest = float("inf")  #        at its best,
        self.spread = self.noise = 0.0  #    and how far values lie from it: now, and at its best

    def step(self, values: Mapping[str, float], step: int) -> None:
        """The numbers of an optimizer step."""
        self.seen += 1
        for name, value in values.items():
            old = self.means.get(name, value)
            self.means[name] = SMOOTHING * old + (1 - SMOOTHING) * value
        loss = self.means["loss"]
        self.spread = SMOOTHING * self.spread + (1 - SMOOTHING) * abs(values["loss"] - loss)
        if self.seen < SETTLED:
            return
        self.first = loss if self.first is None else self.first
        if loss < self.lowest:
            self.lowest, self.noise = loss, self.spread
        if how := self.exploded(loss):
            self.warn("exploding", step, f"the loss is {how}")
        for name in (name for name in values if name.endswith("_right")):
            critic, share = name.removesuffix("_right"), self.means[name]
            if share > WON:
                self.warn(
                    f"{critic}_won", step, f"{critic} is right about {share:.0%} of what it sees: it teaches nothing"
                )
            if share < LOST:
                self.warn(
                    f"{critic}_lost",
                    step,
                    f"{critic} is right about {share:.0%} of what it sees: it tells nothing apart",
                )

    def exploded(self, loss: float) -> str | None:
        """How far the loss has risen above its best, in words, where that is too far.

        A loss that was zero or negative has no multiples: its rise is measured by its own size, by what it had learned,
        and by its noise.
        """
        rise = loss - self.lowest
        if self.lowest > 0:
            exploded = loss > EXPLODED * self.lowest and rise > ROSE * self.noise  # the noise counts near zero
            return f"{loss / self.lowest:.0f} times what it was at its best" if exploded else None
        assert self.first is not None
        size = max(-self.lowest, self.first - self.lowest, self.noise)
        return f"{loss:.3g}, and was {self.lowest:.3g} at its best" if rise > ROSE * size else None

    def evaluated(self, scores: Mapping[str, float], better: bool, step: int, total: int) -> None:
        """The scores of an evaluation, and whether they are the best so far."""
        self.best_at = step if better else self.best_at
        chroma = scores.get("chroma")
        if chroma is not None and chroma < GREY and step > total / 2:
            self.warn("grey", step, f"predictions are nearly grey: {chroma:.0%} of the truth's chroma")
        if step - self.best_at > STALLED * total:
            self.warn("stalled", step, f"no better score since step {self.best_at}")

    def warn(self, sign: str, step: int, sentence: str) -> None:
        if sign not in self.found:
            self.found[sign] = {"step": step, "sentence": sentence}
            say(f"warning at step {step}: {sentence}")

    def state(self) -> dict[str, Any]:
        return dict(vars(self))

    def load(self, state: Mapping[str, Any]) -> None:
        vars(self).update({name: value for name, value in state.items() if name in vars(self)})
