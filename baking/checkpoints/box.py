"""The box that a grid covers."""

from __future__ import annotations

import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError

Box = tuple[tuple[float, float, float], tuple[float, float, float]]


def box_of(low: Tensor, high: Tensor, name: str = "a box") -> Box:
    """Two corners (3,) as :class:`~duplex.baking.fields.field.SceneInfo` has them, low x y z < high x y z.

    ``name``: of the member that holds them, for the error.
    """
    (a, b, c), (d, e, f) = torch.stack([low, high]).double().tolist()
    if not (a < d and b < e and c < f):
        raise DuplexError(
            f"{name} from {a:g} {b:g} {c:g} to {d:g} {e:g} {f:g}: expected a positive size: a damaged file"
        )
    return (a, b, c), (d, e, f)
