"""Volume rendering of packed samples, sorted by ray.

Alphabet (Mildenhall et al., ECCV 2020, equation 3): optical depth of a sample ``tau = sigma delta``; transmittance
``T_i = exp(-sum_{j<i} tau_j)``; weight ``w_i = T_i (1 - exp(-tau_i))``; colour of a ray ``sum w_i c_i``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.baking.fields.rendering import before


class SampleWeights(torch.autograd.Function):
    """Weights (s,) of samples with optical ``depth`` (s,) on rays ``ray`` (s,), sorted, of ``rays`` in all."""

    @staticmethod
    def forward(ctx: Any, depth: Tensor, ray: Tensor, rays: int) -> Tensor:  # noqa: D102
        transmitted = torch.exp(-before(depth, ray, rays))
        weight = transmitted * -torch.expm1(-depth)
        ctx.save_for_backward(depth, ray, transmitted, weight)
        ctx.rays = rays
        return weight

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:  # noqa: D102
        (gradient,) = gradients
        (depth, ray, transmitted, weight) = ctx.saved_tensors
        behind = _after(gradient * weight, ray, ctx.rays)
        return gradient * transmitted * torch.exp(-depth) - behind, None, None


def _after(values: Tensor, ray: Tensor, rays: int) -> Tensor:
    """The sum of ``values`` (s,) over the later samples of the same ray, (s,)."""
    total = torch.zeros(rays, device=ray.device).index_add_(0, ray, values)
    return total[ray] - before(values, ray, rays) - values


class _Weighed(torch.autograd.Function):
    """See :func:`weighed`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        (weight,) = ctx.saved_tensors
        return gradient * weight, None


def weighed(values: Tensor, weight: Tensor) -> Tensor:
    """The same ``values`` with ``weight`` times their gradient.

    Samples near a camera lie closer together than others and get more gradient, so that matter gathers there. Weights
    of the squared distance undo that: Philip and Deschaintre, "Floaters No More", EGSR 2023, section 4.
    """
    return _Weighed.apply(values, weight)  # type: ignore[no-any-return, no-untyped-call]


weights_of: Callable[[Tensor, Tensor, int], Tensor] = SampleWeights.apply


def gathered(
    weight: Tensor, ray: Tensor, rays: int, least: float, phase: Tensor | float = 0.0
) -> tuple[Tensor, Tensor]:
    """The samples (k,) whose colours are evaluated, and the weight that each represents (k,).

    They are those at which the sum of ``weight`` (s,) along a ray passes a multiple of ``least``, or such a multiple
    less ``phase`` (s,), in [0, ``least``); each represents all of the weight since the previous one, so that faint
    matter keeps its brightness, and the last one what comes behind it too.
    """
    low = before(weight.detach(), ray, rays) + phase
    asked = ((low + weight.detach()) / least).floor() > (low / least).floor()
    index = torch.nonzero(asked)[:, 0]
    if not len(index):
        return index, weight.new_zeros(0)
    turn = torch.cumsum(asked, 0) - asked.long()  # the next evaluated sample, for each sample
    of = ray[index]
    ahead = F.pad(of, (0, 1), value=-1)[turn] == ray
    taken = torch.where(ahead, turn, (turn - 1).clamp(min=0))
    held = torch.nonzero(of[taken] == ray)[:, 0]
    return index, weight.new_zeros(len(index)).index_add(0, taken[held], weight[held])


def distortion(weight: Tensor, place: Tensor, length: Tensor, ray: Tensor, rays: int) -> Tensor:
    """How far apart along their rays weights (s,) lie, the mean over ``rays``: mip-NeRF 360, equation 15.

    ``place``: (s,), of samples along a ray, 0 to 1; ``length``: (s,), that each stands for, in the same unit.
    """
    nearer, nearer_place = _before(weight, ray, rays), _before(weight * place, ray, rays)
    pairs = weight * (place * nearer - nearer_place)
    return (2 * pairs + weight**2 * length / 3).sum() / rays


class _Before(torch.autograd.Function):
    """:func:`before`, which is linear, with its derivative."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, ray: Tensor, rays: int) -> Tensor:
        ctx.save_for_backward(ray)
        ctx.rays = rays
        return before(values, ray, rays)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = gradients
        (ray,) = ctx.saved_tensors
        return _after(gradient, ray, ctx.rays), None, None


_before: Callable[[Tensor, Tensor, int], Tensor] = _Before.apply


def accumulate(values: Tensor, ray: Tensor, rays: int) -> Tensor:
    """Sums of ``values`` (s, c) over each of ``rays`` rays: (rays, c)."""
    return values.new_zeros(rays, values.shape[1]).index_add(0, ray, values)
