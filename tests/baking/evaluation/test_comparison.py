"""Bundles against their teachers and photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import Camera, look_at
from duplex.baking.checkpoints.loading import load_teacher
from duplex.baking.evaluation.comparison import Compared, Judge
from duplex.baking.evaluation.teacher_renderer import TeacherRenderer, as_baked
from duplex.baking.provenance import config_of, overrides_of


def test_a_teacher_is_judged_as_it_was_baked(baked: Path, octahedron: Path) -> None:
    bundle = read_bundle(baked)
    assert config_of(bundle).density.grid == 64 and config_of(bundle).density.scan == 32
    told = {**bundle.teacher, "near": 1.0, "far": 7.0, "bounds": [[-1, -1, 0], [1, 1, 1]], "activation": "softplus"}
    cropped = replace(bundle, teacher=told)
    overrides = overrides_of(cropped)
    assert overrides.depths == (1.0, 7.0) and overrides.activation == "softplus"
    teacher = as_baked(load_teacher(octahedron), cropped)
    assert teacher.scene.bounds == ((-1, -1, 0), (1, 1, 1)) and (teacher.scene.near, teacher.scene.far) == (1, 7)
    eye, target = np.array([4, 0, -0.4]), np.array([0, 0, -0.4])
    camera = Camera.from_fov(look_at(eye, target, np.array([0, 0, 1.0])), 16, 16, 0.1)
    assert TeacherRenderer(teacher, cropped, fast=True).drawn(camera).min() == 1, "what was cropped is drawn"
    assert TeacherRenderer(load_teacher(octahedron), bundle, fast=True).drawn(camera).max() < 0.99
    assert as_baked(load_teacher(octahedron), bundle).scene.bounds is None
    for wrong in ([[1, 2], [3]], "everywhere", [[0, 0, 0], [1, 1, "x"]]):
        with pytest.raises(DuplexError, match="6 finite numbers"):
            as_baked(load_teacher(octahedron), replace(bundle, teacher={**told, "bounds": wrong}))


def test_a_comparison_is_that_of_the_drawn_picture(judge: Judge, compared: list[Compared]) -> None:
    drawn = judge.renderer.image(judge.bundle.cameras[2].resized(48, 48))[..., :3] / 255
    assert abs(compared[2].quality.psnr + 10 * np.log10(np.mean((drawn - 0.5) ** 2))) < 1e-4
    assert compared[2].drawn is not None and np.abs(compared[2].drawn - drawn).max() < 1e-6


def test_a_picture_of_which_nothing_is_known_is_left_out(judge: Judge) -> None:
    camera = judge.bundle.cameras[0].resized(32, 32)
    known, unknown = judge.drawn(camera), np.full((32, 32, 3), np.nan, np.float32)
    found = judge.compare([(camera, lambda: known), (camera, lambda: unknown)], "test")
    assert len(found) == 1 and found[0].quality.psnr > 60
    with pytest.raises(DuplexError, match="no pixel of 1 pictures is known"):
        judge.compare([(camera, lambda: unknown)], "test")
