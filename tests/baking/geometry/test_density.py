"""The density grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from builders import synthetic
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.geometry.density import DensityConfig, sample_density


def test_density_grid_holds_the_scene_and_its_values(grid: DensityGrid) -> None:
    assert (grid.low <= -synthetic.RADIUS).all() and (grid.high >= synthetic.RADIUS).all()
    assert max(grid.sigma.shape) == 80
    import torch

    points = np.stack(np.meshgrid(*grid.axes(), indexing="ij"), -1).reshape(-1, 3)
    exact = synthetic.density(torch.from_numpy(points).float()).numpy()
    assert np.allclose(grid.sigma.reshape(-1), exact, atol=0.01)


def test_empty_space_is_an_explained_error(tmp_path: Path) -> None:
    teacher = load_teacher(synthetic.write_flexible(tmp_path))
    teacher.fine.alpha.bias.data -= 1e4  # type: ignore[union-attr,operator]
    with pytest.raises(DuplexError, match="no surface: its density stays invisible everywhere"):
        sample_density(teacher, None, DensityConfig(grid=32, scan=16))
