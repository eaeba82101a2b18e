"""Training on photos with surroundings, in a contracted space."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from builders.datasets import folders
from builders.scenes.scenery import traced
from builders.training import constant_psnr, job_of, trainer_of
from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields.factors import FieldUnits
from duplex.baking.fields.fast_rendering import FastRenderer
from duplex.baking.fields.spaces import Contracted
from duplex.baking.geometry.density import DensityConfig, sample_density
from duplex.baking.training.config import train_config
from duplex.baking.training.photos import PhotoSet
from duplex.baking.training.scene import Given, space_for, split

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
    fast.bound.fill_(-1)
    assert not fast.render_rays(o, d).any(), "nothing on the way of any ray"


def test_a_scene_with_surroundings_is_recognised(around_a_ball: Path, photos_folder: Path) -> None:
    for folder, given, expected in (
        (around_a_ball, Given(), "contracted"),
        (around_a_ball, Given(near=1.0, far=9.0), "contracted"),
        (around_a_ball, Given(bounds=np.array([[-1.0] * 3, [1.0] * 3])), "world"),
        (around_a_ball, Given(space="world"), "world"),
        (photos_folder, Given(), "world"),
    ):
        dataset = read_dataset(folder)
        photos, _ = split(dataset)
        few = PhotoSet.read(photos[:3], 32)
        assert space_for(dataset, photos, few, given) == expected
        space = space_for(dataset, photos, replace(few, rgba=few.rgba * 0 + 255), given)
        assert space == given.space or space == "world", "on white"


def test_a_height_of_photos_is_that_of_the_scene_or_at_least_8() -> None:
    assert train_config("draft", {}).training.size == 0 and train_config("draft", {"size": 8}).training.size == 8
    with pytest.raises(DuplexError, match="--size 7: expected 0, or 8 to 4096"):
        train_config("draft", {"size": 7})
