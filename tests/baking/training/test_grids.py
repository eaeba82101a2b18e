"""Factored grids that grow and are penalised."""

from __future__ import annotations

import pytest
import torch

from builders.training import SMALL
from duplex.baking.training import grids

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_field_in_a_smaller_box_stays_the_same_there() -> None:
    torch.manual_seed(0)
    box = torch.tensor([[-1.0, -2.0, -1.0], [1.0, 2.0, 3.0]])
    field = grids.new_field(box, (5, 9, 9), SMALL, 0.15)
    smaller = torch.tensor([[-0.5, -1.0, 0.0], [1.0, 1.5, 2.5]])
    points = smaller[0] + (smaller[1] - smaller[0]) * torch.rand(300, 3)
    before_it, _ = field.density(points)
    grids.resample(field, (4, 6, 6), smaller)  # the same cells
    assert torch.allclose(field.box, smaller)
    assert torch.allclose(field.density(points)[0], before_it, rtol=1e-3)
    grids.resample(field, (7, 11, 11), smaller)  # each of them halved
    assert torch.allclose(field.density(points)[0], before_it, rtol=1e-3)


def test_added_gradients_are_those_of_the_penalties() -> None:
    torch.manual_seed(0)
    field = grids.new_field(torch.tensor([[-1.0] * 3, [1.0] * 3]), (5, 6, 7), SMALL, 0.15)
    for parameter in field.parameters():
        parameter.grad = torch.zeros_like(parameter)
    grids.add_sparsity(field, 0.7)
    grids.add_variation(field, 0.3)
    found = {name: p.grad.clone() for name, p in field.named_parameters()}
    field.zero_grad()
    total = torch.zeros(())
    for name in ("density_plane", "density_line"):
        total = total + sum(0.7 * p.abs().mean() for p in getattr(field, name))
    for name in ("density_plane", "app_plane"):
        for p in getattr(field, name):
            total = total + 0.3 * 1e-2 * 2 * ((p[:, :, 1:] - p[:, :, :-1]) ** 2).mean()
            total = total + 0.3 * 1e-2 * 2 * ((p[..., 1:] - p[..., :-1]) ** 2).mean()
    total.backward()
    for name in ("density_plane.0", "density_line.1", "app_plane.2"):
        assert torch.allclose(found[name], field.get_parameter(name).grad, atol=1e-6), name
