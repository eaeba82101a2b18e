"""Rendering without a window from Python: ``duplex.render``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.images import unpremultiplied
from duplex.app.render.backends.names import AUTO, NAMES
from duplex.app.render.context import RenderContext, default_context
from duplex.app.render.frame import FrameOptions, Rgba
from duplex.app.render.views import Unseen, View
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.camera import MAX_SIDE, Camera

Color = Rgba | tuple[float, float, float]


class Rendering(NamedTuple):
    """The result of :func:`render` with ``depth=True``.

    ``rgba``: (h, w, 4) uint8, straight alpha; ``depth``: (h, w) float32, distance along the ray from the eye to the
    outer shell, world units, infinite where the ray misses it. For a sequence of n cameras both have a leading axis of
    length n.
    """

    rgba: Array
    depth: Array


@overload
def render(
    scene: Bundle | str | Path,
    camera: Camera | int | Sequence[Camera | int],
    size: tuple[int, int] | None = ...,
    *,
    background: Color | None = ...,
    view: str | View = ...,
    unseen: str = ...,
    backend: str = ...,
    context: RenderContext | None = ...,
) -> Array: ...


@overload
def render(
    scene: Bundle | str | Path,
    camera: Camera | int | Sequence[Camera | int],
    size: tuple[int, int] | None = ...,
    *,
    depth: bool,
    background: Color | None = ...,
    view: str | View = ...,
    unseen: str = ...,
    backend: str = ...,
    context: RenderContext | None = ...,
) -> Array | Rendering: ...


def render(  # noqa: PLR0913 - keyword arguments of the public API
    scene: Bundle | str | Path,
    camera: Camera | int | Sequence[Camera | int],
    size: tuple[int, int] | None = None,
    *,
    depth: bool = False,
    background: Color | None = None,
    view: str | View = "final",
    unseen: str = Unseen.FADE,
    backend: str = AUTO,
    context: RenderContext | None = None,
) -> Array | Rendering:
    """Render ``scene`` without a window.

    Args:
        scene: A bundle or its path. Repeated calls with the same :class:`Bundle` object upload it once.
        camera: A camera, the index of one of ``scene.cameras``, or a sequence of these.
        size: Width and height in pixels; by default the size of the camera.
        depth: Whether to return distances too.
        background: Straight RGB or RGBA in [0, 1]; by default the background of the teacher's training.
        view: A view by its name in the panel's *show* list: ``"final"``, ``"alpha"``, ``"outer depth"`` ...
        unseen: What becomes of parts that no camera of the bake saw: ``"fade"``, ``"show"``, ``"hide"``.
        backend: ``"auto"`` (fragment shaders), ``"fragment"``, ``"compute"`` or ``"onnx"``.
        context: OpenGL context; by default one per thread, which is kept between calls.

    Returns:
        (h, w, 4) uint8, straight alpha, top row first; (n, h, w, 4) for a sequence of n cameras of one size. With
        ``depth``, a :class:`Rendering` of both.

    Raises:
        DuplexError: OpenGL 3.3 is not available, the size too large, or the camera, view or backend does not exist.
    """
    bundle = scene if isinstance(scene, Bundle) else read_bundle(Path(scene))
    if backend not in (AUTO, *NAMES):
        raise DuplexError(f"backend {backend!r:.60}: expected {', '.join((AUTO, *NAMES))}")
    renderer = (context or default_context()).renderer(bundle, backend)
    shown = View.parse(view) if isinstance(view, str) else view
    if shown not in renderer.views:
        raise DuplexError(f"view {str(shown)!r:.60}: this bundle has no such view")
    options = FrameOptions(shown, background and _rgba(background), unseen=Unseen.parse(unseen))
    one = isinstance(camera, Camera | int)
    cameras = [_resized(bundle, each, size) for each in ([camera] if isinstance(camera, Camera | int) else camera)]
    with renderer.ctx:
        images = [unpremultiplied(renderer.image(each, options)) for each in cameras]
        distances = [renderer.distances(each) for each in cameras] if depth else []
    pictures = images[0] if one else np.stack(images)
    if not depth:
        return pictures
    return Rendering(pictures, distances[0] if one else np.stack(distances))


def _resized(bundle: Bundle, camera: Camera | int, size: tuple[int, int] | None) -> Camera:
    chosen = bundle.camera(camera) if isinstance(camera, int) else camera
    width, height = size or (chosen.width, chosen.height)
    if not all(1 <= side <= MAX_SIDE for side in (width, height)):
        raise DuplexError(f"size {width} x {height}: expected 1 to {MAX_SIDE} pixels a side")
    return chosen.resized(width, height) if size else chosen


def _rgba(color: Color) -> Rgba:
    return (color[0], color[1], color[2], color[3] if len(color) == 4 else 1.0)
