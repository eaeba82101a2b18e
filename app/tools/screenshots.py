"""Screenshots without a window."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve
from duplex.app.core.images import check_picture_name, to_picture
from duplex.app.core.tree import Node, parse_json
from duplex.app.render.backends.names import AUTO
from duplex.app.render.frame import FrameOptions
from duplex.app.render.gpu import create_headless_context, describe
from duplex.app.render.readback import nan_warning
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera

MAX_CAMERA_BYTES = 1 << 20


@dataclass(frozen=True)
class Screenshot:
    """How a screenshot was drawn: the OpenGL ``driver``, and a ``warning`` about wrong pixels or an empty string."""

    driver: str
    warning: str


def screenshot(
    bundle: Bundle,
    camera: Camera,
    out: Path,
    options: FrameOptions,
    backend: str = AUTO,
) -> Screenshot:
    """Draw the view of ``camera`` into the picture ``out``: PNG, or JPEG or WebP where its name ends so.

    ``options``: how it is drawn. Raises :class:`~duplex.app.core.errors.DuplexError` without OpenGL 3.3 or the backend,
    and OSError if writing fails.
    """
    check_picture_name(out)
    with reserve(out) as unfinished:
        ctx = create_headless_context()
        renderer = Renderer(ctx, bundle, backend)
        unfinished.write(out, to_picture(renderer.image(camera, options), out))
        unfinished.finish()
    return Screenshot(describe(ctx), nan_warning(renderer, camera))


def choose_camera(bundle: Bundle, which: str, size: tuple[int, int]) -> Camera:
    """Camera number ``which`` of the bundle, or the camera in the JSON file ``which``, resized to ``size`` in pixels.

    Raises :class:`DuplexError` if there is no such camera or file.
    """
    if re.fullmatch(r"[0-9]{1,6}", which):
        return bundle.camera(int(which)).resized(*size)
    path = Path(which)
    if not path.is_file():
        raise DuplexError(f"--camera {which}: neither a number nor a file: expected a camera's number or a JSON file")
    if path.stat().st_size > MAX_CAMERA_BYTES:
        raise DuplexError(f"{path}: {path.stat().st_size} bytes: expected a camera of at most 1 MiB")
    try:
        data = parse_json(path.read_bytes())
    except ValueError:
        raise DuplexError(f"{path}: not JSON: expected an object with camera_to_world and fov") from None
    return Camera.from_json(Node(data, str(path))).resized(*size)
