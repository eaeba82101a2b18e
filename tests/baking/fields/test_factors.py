"""Look-ups in factored grids."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from builders.grid.tensorf import MATRIX_AXES, VECTOR_AXES, checkpoint
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.fields.factors import Mask


def test_a_mask_fades_within_a_cell_outside_of_its_box() -> None:
    mask = Mask(torch.ones(3, 3, 3), torch.tensor([[-1.0, -1, -1], [1, 1, 1]]))
    x = torch.tensor([-2.1, -1.9, 0.0, 1.9, 2.1, 50.0])
    assert mask(torch.stack([x, 0 * x, 0 * x], -1)).tolist() == [False, True, True, True, False, False]


def test_the_look_up_has_the_gradient_of_grid_sample(tmp_path: Path) -> None:
    torch.save(checkpoint("split"), tmp_path / "1.th")
    field = load_teacher(tmp_path / "1.th").fine.requires_grad_(True)
    unit = torch.rand(500, 3)
    field.sigma(unit).sum().backward()
    place = unit * 2 - 1
    total = torch.zeros(500)
    copies = {n: p.detach().clone().requires_grad_(True) for n, p in field.named_parameters() if "density" in n}
    for i, (a, b) in enumerate(MATRIX_AXES):
        plane = F.grid_sample(copies[f"density_plane.{i}"], place[:, [a, b]].view(1, 1, 500, 2), align_corners=True)
        along = place[:, VECTOR_AXES[i]]
        at = torch.stack([0 * along, along], -1).view(1, 1, 500, 2)
        line = F.grid_sample(copies[f"density_line.{i}"], at, align_corners=True)
        total = total + (plane * line)[0, :, 0].sum(0)
    (25 * F.softplus(total - 0.3)).sum().backward()
    for name, copy in copies.items():
        assert torch.allclose(field.get_parameter(name).grad, copy.grad, rtol=1e-3, atol=1e-3), name
