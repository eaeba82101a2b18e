"""Which cells of the scan to keep: those that a camera sees and that are not a backdrop.

A NeRF trained against a plain background may represent that background by opaque matter ("a white floor"), because no
training view shows the difference. Such a backdrop must not become a shell, or the viewer could not replace the
background. It is detected in rendered views: pixels of the background colour, connected to the image border, many of
them opaque. A teacher with empty surroundings has no backdrop, and nothing is carved.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from duplex.app.core.arrays import Array
from duplex.baking.fields.density_grid import DensityGrid
from duplex.baking.geometry.probes import ProbeView, in_picture

MIN_OPAQUE = 0.05  # share of opaque ones among the background-coloured pixels from which on they are a backdrop
BACKDROP_VOTES = 0.1  # largest share of cameras that see the backdrop in the place of a cell
FRAME_SHARE = 0.25  # share of all cameras that must have a cell in their image


def carve(scan: DensityGrid, solid: Array, probes: list[ProbeView]) -> Array:
    """The cells of ``solid`` (bool, laid out as ``scan``) that a camera of ``probes`` sees and that are no backdrop."""
    cells = np.argwhere(solid)
    points = scan.low + scan.step * cells
    in_frame, lit, backdrop = (np.zeros(len(cells), np.int32) for _ in range(3))
    for probe in probes:
        pixel, distance, inside = in_picture(probe.camera, points)
        before = inside & _backdrop(probe)[pixel]  # no training view has seen this cell or what it hides
        lit += inside & ~before & (distance < probe.reach[pixel] + 2 * scan.step)
        in_frame += inside
        backdrop += before
    keep = (lit > 0) & (in_frame >= FRAME_SHARE * len(probes)) & (backdrop <= BACKDROP_VOTES * (lit + backdrop))
    out = np.zeros_like(solid)
    out[tuple(cells[keep].T)] = True
    return out


def _backdrop(probe: ProbeView) -> Array:
    """Background-coloured pixels (h, w) connected to the image border; none where most of them are transparent."""
    found = probe.connected()
    if (probe.opacity > 0.5)[found].sum() <= MIN_OPAQUE * found.sum():
        return np.zeros_like(found)
    return np.asarray(ndimage.binary_erosion(found, border_value=1))
