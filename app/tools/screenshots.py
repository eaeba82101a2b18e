"""Pictures without a window."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.render.backends.names import AUTO
from duplex.app.render.gpu import create_headless_context, describe
from duplex.app.render.readback import complaint
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera, Orbit, Sway, way_from_rig

MAX_CAMERA_FILE = 1 << 20
SHEET_COLUMNS, SHEET_PICTURES, SHEET_SIDE = 6, 60, 240


def screenshot(
    bundle: Bundle,
    camera: Camera,
    out: Path,
    background: tuple[float, float, float, float] | None,
    backend: str = AUTO,
) -> str:
    """Draw one picture into the PNG ``out``; returns the driver's description."""
    ctx = create_headless_context()
    renderer = Renderer(ctx, bundle, backend)
    save_png(renderer.image(camera, background), out)
    if words := complaint(renderer, camera):
        print(f"warning: {words}", file=sys.stderr)
    return describe(ctx)


def turntable(
    bundle: Bundle,
    folder: Path,
    frames: int,
    size: tuple[int, int],
    background: tuple[float, float, float, float] | None,
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
        image = renderer.image(camera, background)
        save_png(image, folder / f"{i:03d}.png")
        if i in shown:
            row, column = divmod(placed, SHEET_COLUMNS)
            sheet.paste(Image.fromarray(image[..., :3]).resize(small), (column * small[0], row * small[1]))
            placed += 1
    file = folder / "contact-sheet.png"
    save_png(np.asarray(sheet), file)
    return file


def scene_orbit(bundle: Bundle) -> Orbit | Sway:
    """A circle around the bundle's scene; before it, or among it, where it surrounds its cameras."""
    way = way_from_rig(bundle.rig)
    if way is not None:
        return way
    center, radius = scene_pivot(bundle)
    fov = bundle.cameras[0].fov_y if bundle.cameras else 0.7
    return Orbit(center, radius / np.sin(fov / 2) * 0.95, np.array(bundle.up), fov)


def scene_pivot(bundle: Bundle) -> tuple[Array, float]:
    """The point (3,) that a camera turns around, and the length, world units, that its movements are measured by."""
    way = way_from_rig(bundle.rig)
    if isinstance(way, Sway):
        return way.target, float(np.linalg.norm(way.target - way.eye))
    if isinstance(way, Orbit):
        return way.center, way.distance
    low, high = bundle.bounds
    return 0.5 * (low + high), float(np.linalg.norm(high - low)) / 2


def choose_camera(bundle: Bundle, which: str, size: tuple[int, int]) -> Camera:
    """The bundle's camera of number ``which``, or the camera in the JSON file ``which``, at ``size``."""
    if re.fullmatch(r"[0-9]{1,6}", which):
        if int(which) >= len(bundle.cameras):
            has = f"cameras 0 to {len(bundle.cameras) - 1}" if bundle.cameras else "no cameras"
            raise DuplexError(f"--camera {which}: this bundle has {has}")
        return bundle.cameras[int(which)].resized(*size)
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


def straight(image: Array) -> Array:
    """An image (h, w, 4) uint8, premultiplied by alpha, with its colours divided by it."""
    alpha = np.maximum(image[..., 3:].astype(np.float32) / 255, 1 / 255)
    color = np.minimum(np.round(image[..., :3] / alpha), 255).astype(np.uint8)
    return np.concatenate([color, image[..., 3:]], -1)


def save_png(image: Array, path: Path) -> None:
    """Write an image (h, w, 3 or 4) uint8 as a PNG, atomically; four channels come premultiplied by alpha."""
    if image.shape[2] == 4 and (image[..., 3] == 255).all():
        image = image[..., :3]
    if image.shape[2] == 4:
        image = straight(image)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "PNG")
    write_atomically(path, buffer.getvalue())
