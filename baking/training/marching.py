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

from duplex.baking.training.occupancy import before


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
        each = gradient * weight
        total = torch.zeros(ctx.rays, device=ray.device).index_add_(0, ray, each)
        behind = total[ray] - before(each, ray, ctx.rays) - each
        return gradient * transmitted * torch.exp(-depth) - behind, None, None


weights_of: Callable[[Tensor, Tensor, int], Tensor] = SampleWeights.apply


def gathered(weight: Tensor, ray: Tensor, rays: int, least: float) -> tuple[Tensor, Tensor]:
    """The samples (k,) whose colours are evaluated, and the weight that each represents (k,).

    They are those at which the sum of ``weight`` (s,) along a ray passes a multiple of ``least``; each represents all
    of the weight since the previous one, so that faint matter keeps its brightness.
    """
    low = before(weight.detach(), ray, rays)
    asked = ((low + weight.detach()) / least).floor() > (low / least).floor()
    index = torch.nonzero(asked)[:, 0]
    turn = torch.cumsum(asked, 0) - asked.long()  # the next evaluated sample, for each sample
    held = torch.nonzero(F.pad(ray[index], (0, 1), value=-1)[turn] == ray)[:, 0]
    return index, weight.new_zeros(len(index)).index_add(0, turn[held], weight[held])


def accumulate(values: Tensor, ray: Tensor, rays: int) -> Tensor:
    """Sums of ``values`` (s, c) over each of ``rays`` rays: (rays, c)."""
    return values.new_zeros(rays, values.shape[1]).index_add(0, ray, values)
