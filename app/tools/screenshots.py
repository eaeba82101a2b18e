"""Pictures without a window."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.errors import DuplexError
from duplex.app.core.images import save_png
from duplex.app.render.backends.names import AUTO
from duplex.app.render.frame import FrameOptions, Rgba
from duplex.app.render.gpu import create_headless_context, describe
from duplex.app.render.readback import nan_warning
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.orbits import scene_orbit

MAX_CAMERA_FILE = 1 << 20
SHEET_COLUMNS, SHEET_PICTURES, SHEET_SIDE = 6, 60, 240


def screenshot(
    bundle: Bundle,
    camera: Camera,
    out: Path,
    background: Rgba | None,
    backend: str = AUTO,
) -> str:
    """Draw one picture into the PNG ``out``; returns the driver's description."""
    ctx = create_headless_context()
    renderer = Renderer(ctx, bundle, backend)
    save_png(renderer.image(camera, FrameOptions(background=background)), out)
    if words := nan_warning(renderer, camera):
        print(f"warning: {words}", file=sys.stderr)
    return describe(ctx)


def turntable(
    bundle: Bundle,
    folder: Path,
    frames: int,
    size: tuple[int, int],
    background: Rgba | None,
    backend: str = AUTO,
) -> Path:
    """Draw a turn around the scene as ``folder``/000.png, ... and return a contact sheet of at most 60 of them."""
    renderer = Renderer(create_headless_context(), bundle, backend)
    folder.mkdir(parents=True, exist_ok=True)
    shrink = min(SHEET_SIDE / max(size), 1)
    small = (max(round(size[0] * shrink), 1), max(round(size[1] * shrink), 1))
    shown = set(np.linspace(0, frames - 1, min(frames, SHEET_PICTURES)).round().astype(int).tolist())
    sheet = Image.new("RGB", (SHEET_COLUMNS * small[0], -(-len(shown) // SHEET_COLUMNS) * small[1]), "white")
    placed = 0
    for i, camera in enumerate(scene_orbit(bundle).cameras(frames, *size)):
        image = renderer.image(camera, FrameOptions(background=background))
        save_png(image, folder / f"{i:03d}.png")
        if i in shown:
            row, column = divmod(placed, SHEET_COLUMNS)
            sheet.paste(Image.fromarray(image[..., :3]).resize(small), (column * small[0], row * small[1]))
            placed += 1
    file = folder / "contact-sheet.png"
    save_png(np.asarray(sheet), file)
    return file


def choose_camera(bundle: Bundle, which: str, size: tuple[int, int]) -> Camera:
    """The bundle's camera of number ``which``, or the camera in the JSON file ``which``, at ``size``."""
    if re.fullmatch(r"[0-9]{1,6}", which):
        return bundle.camera(int(which)).resized(*size)
    path = Path(which)
    if not path.is_file():
        raise DuplexError(f"--camera {which}: neither a number nor a file: expected a camera's number or a JSON file")
    if path.stat().st_size > MAX_CAMERA_FILE:
        raise DuplexError(f"{path}: {path.stat().st_size} bytes: expected a camera of at most 1 MiB")
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise DuplexError(f"{path}: not JSON: expected an object with camera_to_world and fov") from None
    return Camera.from_json(data, str(path)).resized(*size)
