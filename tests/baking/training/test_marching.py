"""Weights along rays, and their gradients."""

from __future__ import annotations

import pytest
import torch

from duplex.baking.training.marching import gathered, weights_of
from duplex.baking.training.occupancy import before

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
    assert index.tolist() == [2, 3, 5] and share.tolist() == pytest.approx([1.2, 2.5, 1.4])
    (gradient,) = torch.autograd.grad((share * torch.tensor([1.0, 2.0, 3.0])).sum(), weight)
    assert gradient.tolist() == [1, 1, 1, 2, 3, 3, 0]
