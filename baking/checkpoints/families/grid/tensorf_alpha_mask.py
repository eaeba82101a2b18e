"""The alpha mask in a checkpoint of apchenstu/TensoRF: where its field has density at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import Checkpoint, tensor_of
from duplex.baking.fields.factors import Mask

MAX_SIDE = 8192  # vertices along an axis, of a mask and of a field's grids
MAX_VERTICES = 1 << 27
MAX_AXES = 8


def read_alpha_mask(checkpoint: Checkpoint) -> Mask | None:
    """``alphaMask.*``: a box and one bit for each vertex of a grid in it, x running fastest; None without a mask.

    Raises :class:`DuplexError` for members that do not fit each other.
    """
    content = checkpoint.content
    if "alphaMask.aabb" not in content:
        return None
    box = tensor_of(content["alphaMask.aabb"], checkpoint.path, "alphaMask.aabb")
    shape = _shape_of(content.get("alphaMask.shape", ()))
    count = math.prod(shape)
    packed = _bytes_of(content.get("alphaMask.mask"), count)
    if count > MAX_VERTICES:
        raise DuplexError(f"alphaMask.shape {shape}: expected at most {MAX_VERTICES} vertices")
    if box.shape != (2, 3) or not bool((box[1] > box[0]).all()):
        raise DuplexError(f"alphaMask.aabb {box.tolist()}: expected a low and a larger high corner")
    return Mask(torch.from_numpy(np.unpackbits(packed, count=count).reshape(shape[-3:])), box)


def _shape_of(stated: Any) -> tuple[int, ...]:
    """The stated sides: z, y, x, behind any number of ones."""
    try:
        shape = tuple(int(side) for side in stated) if len(stated) <= MAX_AXES else ()
    except (TypeError, ValueError, OverflowError, RuntimeError):
        shape = ()
    if len(shape) < 3 or any(side != 1 for side in shape[:-3]) or not all(2 <= s <= MAX_SIDE for s in shape[-3:]):
        raise DuplexError(f"alphaMask.shape {str(stated)[:60]}: expected z, y, x")
    return shape


def _bytes_of(stored: Any, count: int) -> Array:
    """The bytes (n,) uint8 that hold ``count`` bits."""
    array = stored.detach().numpy() if isinstance(stored, Tensor) and stored.layout == torch.strided else stored
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.size != -(-count // 8):
        raise DuplexError(f"alphaMask.mask does not hold the {count} bits of alphaMask.shape: a damaged file")
    return array.reshape(-1)
