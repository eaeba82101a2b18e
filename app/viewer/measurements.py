"""What the panel's section *Inspect* measures: a pixel, a reference picture, the agreement of backends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.metrics import psnr
from duplex.app.render.backend_selection import parity
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.probe import Probe, probe
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera
from duplex.app.scene.reference import Reference
from duplex.app.viewer.camera.raycast import Meeting, first_meeting, pixel_ray


@dataclass(frozen=True, eq=False)
class ProbedPixel:
    """``pixel`` (x, y) of the picture in the window, from its top left, and what was ``found`` there.

    ``met``: where its ray meets the nearer shell, None if it misses both.
    """

    pixel: tuple[int, int]
    found: Probe
    met: Meeting | None


@dataclass(frozen=True, eq=False)
class ReferenceQuality:
    """How near the bundle comes to ``reference``: one line of ``text``."""

    reference: Reference
    text: str


@dataclass(frozen=True, eq=False)
class Measurements:
    """The latest results, None or empty where nothing was measured yet.

    ``agreement``: lines about the backend against the network in float32 and against ONNX Runtime; ``points``: at most
    two, (3,) in the world, whose distance is measured; ``scale``: true units in one of the world's.
    """

    probed: ProbedPixel | None = None
    quality: ReferenceQuality | None = None
    agreement: str = ""
    points: tuple[Array, ...] = ()
    scale: float = 1.0

    def clicked(self, point: Array) -> Measurements:
        """With ``point`` as the next of the two points."""
        return replace(self, points=(*self.points, point) if len(self.points) < 2 else (point,))

    @property
    def distance(self) -> float | None:
        """Between the two points, in true units."""
        if len(self.points) < 2:
            return None
        return self.scale * float(np.linalg.norm(self.points[1] - self.points[0]))

    def calibrated(self, length: float) -> Measurements:
        """With such a scale that the distance is ``length``, which is more than 0; raises :class:`DuplexError`."""
        distance = self.distance
        if not distance or not 0 < length < np.inf:
            raise DuplexError(f"{length:g}: expected a true length above 0 of a distance that was measured")
        return replace(self, scale=self.scale * length / distance)


def probe_pixel(
    renderer: Renderer, camera: Camera, place: tuple[float, float], shells: tuple[bool, bool]
) -> ProbedPixel:
    """Probe the pixel at ``place``, in [0, 1] from the top left, of the picture of ``camera``.

    ``shells``: as in :class:`~duplex.app.render.frame.FrameOptions`.
    """
    pixel = (int(place[0] * camera.width), int(place[1] * camera.height))
    ray = pixel_ray(camera, pixel[0] + 0.5, pixel[1] + 0.5)
    meshes = (renderer.bundle.outer.mesh, renderer.bundle.inner.mesh)
    met = [found for mesh, shown in zip(meshes, shells, strict=True) if shown and (found := first_meeting(mesh, *ray))]
    nearest = min(met, key=lambda each: each.distance, default=None)
    return ProbedPixel(pixel, probe(renderer, camera, pixel, shells), nearest)


def reference_quality(renderer: Renderer, reference: Reference) -> ReferenceQuality:
    """Measure the PSNR of the bundle's picture against ``reference``."""
    background = renderer.bundle.background
    try:
        image = renderer.image(reference.camera, FrameOptions(background=(*background, 1.0)))
        drawn = image[..., :3] / np.float32(255)
        size = f"{reference.camera.width} x {reference.camera.height}"
        text = f"{size}, the bundle's PSNR {psnr(drawn, reference.over(background)):.1f} dB"
    except DuplexError as error:
        text = str(error)
    return ReferenceQuality(reference, text)


def backend_agreement(renderer: Renderer, camera: Camera, shells: tuple[bool, bool]) -> str:
    """Measure the PSNR of the picture of ``camera`` against the network in float32 and against ONNX Runtime."""
    lines = []
    try:
        exact, _ = parity(renderer, camera, shells)
        lines.append(f"{renderer.backend.name} against float32: {exact:.1f} dB")
        onnx = Renderer(renderer.ctx, renderer.bundle, "onnx")
        options = FrameOptions(background=TRANSPARENT, shells=shells)
        first, second = (each.image(camera, options) / np.float32(255) for each in (renderer, onnx))
        lines.append(f"against ONNX Runtime: {psnr(first, second):.1f} dB")
    except DuplexError as error:
        lines.append(str(error))
    return "\n".join(lines)
