"""Which steps of a ray are sampled."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from duplex.baking.training.occupancy import Occupancy

pytestmark = pytest.mark.usefixtures("one_thread")


def test_samples_are_those_steps_that_lie_in_occupied_cells() -> None:
    generator = torch.Generator().manual_seed(7)
    box = torch.tensor([[-1.0, -0.5, 0.0], [1.0, 1.0, 1.5]])
    vertices = torch.rand(7, 9, 11, generator=generator) < 0.03
    occupancy, step = Occupancy(box, vertices), 0.04
    target = box[0] + (box[1] - box[0]) * torch.rand(40, 3, generator=generator)
    o = F.normalize(torch.randn(40, 3, generator=generator), dim=-1) * 4
    d = F.normalize(target - o, dim=-1)
    limits = occupancy.interval(o, d)
    offset = torch.rand(40, generator=generator)
    ray, t = occupancy.samples(o, d, limits, step, offset)
    expected = []
    for i in range(40):
        for k in range(200):
            at = float(limits[0][i]) + step * (k + float(offset[i]))
            if at >= float(limits[1][i]):
                break
            place = (o[i] + at * d[i] - box[0]) / (box[1] - box[0]) * torch.tensor([10, 8, 6])
            x, y, z = (min(max(int(v), 0), s) for v, s in zip(place, (9, 7, 5), strict=True))
            if bool(vertices[z : z + 2, y : y + 2, x : x + 2].any()):
                expected.append((i, at))
    found = list(zip(ray.tolist(), t.tolist(), strict=True))
    differing = {(i, round(a, 3)) for i, a in found} ^ {(i, round(a, 3)) for i, a in expected}
    assert len(expected) > 100 and len(differing) <= 2 + len(expected) // 100  # rounding at the cells' faces
    hit = occupancy.touched(o, d, limits, step)
    assert all(bool(hit[i]) for i, _ in expected)


def test_looking_a_mask_up_at_its_own_vertices_gives_it_back() -> None:
    box = torch.tensor([[-0.7913, -0.7677, -1.0748], [0.7441, 0.8150, 1.1220]])
    vertices = torch.rand(60, 41, 53, generator=torch.Generator().manual_seed(0)) < 0.1
    axes = [torch.linspace(0, 1, side) for side in vertices.shape]
    unit = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1).view(-1, 3)
    found = Occupancy(box, vertices).touches(box[0] + unit * (box[1] - box[0]))
    assert torch.equal(found.view(vertices.shape), vertices)  # else it grows with every update


def test_what_is_opaque_hides_what_lies_behind() -> None:
    box = torch.tensor([[-1.0, -1, -1], [1, 1, 1]])
    vertices, sigma = torch.ones(11, 11, 11, dtype=torch.bool), torch.full((11, 11, 11), 100.0)
    o, d = torch.tensor([[0.0, 0.0, -3.0]]), torch.tensor([[0.0, 0.0, 1.0]])
    limits = (torch.tensor([2.0]), torch.tensor([4.0]))
    _, whole = Occupancy(box, vertices).samples(o, d, limits, 0.05, torch.tensor([0.5]))
    _, seen = Occupancy(box, vertices, sigma).samples(o, d, limits, 0.05, torch.tensor([0.5]))
    assert len(whole) == 40 and 2 <= len(seen) <= 4 and torch.equal(seen, whole[: len(seen)])
