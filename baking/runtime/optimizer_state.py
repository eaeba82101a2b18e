"""The state of an optimiser as named tensors, so that a training that is cut short goes on as if nothing had been."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def to_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of every parameter, named ``optimizer.<number>.<key>``."""
    return {
        f"optimizer.{i}.{key}": value
        for i, parameter in enumerate(_parameters(optimizer))
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def restore(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Take up what :func:`to_tensors` gave, among other tensors, for parameters of the same shapes."""
    for i, parameter in enumerate(_parameters(optimizer)):
        prefix = f"optimizer.{i}."
        values = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        if values:
            optimizer.state[parameter] = {key: _laid_out_as(parameter, v) for key, v in values.items()}


def _parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _laid_out_as(parameter: Tensor, value: Tensor) -> Tensor:
    """``value`` on the parameter's device and, where it has its shape, with its strides, as fused Adam expects."""
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    return torch.empty_like(parameter).copy_(value)
