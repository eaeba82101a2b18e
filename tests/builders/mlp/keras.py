"""bmild's checkpoints, as Keras and numpy write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from builders.mlp.naive import State, random_state

KERAS = {
    **{f"pts.{i}": (24, 24) for i in range(8)},
    "pts.0": (24, 63),
    "pts.5": (24, 24 + 63),
    "feature": (24, 24),
    "views": (12, 24 + 27),
    "rgb": (3, 12),
    "alpha": (1, 24),
}


def write_keras(file: Path, shapes: dict[str, tuple[int, ...]], seed: int) -> State:
    """What ``np.save(file, model.get_weights())`` leaves: an object array of kernels (in, out) and biases."""
    state = random_state(shapes, seed)
    arrays = [state[f"{n}.{p}"].numpy().T.copy() for n in shapes for p in ("weight", "bias")]
    content = np.empty(len(arrays), object)
    content[:] = arrays
    np.save(file, content, allow_pickle=True)
    return state
