"""The visual hull."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from builders import synthetic
from builders.training import SIZE
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.training.hull import seen_vertices
from duplex.baking.training.photos import PhotoSet

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_hull_holds_the_solid_and_little_else(photos_folder: Path) -> None:
    photos = PhotoSet.read(read_dataset(photos_folder).photos["train"], SIZE)
    box = torch.tensor([[-1.5] * 3, [1.5] * 3])
    vertices = seen_vertices(photos, box, (40, 44, 48))
    axes = [torch.linspace(-1.5, 1.5, n) for n in (40, 44, 48)]
    z, y, x = torch.meshgrid(axes[2], axes[1], axes[0], indexing="ij")
    solid = x.abs() + y.abs() + z.abs() < synthetic.RADIUS
    assert bool(vertices[solid].all())
    far = x.abs() + y.abs() + z.abs() > 2 * synthetic.RADIUS
    assert float(vertices[far].float().mean()) < 0.05
