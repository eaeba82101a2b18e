"""Carving away what no camera sees in front."""

from __future__ import annotations

import numpy as np
import pytest

from duplex.baking.fields.field import Teacher
from duplex.baking.geometry.carving import carve
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.geometry.probes import probes_of
from duplex.baking.rig import Rig

pytestmark = pytest.mark.system


@pytest.mark.parametrize(("floor", "top", "radius", "share"), [(-1.2, -1.2, 0.0, 0.02), (-1.15, -1.2, 1.2, 0.06)])
def test_a_backdrop_is_carved_away_and_an_empty_scene_is_not(
    floor: float, top: float, radius: float, share: float, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    field, skin = teacher.fine, 0.1
    density, color = field.density, field.color

    def with_floor(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sigma, latent = density(points)
        below = points[:, 2] < floor
        plate = ((points[:, 2] + 0.95).abs() < 0.06) & (points[:, :2].norm(dim=-1) < radius)  # hides much of the floor
        sigma = torch.where(plate, 500.0, sigma)
        depth = ((floor - points[:, 2:]) / skin).clamp(min=0)
        return torch.where(below, 500.0, sigma), torch.cat([latent, depth], -1)

    def white_floor(latent: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        depth = latent[:, 8:]  # white on top, and dark underneath, which nobody has ever seen
        return torch.where(depth > 0, (depth < 1).float(), color(latent[:, :8], directions))

    monkeypatch.setattr(field, "density", with_floor)
    monkeypatch.setattr(field, "color", white_floor)
    cameras = Rig.from_scene(teacher.scene).evenly(48, 72)
    kept = sample_density(
        teacher, None, DensityConfig(grid=64, scan=48), lambda s, solid: carve(s, solid, probes_of(teacher, s, cameras))
    )
    left = kept.opacity() > 0.5
    heights = kept.low[2] + kept.step * np.arange(left.shape[2])
    under = left[:, :, heights < top].sum()
    assert left[:, :, heights > -0.9].sum() > 1000  # the octahedron is whole ...
    assert under < share * left.sum()  # ... and the floor is gone, with what hides under it beneath the plate
    monkeypatch.undo()
    plain = sample_density(
        teacher, None, DensityConfig(grid=64, scan=48), lambda s, solid: carve(s, solid, probes_of(teacher, s, cameras))
    )
    assert np.abs(plain.high).max() > 0.85
