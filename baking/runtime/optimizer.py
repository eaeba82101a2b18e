"""The Adam optimiser of both trainings: learning-rate schedule, replaced parameters, state as named tensors.

A parameter group is a dictionary with ``params`` and ``initial``, the learning rate before the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Groups = list[dict[str, Any]]


@dataclass(frozen=True)
class Schedule:
    """The factor of all learning rates over ``steps`` steps: a linear warm-up times a decay.

    ``warm_up``: in steps; ``decay``: a function of the completed share of the training, in [0, 1).
    """

    steps: int
    warm_up: int
    decay: Callable[[float], float]

    def factor(self, step: int) -> float:
        """The factor at ``step``, in (0, 1]."""
        return min(1.0, (step + 1) / self.warm_up) * self.decay(step / self.steps)

    def apply(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Set the learning rates of ``step``."""
        factor = self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = group["initial"] * factor


def cosine_decay(final: float) -> Callable[[float], float]:
    """Half a cosine wave from 1 to ``final``."""
    return lambda share: final + (1 - final) * 0.5 * (1 + math.cos(math.pi * share))


def exponential_decay(final: float) -> Callable[[float], float]:
    """Exponentially from 1 to ``final``."""
    return lambda share: final**share


def new_adam(groups: Groups) -> torch.optim.Adam:
    """Adam for ``groups``; a :class:`Schedule` sets the learning rates before the first step."""
    return torch.optim.Adam(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)


def renewed_adam(old: torch.optim.Optimizer, groups: Groups) -> torch.optim.Adam:
    """Adam for ``groups``; parameters that ``old`` already optimises keep their state."""
    renewed = new_adam(groups)
    for parameter in _parameters(renewed):
        if parameter in old.state:
            renewed.state[parameter] = old.state[parameter]
    return renewed


def to_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of every parameter, named ``optimizer.<number>.<key>``."""
    return {
        f"optimizer.{i}.{key}": value
        for i, parameter in enumerate(_parameters(optimizer))
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def restore(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take over the state from :func:`to_tensors`, among other tensors; ValueError for another kind of state."""
    for i, parameter in enumerate(_parameters(optimizer)):
        prefix = f"optimizer.{i}."
        values = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if values:
            if {key: value.shape for key, value in values.items()} != {
                "step": torch.Size(),
                "exp_avg": parameter.shape,
                "exp_avg_sq": parameter.shape,
            } or values["step"].dtype != torch.float32:
                raise ValueError(f"{prefix}: not the state of Adam")
            optimizer.state[parameter] = {key: _laid_out_as(parameter, v) for key, v in values.items()}


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """``value`` on the parameter's device; if the shapes agree, also with its strides, which fused Adam requires."""
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    return torch.empty_like(parameter).copy_(value)
