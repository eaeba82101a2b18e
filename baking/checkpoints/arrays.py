"""The arrays of an ``.npz`` file, checked before anything is computed from them.

Unlike :func:`duplex.baking.checkpoints.files.tensor_of`, these keep half precision, because voxel grids are large.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.files import Checkpoint

NUMBERS_AT_ONCE = 1 << 24

Shape = tuple[int | None, ...]


def floats(checkpoint: Checkpoint, name: str, shape: Shape) -> Tensor:
    """The member ``name`` as a finite tensor, float16 where the file has that, float32 otherwise.

    ``shape``: None where any size will do. Raises :class:`DuplexError` for any other member.
    """
    array = checkpoint.content.get(name)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise DuplexError(f"{name} is missing or holds no numbers: a checkpoint of unknown layout")
    _check_shape(array, name, shape)
    with np.errstate(over="ignore"):  # an overflow is found below
        native = np.ascontiguousarray(array, np.float16 if array.dtype == np.float16 else np.float32)
    tensor = torch.from_numpy(native)
    if not all(bool(torch.isfinite(part).all()) for part in torch.split(tensor.reshape(-1), NUMBERS_AT_ONCE)):
        raise DuplexError(f"{name} holds NaN or infinity: the training diverged; use an earlier checkpoint")
    return tensor


def whole_numbers(checkpoint: Checkpoint, name: str, shape: Shape) -> Tensor:
    """The member ``name`` as an int32 tensor; raises :class:`DuplexError` as :func:`floats` does."""
    array = checkpoint.content.get(name)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu" or array.dtype.itemsize > 8:
        raise DuplexError(f"{name} is missing or holds no whole numbers: a checkpoint of unknown layout")
    _check_shape(array, name, shape)
    if array.size and not -(1 << 31) <= int(array.min()) <= int(array.max()) < 1 << 31:
        raise DuplexError(f"{name} holds {int(array.max())}: expected whole numbers of 32 bits: a damaged file")
    return torch.from_numpy(np.ascontiguousarray(array, np.int32))


Box = tuple[tuple[float, float, float], tuple[float, float, float]]


def box_of(low: Tensor, high: Tensor) -> Box:
    """Two corners (3,) as :class:`~duplex.baking.fields.field.SceneInfo` has them, low x y z < high x y z."""
    (a, b, c), (d, e, f) = torch.stack([low, high]).double().tolist()
    if not (a < d and b < e and c < f):
        raise DuplexError(
            f"a box from {a:g} {b:g} {c:g} to {d:g} {e:g} {f:g}: expected a positive size: a damaged file"
        )
    return (a, b, c), (d, e, f)


def _check_shape(array: Array, name: str, shape: Shape) -> None:
    fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
    if not fits or 0 in array.shape:
        wanted = " x ".join("any" if side is None else str(side) for side in shape) or "a single number"
        raise DuplexError(f"{name} has the shape {array.shape}: expected {wanted}: a checkpoint of unknown layout")
