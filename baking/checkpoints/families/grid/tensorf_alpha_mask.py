"""The occupancy mask in TensoRF's checkpoints."""

from __future__ import annotations

import math

import numpy as np
import torch

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.box import box_of
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.fields.factors import Mask
from duplex.baking.fields.field import MAX_DISTANCE

MAX_SIDE = 8192  # vertices along an axis, of a mask and of a field's grids
MAX_VERTICES = 1 << 27
MAX_AXES = 8
LEAST_SIZE = 1e-6  # of the mask's box


def read_alpha_mask(root: CheckpointNode) -> Mask | None:
    """``alphaMask.*``: a box and one bit for each vertex of a grid in it, x running fastest; None without a mask.

    Raises :class:`DuplexError` for members that do not fit each other.
    """
    if "alphaMask.aabb" not in root:
        return None
    box = root.tensor("alphaMask.aabb", (2, 3))
    box_of(box[0], box[1], "alphaMask.aabb")
    size = float((box[1] - box[0]).min())
    reach = float(box.abs().max())
    if size < LEAST_SIZE or 2 * reach > MAX_DISTANCE:
        raise DuplexError(
            f"alphaMask.aabb is a box of {size:g} a side that reaches to {reach:g}: expected {LEAST_SIZE:g} or more a "
            f"side, to at most {MAX_DISTANCE / 2:g}: a damaged file"
        )
    shape = _shape(root)
    count = math.prod(shape)
    packed = root.bits("alphaMask.mask")
    if root.dtype("alphaMask.mask") != "u1" or packed.size != -(-count // 8):
        raise DuplexError(f"alphaMask.mask does not hold the {count} bits of alphaMask.shape: a damaged file")
    vertices = np.unpackbits(packed.reshape(-1), count=count).view(np.bool_)
    return Mask(torch.from_numpy(vertices.reshape(shape)), box)


def _shape(root: CheckpointNode) -> tuple[int, ...]:
    """The stated sides z, y, x, behind any number of ones."""
    count = len(root.elements("alphaMask.shape", MAX_AXES, least=3))
    sides = root.numbers("alphaMask.shape", count, limit=MAX_SIDE + 1)
    shape = tuple(sides.tolist())
    if any(side % 1 for side in shape) or any(side != 1 for side in shape[:-3]) or min(shape[-3:]) < 2:
        raise DuplexError(f"alphaMask.shape {' x '.join(f'{side:g}' for side in shape)}: expected z, y, x")
    if math.prod(side + 4 for side in shape[-3:]) > MAX_VERTICES:
        raise DuplexError(
            f"alphaMask.shape {' x '.join(f'{side:g}' for side in shape)}: expected at most {MAX_VERTICES} vertices"
        )
    return tuple(int(side) for side in shape[-3:])
