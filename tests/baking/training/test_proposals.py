"""Samples of curved rays: where the densities of a coarse grid expect surfaces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from duplex.baking.fields.factors import Mask
from duplex.baking.fields.spaces import Contracted
from duplex.baking.training.proposals import CLOSED_AFTER, SAMPLES, Proposals

pytestmark = pytest.mark.usefixtures("one_thread")
BOX, SPACE = torch.tensor([[-2.0] * 3, [2.0] * 3]), Contracted()
EDGES = SPACE.edges(0.05, 50.0, 1.0, 0.02)
RAYS = 60


@pytest.fixture
def rays() -> tuple[Tensor, Tensor, Tensor]:
    """Origins and directions, and offsets of the samples."""
    generator = torch.Generator().manual_seed(7)
    o = torch.rand(RAYS, 3, generator=generator) - 0.5
    d = torch.nn.functional.normalize(torch.randn(RAYS, 3, generator=generator), dim=-1)
    return o, d, torch.rand(RAYS, generator=generator)


def wall(points: Tensor) -> Tensor:
    """A dense slab at x from 1.2 to 1.5 of field space, in empty space."""
    return torch.where((points[:, 0] - 1.35).abs() < 0.15, 200.0, 0.0)


def cells_of(points: Tensor, side: int) -> Tensor:
    x, y, z = ((points + 2) * (side / 4)).int().clamp(0, side - 1).unbind(-1)
    return (z * side + y) * side + x


def test_samples_stand_for_the_whole_way_through_open_cells(rays: tuple[Tensor, Tensor, Tensor]) -> None:
    possible = torch.rand(16, 16, 16, generator=torch.Generator().manual_seed(1)) < 0.4
    proposals = Proposals(BOX, possible)
    proposals.refresh(wall, closing=False)
    o, d, offset = rays
    ray, points, length, t = proposals.samples(o, d, SPACE, EDGES, offset)
    middles = 0.5 * (EDGES[1:] + EDGES[:-1])
    every = SPACE.warp(o[:, None] + middles[:, None] * d[:, None])
    is_open = possible.reshape(-1)[cells_of(every.view(-1, 3), 16).long()].view(every.shape[:2])
    way = torch.where(is_open, EDGES.diff() / SPACE.stretch(every), 0.0).sum(1)
    assert torch.allclose(torch.zeros(RAYS).index_add_(0, ray, length), way, rtol=1e-3, atol=1e-4)
    assert int(is_open.any(1).sum()) * SAMPLES == len(ray) and bool((length >= 0).all())
    assert bool((t.view(-1, SAMPLES).diff() >= 0).all()), "in order"
    assert torch.allclose(points, SPACE.warp(o[ray] + t[:, None] * d[ray]))
    step = torch.searchsorted(EDGES, t).clamp(1, len(EDGES) - 1) - 1
    assert float(is_open[ray, step].float().mean()) > 0.99


def test_most_samples_lie_on_what_is_seen_first(rays: tuple[Tensor, Tensor, Tensor]) -> None:
    proposals = Proposals(BOX, torch.ones(64, 64, 64, dtype=torch.bool))
    proposals.refresh(wall, closing=False)
    o, d, offset = rays
    ray, points, _, _ = proposals.samples(o, d, SPACE, EDGES, offset)
    toward = d[:, 0] > 0.7
    before = points[:, 0] - 1.2
    at_front = torch.zeros(RAYS).index_add_(0, ray, (before.abs() < 1.5 * proposals.cell).float()) / SAMPLES
    assert int(toward.sum()) > 5 and 0.4 < float(at_front[toward].min()) < 0.8, "and some are spread evenly"
    nearest = torch.full((RAYS,), 9.0).scatter_reduce_(0, ray, before.abs(), "amin")
    assert float(nearest[toward].max()) < 0.1 * proposals.cell


def test_cells_that_become_empty_are_closed_and_come_back_with_the_state() -> None:
    possible = torch.ones(16, 16, 16, dtype=torch.bool)
    possible[:8] = False
    proposals = Proposals(BOX, possible)
    assert proposals.share == 0.5
    for _ in range(CLOSED_AFTER):
        proposals.refresh(wall, closing=True)
    x = (torch.arange(16) + 0.5) / 4 - 2
    left = proposals.open.view(16, 16, 16)
    assert not left[:8].any() and (left[8:].all(0).all(0) == ((x > 0.9) & (x < 1.8))).all()
    low, high = proposals.tight()
    assert low.tolist() == [0.5, -2, -0.25] and high.tolist() == [2, 2, 2]
    mask = Mask(proposals.vertices, BOX)
    places = torch.rand(5000, 3, generator=torch.Generator().manual_seed(2)) * 4 - 2
    assert torch.equal(mask(places), left.reshape(-1)[cells_of(places, 16).long()])
    again = Proposals(BOX, possible)
    again.restore(proposals.tensors())
    for each in (proposals, again):
        each.refresh(wall, closing=True)
    assert torch.equal(again.sigma, proposals.sigma) and torch.equal(again.open, proposals.open)
    with pytest.raises(ValueError, match="cells"):
        again.restore(proposals.tensors() | {"open": torch.ones(3, dtype=torch.bool)})


def test_a_field_that_is_fog_everywhere_stays_open() -> None:
    proposals = Proposals(BOX, torch.ones(8, 8, 8, dtype=torch.bool))
    for _ in range(2 * CLOSED_AFTER):
        proposals.refresh(lambda points: torch.full_like(points[:, 0], 1e-3), closing=True)
    assert proposals.share == 1
