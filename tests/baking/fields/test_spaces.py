"""Fields that do not live in the world: normalised device coordinates and contracted space."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from builders.scenes.scenery import NDC
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node
from duplex.baking.fields import spaces
from duplex.baking.fields.spaces import Contracted, Ndc, World


def world_points(n: int = 300) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    points = torch.rand(n, 3, generator=generator, dtype=torch.float64) * 2 - 1
    return points * torch.tensor([3.0, 3.0, 0.0]) - torch.tensor([0, 0, 1.0]) * (
        1 + 40 * torch.rand(n, 1, generator=generator)
    )


def test_ndc_rays_pass_through_the_projections_of_their_points() -> None:
    points = world_points()
    eyes = torch.zeros_like(points) + torch.tensor([0.3, -0.2, 0.1])
    start, step = NDC.rays(eyes, points - eyes)
    x, y, z = points.unbind(-1)
    projected = torch.stack([-NDC.x * x / z, -NDC.y * y / z, 1 + 2 * NDC.near / z], -1)  # NeRF, appendix C, far = inf
    share = ((projected - start) / step)[:, 2:]
    assert torch.allclose(start + share * step, projected, atol=1e-9)
    assert torch.allclose(start[:, 2], torch.full_like(z, -1.0))  # rays begin on the near plane
    assert torch.allclose((start + step)[:, 2], torch.ones_like(z))  # and end at infinity
    assert torch.allclose(NDC.travelled(eyes, points - eyes, share)[:, 0], (points - eyes).norm(dim=-1), rtol=1e-6)
    assert np.allclose(NDC.unwarp(projected.numpy()), points.numpy(), rtol=1e-9)


def test_contraction_is_that_of_the_paper_and_back() -> None:
    points = world_points() * 0.2
    for order, norm in ((2.0, points.norm(dim=-1)), (math.inf, points.abs().amax(-1))):
        space = Contracted(order)
        warped = space.warp(points)
        elsewhere = Contracted(order, center=(5.0, -2.0, 1.0), radius=3.0)
        moved = torch.tensor(elsewhere.center) + 3 * points
        assert torch.allclose(elsewhere.warp(moved), warped)
        assert np.allclose(elsewhere.unwarp(warped.numpy()), moved.numpy())
        assert torch.allclose(elsewhere.stretch(warped), 3 * space.stretch(warped))
        inside = norm <= 1
        assert inside.any() and (~inside).any()
        assert torch.equal(warped[inside], points[inside])
        outside = (2 - 1 / norm)[:, None] * points / norm[:, None]
        assert torch.allclose(warped[~inside], outside[~inside])
        assert np.allclose(space.unwarp(warped.numpy()), points.numpy())
        further = space.warp(points * (1 + 1e-6))
        numeric = (points * 1e-6).norm(dim=-1) / (further - warped).norm(dim=-1)
        assert torch.allclose(space.stretch(warped), numeric, rtol=1e-3)
    steps = Contracted().distances(0.1, 50.0, 64)
    assert steps[0] == pytest.approx(0.1) and steps[-1] == pytest.approx(50, rel=1e-3) and (steps.diff() > 0).all()


@pytest.mark.parametrize(("eye", "radius"), [((0.2, 0.1, 0.3), 1.0), ((1.5, -0.4, 0.2), 1.0), ((9.0, 1.0, 0.0), 6.0)])
def test_edges_along_a_ray_are_about_a_step_of_field_space_apart(eye: tuple[float, ...], radius: float) -> None:
    space = Contracted(radius=radius)
    step = 0.05
    directions = torch.nn.functional.normalize(world_points(), dim=-1).double()
    o = torch.tensor(eye, dtype=torch.float64)
    edges = space.edges(0.1 * radius, 50 * radius, float(o.norm()), step).double()
    points = space.warp(o + edges[:, None, None] * directions)
    crossed = points.diff(dim=0).norm(dim=-1)
    assert (edges.diff() > 0).all() and edges[-1] == pytest.approx(50 * radius)
    assert float(crossed.max()) < 3.1 * step and float(crossed.mean()) < 1.3 * step
    assert len(edges) < 2.2 * (float(o.norm()) / radius + 1) / step
    assert float(points[-1].abs().amax(-1).min()) > 1.95


def test_spaces_survive_the_manifest_and_odd_ones_are_one_sentence() -> None:
    known = (Contracted(), Contracted(2.0, center=(1.0, 2.0, -3.0), radius=0.5))
    for space in (World(), NDC, Ndc(1.0, 2.0, field_views=True), *known):
        assert spaces.from_json(Node(space.to_json(), "space")) == space
    flat = {"name": "contracted", "order": 2, "center": [0, 0, 0], "radius": 0}
    strange = ({"name": "ndc"}, {"name": "klein"}, {"name": "contracted", "order": 3}, flat, 7)
    for odd in (*strange, {"name": "ndc", "x": "?"}):
        with pytest.raises(DuplexError, match=r"^space: "):
            spaces.from_json(Node(odd, "space"))
