"""Weights along rays, and their gradients."""

from __future__ import annotations

import pytest
import torch

from duplex.baking.fields.rendering import before
from duplex.baking.training.marching import distortion, gathered, weights_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_weights_have_the_values_and_gradients_of_the_formula() -> None:
    ray = torch.tensor([0, 0, 0, 2, 2, 3])
    depth = torch.tensor([0.3, 1.0, 0.2, 2.0, 0.1, 0.5], requires_grad=True)
    factor = torch.tensor([1.0, -2.0, 3.0, 0.5, 4.0, 1.5])
    (weights_of(depth, ray, 5) * factor).sum().backward()
    found, naive = depth.grad.clone(), depth.detach().clone().requires_grad_(True)
    total = torch.zeros(())
    for i in range(6):
        through = sum((naive[j] for j in range(i) if ray[j] == ray[i]), torch.zeros(()))
        total = total + factor[i] * torch.exp(-through) * (1 - torch.exp(-naive[i]))
    total.backward()
    assert torch.allclose(found, naive.grad, atol=1e-6)
    assert before(torch.ones(6), ray, 5).tolist() == [0, 1, 2, 0, 1, 0]


def test_a_colour_stands_for_the_weight_gathered_since_the_one_before() -> None:
    ray = torch.tensor([0, 0, 0, 0, 2, 2, 3])
    weight = torch.tensor([0.4, 0.4, 0.4, 2.5, 0.7, 0.7, 0.2], requires_grad=True)
    index, share = gathered(weight, ray, 4, 1.0)
    assert index.tolist() == [2, 3, 5] and share.tolist() == pytest.approx([1.2, 2.5, 1.4]), "a dim ray has none"
    (gradient,) = torch.autograd.grad((share * torch.tensor([1.0, 2.0, 3.0])).sum(), weight)
    assert gradient.tolist() == [1, 1, 1, 2, 3, 3, 0]


def test_with_a_random_phase_colours_count_as_often_as_their_weights_say() -> None:
    generator = torch.Generator().manual_seed(3)
    rays, weights = 20000, torch.tensor([0.1, 0.5, 0.05, 0.25])
    ray, weight = torch.arange(rays).repeat_interleave(4), weights.repeat(rays)
    index, share = gathered(weight, ray, rays, 0.4, 0.4 * torch.rand(rays, generator=generator)[ray])
    asked = torch.bincount(index % 4, minlength=4) / rays
    assert torch.allclose(asked, (weights / 0.4).clamp(max=1), atol=0.02)
    total = torch.zeros(rays).index_add_(0, ray[index], share)
    assert torch.allclose(total[total > 0], torch.tensor(0.9)), "what is behind the last colour counts too"
    assert float((total > 0).float().mean()) > 0.99


def test_distortion_is_the_papers_double_sum_and_has_its_gradient() -> None:
    generator = torch.Generator().manual_seed(1)
    ray = torch.tensor([0, 0, 0, 0, 2, 2, 3])
    place = torch.tensor([0.1, 0.2, 0.6, 0.9, 0.3, 0.5, 0.4])
    length = 0.1 * torch.rand(7, generator=generator)
    weight = torch.rand(7, generator=generator, requires_grad=True)
    found = distortion(weight, place, length, ray, 4)
    (gradient,) = torch.autograd.grad(found, weight)
    same = (ray[:, None] == ray).float()
    expected = (same * torch.outer(weight, weight) * (place[:, None] - place).abs()).sum() + (
        weight**2 * length / 3
    ).sum()
    (naive,) = torch.autograd.grad(expected / 4, weight)
    assert found.item() == pytest.approx(expected.item() / 4, rel=1e-5) and torch.allclose(gradient, naive, atol=1e-6)
