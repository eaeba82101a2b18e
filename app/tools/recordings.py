"""Animations without a window: turntables and camera paths, as videos or as PNG files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.files import reserve_folder
from duplex.app.core.images import to_png
from duplex.app.render.backends.names import AUTO
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import create_headless_context
from duplex.app.render.movies.recording import Recording, check_destination
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.orbits import scene_orbit
from duplex.app.scene.path_files import read_path

SHEET_COLUMNS = 6
SHEET_IMAGES = 60
SHEET_SIDE = 240  # longer side of an image on the contact sheet, pixels

Progress = Callable[[int, int], None]  # finished frames, all frames


@dataclass(frozen=True)
class Animation:
    """The cameras of an animation, ``count`` of them; ``fps``: frames per second."""

    cameras: Iterable[Camera]
    count: int
    fps: float


def turntable(bundle: Bundle, frames: int, fps: float, size: tuple[int, int]) -> Animation:
    """A full circle around the scene of ``bundle``; ``size``: width and height of a frame in pixels."""
    return Animation(scene_orbit(bundle).cameras(frames, *size), frames, fps)


def path_animation(bundle: Bundle, file: Path, fps: float | None, size: tuple[int, int] | None) -> Animation:
    """The camera path in ``file``, by nerfstudio or instant-ngp; frame rate and size are its own unless given.

    Raises :class:`~duplex.app.core.errors.DuplexError` for a missing or invalid file.
    """
    path = read_path(file, bundle.to_checkpoint, bundle.to_dataset)
    path = replace(path, fps=fps or path.fps)
    if size:
        path = replace(path, width=size[0], height=size[1])
    return Animation(path.cameras(), path.frames, path.fps)


def record(
    bundle: Bundle,
    animation: Animation,
    out: Path,
    options: FrameOptions,
    backend: str = AUTO,
    progress: Progress = lambda done, count: None,
) -> None:
    """Draw ``animation`` into the video ``out`` if it ends as one, else into the folder ``out`` as PNG files.

    ``options``: how frames are drawn. Interruption leaves what was there before. Raises as
    :class:`~duplex.app.render.movies.recording.Recording` does.
    """
    check_destination(out)
    renderer = Renderer(create_headless_context(), bundle, backend)
    recording = Recording(renderer, animation.cameras, animation.count, out, animation.fps, options)
    try:
        while not recording.finished:
            recording.advance()
            progress(recording.done, animation.count)
    finally:
        if not recording.finished:
            recording.cancel()


def turntable_images(
    bundle: Bundle,
    folder: Path,
    frames: int,
    size: tuple[int, int],
    options: FrameOptions,
    backend: str = AUTO,
) -> Path:
    """Draw a full circle around the scene as ``folder``/000.png, ..., and a contact sheet of at most 60 of the images.

    Returns the path of the contact sheet.
    """
    with reserve_folder(folder) as unfinished:
        renderer = Renderer(create_headless_context(), bundle, backend)
        selected = set(np.linspace(0, frames - 1, min(frames, SHEET_IMAGES)).round().astype(int).tolist())
        sheet = _ContactSheet(len(selected), size)
        for i, camera in enumerate(scene_orbit(bundle).cameras(frames, *size)):
            image = renderer.image(camera, options)
            unfinished.write(folder / f"{i:03d}.png", to_png(image))
            if i in selected:
                sheet.add(image)
        file = folder / "contact-sheet.png"
        unfinished.write(file, to_png(np.asarray(sheet.image)))
        unfinished.finish()
    return file


class _ContactSheet:
    """A grid of ``count`` small images; ``size``: of the full images, pixels."""

    def __init__(self, count: int, size: tuple[int, int]):
        scale = min(SHEET_SIDE / max(size), 1)
        self.cell = (max(round(size[0] * scale), 1), max(round(size[1] * scale), 1))
        rows = -(-count // SHEET_COLUMNS)
        self.image = Image.new("RGB", (SHEET_COLUMNS * self.cell[0], rows * self.cell[1]), "white")
        self.count = 0

    def add(self, image: Array) -> None:
        """Place an image (h, w, 4) uint8 in the next cell."""
        row, column = divmod(self.count, SHEET_COLUMNS)
        small = Image.fromarray(image[..., :3]).resize(self.cell)
        self.image.paste(small, (column * self.cell[0], row * self.cell[1]))
        self.count += 1
