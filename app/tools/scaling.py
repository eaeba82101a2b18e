"""Scaling of the frame time with pixels, faces and network size: ``duplex-viewer scene.bundle --scaling``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.backend_selection import frame_times
from duplex.app.render.gpu import create_headless_context
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle, BundleShell
from duplex.app.scene.mesh import Mesh
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.app.scene.orbits import scene_orbit

PATH = 8  # cameras around the scene
SIDES = (200, 400, 800, 1600)  # of a square image, pixels
SUBDIVISIONS = (0, 1, 2)  # times that each face is split in four
WIDTHS = (8, 16, 24, 32)  # of the network, channels


def scaling(bundle: Bundle) -> dict[str, Any]:
    """Median frame times for several resolutions, face counts and network widths.

    Each face is split in four, which does not change the image; networks of other widths have random weights. Returns
    for ``pixels``, ``faces`` and ``macs_per_pixel`` an object with ``frame_ms``, size to milliseconds, and ``slope``,
    the exponent of :func:`slope`.
    """
    ctx = create_headless_context()

    def milliseconds(scene: Bundle, side: int) -> float:
        path = scene_orbit(scene).cameras(PATH, side, side)
        return float(np.median(frame_times(Renderer(ctx, scene), path, frames=2 * PATH, seconds=2.0)))

    tables: dict[str, dict[float, float]] = {
        "pixels": {side * side: milliseconds(bundle, side) for side in SIDES},
        "faces": {scene.faces: milliseconds(scene, 800) for scene in (_subdivided(bundle, n) for n in SUBDIVISIONS)},
        "macs_per_pixel": {
            scene.network.macs_per_pixel: milliseconds(scene, 800) for scene in (_widened(bundle, w) for w in WIDTHS)
        },
    }
    return {name: {"frame_ms": table, "slope": slope(table)} for name, table in tables.items()}


def slope(table: dict[float, float]) -> float:
    """The exponent of the power law that best fits ``table``, size to cost: 1 for a cost proportional to size."""
    sizes = np.log(np.array(list(table)))
    costs = np.log(np.array(list(table.values())))
    return float(np.polyfit(sizes, costs, 1)[0])


def _subdivided(bundle: Bundle, times: int) -> Bundle:
    for _ in range(times):
        bundle = replace(bundle, outer=_split_in_four(bundle.outer), inner=_split_in_four(bundle.inner))
    return bundle


def _split_in_four(shell: BundleShell) -> BundleShell:
    mesh = shell.mesh
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), 1)
    edges, of_face = np.unique(edges, axis=0, return_inverse=True)
    a, b, c = mesh.faces.T
    ab, bc, ca = (len(mesh.positions) + of_face.reshape(-1, 3)).T
    faces = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 1).reshape(-1, 3)

    def with_midpoints(values: Array) -> Array:
        return np.concatenate([values, values[edges].mean(1, dtype=np.float32)])

    finer = Mesh(with_midpoints(mesh.positions), with_midpoints(mesh.uvs), faces.astype(np.int32))
    return replace(shell, mesh=finer)


def _widened(bundle: Bundle, width: int) -> Bundle:
    rng = np.random.default_rng(0)
    spec = NetworkSpec.shallow(bundle.network.feature_channels, width)
    shapes = [(x.outputs, x.inputs, x.kernel, x.kernel) for x in spec.layers]
    weights = [(rng.standard_normal(s) * (s[1] * s[2] ** 2) ** -0.5).astype(np.float32) for s in shapes]
    weights[0] *= spec.taps()
    biases = tuple(np.zeros(s[0], np.float32) for s in shapes)
    return replace(bundle, network=spec, weights=NetworkWeights(tuple(weights), biases))


def scaling_text(tables: dict[str, Any]) -> str:
    """The result of :func:`scaling` as a readable report."""
    lines = []
    for name, entry in tables.items():
        lines.append(f"{name.replace('_', ' ')}: frame time grows with its power of {entry['slope']:.2f}")
        lines += [f"  {size:12,.0f}  {milliseconds:8.2f} ms" for size, milliseconds in entry["frame_ms"].items()]
    return "\n".join(lines)
