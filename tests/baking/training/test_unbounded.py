"""Training on photos with surroundings, in a contracted space."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from builders.datasets import folders
from builders.scenery import traced
from builders.training import constant_psnr, job_of, trainer_of
from duplex.app.scene.camera import Camera
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields.factors import FieldUnits
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.spaces import Contracted
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.training.occupancy import Occupancy
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.scene import Given, scene_of, split

pytestmark = pytest.mark.usefixtures("one_thread")
BALL, FOCAL, SIZE = np.array([0.0, 0.0, 0.0]), 30.0, (32, 32)


GIVEN = Given(space="contracted", near=1.0)


@pytest.fixture(scope="module")
def around_a_ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of a ball in a round room from a ring around it: a nerfstudio dataset."""
    folder = tmp_path_factory.mktemp("ball")
    (folder / "images").mkdir()
    frames = []
    for i, pose in enumerate(folders.ring(40, 20)):
        picture = traced(Camera(pose, *SIZE, FOCAL, FOCAL, 16, 16), BALL)
        Image.fromarray(np.rint(255 * picture).astype(np.uint8)).save(folder / "images" / f"{i:02d}.png")
        frames.append({"file_path": f"images/{i:02d}.png", "transform_matrix": pose.tolist()})
    lens = {"fl_x": FOCAL, "w": SIZE[0], "h": SIZE[1]}
    (folder / "transforms.json").write_text(json.dumps(lens | {"frames": frames}))
    return folder


def test_a_room_is_learned_and_the_checkpoint_is_the_field(around_a_ball: Path, tmp_path: Path) -> None:
    trainer = trainer_of(job_of(around_a_ball, 600, given=GIVEN))
    trainer.train(tmp_path / "state")
    assert trainer.held_out is not None
    found = float(np.mean(trainer.judge(4)))
    assert found > constant_psnr(trainer.held_out) + 4

    (tmp_path / "room.th").write_bytes(trainer.model.checkpoint())
    teacher = load_teacher(tmp_path / "room.th")
    space = teacher.scene.space
    assert isinstance(space, Contracted) and isinstance(teacher.fine, FieldUnits)
    assert np.allclose(space.center, 0, atol=0.3) and 2.5 < space.radius < 3
    o, d = trainer.held_out.rays(trainer.held_out.usable)
    drawn = trainer.model.render_rays(o, d)
    fast = FastRenderer(teacher, sample_density(teacher, None, DensityConfig(grid=96, scan=32)))
    assert -10 * float(torch.log10(((fast.render_rays(o, d) - drawn) ** 2).mean())) > 24


def test_other_spaces_are_the_users_choice(around_a_ball: Path) -> None:
    dataset = read_dataset(around_a_ball)
    photos, _ = split(dataset)
    pixels = PhotoSet.read(photos, 32)
    for given in (Given(), Given(space="world"), Given(near=1.0, far=9.0)):
        assert scene_of(dataset, photos, pixels, given).space.name == "world"


def test_samples_of_curved_rays_are_those_in_occupied_cells() -> None:
    generator = torch.Generator().manual_seed(7)
    box = torch.tensor([[-2.0] * 3, [2.0] * 3])
    vertices = torch.rand(9, 11, 13, generator=generator) < 0.02
    occupancy, space = Occupancy(box, vertices), Contracted()
    o = torch.rand(60, 3, generator=generator) - 0.5
    d = torch.nn.functional.normalize(torch.randn(60, 3, generator=generator), dim=-1)
    edges = space.edges(0.05, 50.0, 1.0, 0.05)
    offset = torch.rand(60, generator=generator)
    ray, points, length = occupancy.curved_samples(o, d, space, edges, offset)
    every = edges[:-1] + offset[:, None] * edges.diff()
    places = space.warp(o[:, None] + every[..., None] * d[:, None])
    place = (places - box[0]) / occupancy.cell
    x, y, z = (place[..., i].int().clamp(0, n - 2) for i, n in enumerate((13, 11, 9)))
    corners = [vertices[z + c, y + b, x + a] for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    expected = torch.stack(corners).any(0)
    found = torch.zeros_like(expected)
    away = (places[ray] - points[:, None]).norm(dim=-1)
    assert float(away.amin(1).max()) < 1e-5
    found[ray, away.argmin(1)] = True
    assert int(expected.sum()) > 300 and int((found != expected).sum()) <= 3
    assert float(length.mean()) == pytest.approx(0.05, rel=0.5) and float(length.max()) < 0.16
