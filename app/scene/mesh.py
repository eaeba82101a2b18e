"""Triangle meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from duplex.app.core.arrays import Array

MAX_FACES = 2_000_000  # of a shell
BORDER = 128 / 255  # the value of a vertex where the seen part of a shell ends


def adjacent_faces(faces: Array) -> tuple[Array, Array]:
    """Pairs of faces (p, q), int64, that share an edge; ``faces``: (f, 3) vertex indices."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64), 1)
    key = (ends[:, 0] << 32) + ends[:, 1]
    order = np.argsort(key, kind="stable")
    face = np.tile(np.arange(len(faces)), 3)[order]
    same = np.flatnonzero(key[order][1:] == key[order][:-1])
    return face[same], face[same + 1]


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh.

    * ``positions``: (v, 3) float32 or float64, world unless the owner states another frame.
    * ``uvs``: (v, 2) texture coordinates in [0, 1], ``v = 0`` at row 0 of the texture; zeros before unwrapping.
    * ``faces``: (f, 3) vertex indices, counterclockwise seen from the front.
    * ``seen``: (v,) float32 in [0, 1], how far each vertex was seen by the cameras of the bake: 1 where all its faces
      were, :data:`BORDER` where some of them were, less and less beyond; None: everything was seen.
    """

    positions: Array
    uvs: Array
    faces: Array
    seen: Array | None = None

    @classmethod
    def without_uvs(cls, positions: Array, faces: Array) -> Mesh:
        """A mesh that is not unwrapped yet, with zeros as texture coordinates."""
        return cls(positions, np.zeros((len(positions), 2), np.float32), faces)
