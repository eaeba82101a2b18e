"""Fixtures of the viewer's tests: a camera path, a bundle with reference pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import moderngl
import pytest

from duplex.app.core.images import unpremultiplied
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.camera_path import CameraPath, Keyframe
from duplex.app.scene.path_files import write_path
from duplex.app.scene.reference import PHOTO, TEACHER, Reference


@pytest.fixture
def path(demo: Bundle) -> CameraPath:
    """Half a second between two of the demo's cameras."""
    keys = tuple(Keyframe(camera.camera_to_world, camera.fov_y) for camera in demo.cameras[:2])
    return CameraPath(keys, transition=0.5, fps=24, width=96, height=64)


@pytest.fixture
def file(path: CameraPath, demo: Bundle, tmp_path: Path) -> Path:
    write_path(path, tmp_path / "path.json", demo.to_checkpoint, demo.to_dataset)
    return tmp_path / "path.json"


def own_picture(renderer: Renderer, camera: Camera, kind: str = TEACHER) -> Reference:
    """What the bundle itself draws, as a reference."""
    return Reference(kind, camera, unpremultiplied(renderer.image(camera, FrameOptions(background=TRANSPARENT))))


@pytest.fixture(scope="module")
def referenced(ctx: moderngl.Context, demo: Bundle) -> Bundle:
    renderer, first = Renderer(ctx, demo), demo.cameras[0].resized(120, 90)
    shifted = replace(demo.cameras[3].resized(80, 100), cx=31.0, cy=55.0)
    return replace(demo, references=(own_picture(renderer, first), own_picture(renderer, shifted, PHOTO)))
