"""The dome: what is behind everything in a scene with surroundings.

Level sets end where a field is faint: towards the sky, and where no photo looks. There a ray meets the inside of the
dome, at the end of the contracted space, and what a hole would show in black is learned as any other surface.
"""

from __future__ import annotations

import numpy as np
import trimesh

from duplex.app.core.arrays import Array
from duplex.app.scene.mesh import Mesh
from duplex.baking.fields.spaces import Contracted

SUBDIVISIONS = 4  # each makes four triangles of one
TOLERANCE = 1e-3  # of field space
LEAST_SEEN = 0.02  # above that, a vertex is near to what was seen
FAR_TOLERANCE = 0.02  # of the dome's distance


def dome(space: Contracted) -> Mesh:
    """The surface of the contracted space at its farthest distance, in field space; its fronts are inside."""
    cube = trimesh.creation.box((2, 2, 2))
    for _ in range(SUBDIVISIONS):
        cube = cube.subdivide()
    points = np.asarray(cube.vertices)
    unit = points / np.linalg.norm(points, ord=space.order, axis=1, keepdims=True)
    return Mesh.without_uvs((space.end * unit).astype(np.float32), np.asarray(cube.faces)[:, ::-1].astype(np.int32))


def on_dome(positions: Array, space: Contracted) -> Array:
    """Which of ``positions`` (n, 3) of field space lie on the dome, (n,) bool."""
    return np.asarray(np.linalg.norm(positions, ord=space.order, axis=1) > space.end - TOLERANCE)


def cut_around(shell: Mesh, space: Contracted) -> Mesh:
    """A shell in the world without what lies far from all that cameras have seen, once its texels are filled.

    Photos are few: what they miss lies in small pieces amid what they show, and holes are worse than a guess. Where
    the guess ends, the dome is seen, which stays whole.
    """
    if shell.seen is None:
        return shell
    away = np.linalg.norm((shell.positions - space.center) / space.radius, ord=space.order, axis=1)
    kept = (shell.seen > LEAST_SEEN) | (away > (1 - FAR_TOLERANCE) * space.far)
    used, faces = np.unique(shell.faces[kept[shell.faces].any(1)], return_inverse=True)
    return Mesh(shell.positions[used], shell.uvs[used], faces.reshape(-1, 3).astype(np.int32))


def beneath(shell: Mesh, space: Contracted) -> Array:
    """Faces (f,) bool of a shell in field space that do not lie behind the dome."""
    inside = np.linalg.norm(shell.positions, ord=space.order, axis=1) < space.end
    return np.asarray(inside[shell.faces].any(1))
