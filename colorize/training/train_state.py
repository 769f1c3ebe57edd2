"""A network with its optimizer and its moving average, and the gradients of a step."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from colorize.batch import Batch
from colorize.losses.loss import Loss
from colorize.models.base import converge_spectral_norms
from colorize.models.load import best_state
from colorize.training.ema import constant_decay, power_function
from colorize.utils import devices
from colorize.utils.console import say
from colorize.utils.distributed import World
from colorize.utils.errors import UserError


class TrainState:
    """The model, or a critic inside a loss term: a network, its optimizer, and perhaps the average of its past weights.

    ema     decay of the exponential moving average of the weights; None: no average. It starts low, (1 + n)/(10 + n)
            after n steps, so that a short run is not averaged with its random beginning. Buffers are copied.
    wrap    what makes a network one of several processes'; nothing, in one process
    lengths relative widths of further averages, of which snapshots are kept (`training.ema`)
    """

    def __init__(
        self, module: nn.Module, ema: float | None = None, wrap: Callable[[nn.Module], nn.Module] = lambda m: m,
        lengths: Sequence[float] = (),
    ):  # fmt: skip
        self.module, self.wrap = module, wrap
        self.wrapped = module  # forward passes go through it, state does not
        self.optimizer: torch.optim.Optimizer | None = None
        self.ema = AveragedModel(module, multi_avg_fn=constant_decay(ema)) if ema else None
        self.averages = {each: AveragedModel(module, multi_avg_fn=power_function(each)) for each in lengths}

    def start_phase(self, optimizer: torch.optim.Optimizer) -> None:
        """The network carries over, its optimizer is fresh."""
        self.optimizer = optimizer
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.base_lr = [group["lr"] for group in optimizer.param_groups]
        self.wrapped = self.wrap(self.module)

    @property
    def lr(self) -> float:
        """Of the last step, of the first group of weights."""
        assert self.optimizer is not None
        return self.optimizer.param_groups[0]["lr"]

    def step(self, lr: float) -> None:
        """Move by the gradients gathered; `lr` is a factor on the optimizer's own rates."""
        assert self.optimizer is not None
        for group, base in zip(self.optimizer.param_groups, self.base_lr, strict=True):
            group["lr"] = base * lr
        self.optimizer.step()
        self.module.zero_grad()
        for average in [*([self.ema] if self.ema is not None else []), *self.averages.values()]:
            average.update_parameters(self.module)

    def ema_or_model(self) -> nn.Module:
        """The averaged network if there is one, ready for use: the one to evaluate and to hand on."""
        if self.ema is None:
            return self.module
        converge_spectral_norms(self.ema.module)
        return self.ema.module

    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "average": self.ema.state_dict() if self.ema is not None else None,
            **({"averages": {each: ema.state_dict() for each, ema in self.averages.items()}} if self.averages else {}),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.module.load_state_dict(state["module"] if state["module"] is not None else best_state(state))
        if self.optimizer is not None and state["optimizer"] is not None:
            kinds = [{name: type(value) for name, value in group.items()} for group in self.optimizer.param_groups]
            self.optimizer.load_state_dict(state["optimizer"])
            for group, held in zip(self.optimizer.param_groups, kinds, strict=True):
                if {name: type(value) for name, value in group.items()} != held:
                    raise ValueError("the optimizer's settings are of other kinds")
        if self.ema is not None:
            self.ema.load_state_dict(state["average"])
        for length, average in self.averages.items() if "averages" in state else ():  # not where weights alone are left
            average.load_state_dict(state["averages"][length])


class OptimizerStep:
    """An update of every active network: all gradients are taken before any weight moves.

    states  the model's and, by the names of their loss terms, the critics'
    passes  photographs in each forward pass of this process
    clip    largest norm of each network's gradient
    """

    def __init__(
        self, states: Mapping[str, TrainState], loss: Loss, *, device: torch.device,
        clip: float | None, world: World, passes: Sequence[int],
    ):  # fmt: skip
        self.states, self.loss, self.device, self.clip, self.world = states, loss, device, clip, world
        self.autocast: AbstractContextManager = nullcontext()  # around forward passes of the model
        self.passes = passes
        self.limit: int | None = None  # of photographs in a pass, once memory ran out
        self.active: list[str] = []  #   the networks of the current phase
        self.frozen: Sequence[str] = ()

    def __call__(
        self, batches: Sequence[Batch], weights: Mapping[str, float], lr: float, step: int
    ) -> dict[str, float]:
        """Returns what `accumulate_gradients` does, and the gradient norms. `lr` is a factor on the optimizers' rates.

        Raises `UserError` when one of them is not a finite number; no weight has moved then.
        """
        self.train_mode()
        states = {name: self.states[name] for name in self.active}
        while (terms := self.gradients(states, batches, weights)) is None:
            self.halve_micro_batch(batches[0].L.shape[-1])
        terms = self.world.mean(terms)
        for name, state in states.items():
            norm = nn.utils.clip_grad_norm_(state.parameters, self.clip or math.inf)  # of all, before it is clipped
            terms["gradient" if name == "model" else f"gradient_{name}_critic"] = norm
        values = finite(terms, step)
        for state in states.values():
            state.step(lr)
        return values

    def gradients(
        self, states: Mapping[str, TrainState], batches: Sequence[Batch], weights: Mapping[str, float]
    ) -> dict[str, Tensor] | None:
        """None where memory ran out; the handler, which keeps the failed step's tensors alive, is left by then."""
        pieces = [piece for batch in batches for piece in batch.split(self.micro_batch)]
        try:
            return accumulate_gradients(states, self.loss, pieces, weights, self.autocast)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            return None
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):  # torch's batch norm
                raise
            raise UserError(
                "batch norm needs two photographs or more in a pass, of each process: use a larger "
                "trainer.batch_size, or start fewer processes"
            ) from error

    def train_mode(self) -> None:
        """Everything learns but what is frozen in this phase, whose batch norms keep their statistics."""
        model = self.states["model"].module
        model.train()
        self.loss.train()
        for name in self.frozen:
            if name in dict(model.named_modules()):
                model.get_submodule(name).eval()

    @property
    def micro_batch(self) -> int:
        """The most photographs that a pass takes."""
        return min(max(self.passes), self.limit or max(self.passes))

    def halve_micro_batch(self, size: int) -> None:
        """After memory ran out on pictures of `size`²; an optimizer step still sees all of its photographs."""
        for state in self.states.values():
            state.module.zero_grad()
        devices.empty_cache(self.device)
        if self.micro_batch == 1 or self.world.size > 1:
            raise UserError(
                f"memory ran out on {self.micro_batch} photographs of {size}² in a pass: use a smaller "
                "trainer.batch_size and as much more trainer.accumulate, trainer.recompute=true, or a smaller data.size"
            )
        self.limit = math.ceil(self.micro_batch / 2)
        say(f"memory ran out: a pass takes {self.limit} photographs from here on; an optimizer step as many as before")


def accumulate_gradients(
    states: Mapping[str, TrainState], loss: Loss, batches: Sequence[Batch], weights: Mapping[str, float],
    autocast: AbstractContextManager,
) -> dict[str, Tensor]:  # fmt: skip
    """The first of `states` is the model, the others are critics of the loss terms of their names.

    Each batch counts by its photographs, so that it does not matter how an optimizer step is divided among passes.
    Returns, averaged over photographs: the unweighted terms, `NAME_critic`, the loss of a critic, and
    `NAME_critic_right`, the share of what it judges rightly, and `loss`, the weighted total.
    """
    photographs = sum(map(len, batches))
    sums: dict[str, Tensor] = {}
    for batch in batches:
        share = len(batch) / photographs
        with ExitStack() as pending:
            for state in states.values() if batch is not batches[-1] else ():
                if isinstance(state.wrapped, DistributedDataParallel):  # processes average gradients at the last pass
                    pending.enter_context(state.wrapped.no_sync())
            with autocast:
                pred = states["model"].wrapped(batch)
            pred = pred.float()
            total, terms = loss(pred, batch, weights)
            (share * total).backward()
            terms["loss"] = total
            for name in list(states)[1:]:
                term = loss.terms[name]
                value, right = term.critic_loss(states[name].wrapped, pred.detach(), batch)  # type: ignore[operator]
                (share * value).backward()
                terms |= {f"{name}_critic": value, f"{name}_critic_right": right}
        sums = {name: sums.get(name, 0) + share * value.detach() for name, value in terms.items()}
    return sums


def finite(terms: Mapping[str, Tensor], step: int) -> dict[str, float]:
    """The values as numbers, fetched from the device together. Raises `UserError` where one is not finite."""
    values = dict(zip(terms, torch.stack([t.detach().float() for t in terms.values()]).tolist(), strict=True))
    for name, value in values.items():
        if not math.isfinite(value):
            raise UserError(
                f"{name!r} became {value} at step {step}; the checkpoint that was saved last is whole: start again "
                "from it with a lower optimizer.lr or trainer.clip"
            )
    return values
