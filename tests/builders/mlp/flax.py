"""jaxnerf's checkpoints, as flax writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from builders.mlp.naive import State

JAX = {
    **{f"Dense_{i}": (24, 24) for i in range(8)},
    "Dense_0": (24, 63),
    "Dense_5": (24, 24 + 63),
    "Dense_8": (1, 24),
    "Dense_9": (24, 24),
    "Dense_10": (12, 24 + 27),
    "Dense_11": (3, 12),
}


def flax_array(code: int, array: np.ndarray) -> msgpack.ExtType:
    """An array as flax.serialization packs it."""
    return msgpack.ExtType(code, msgpack.packb((array.shape, array.dtype.name, array.tobytes())))


def chunked(array: np.ndarray, size: int) -> dict[str, Any]:
    """An array as flax cuts it into pieces of ``size`` numbers."""
    flat = array.reshape(-1)
    pieces = [flax_array(1, flat[i : i + size]) for i in range(0, flat.size, size)]
    shape = {str(i): side for i, side in enumerate(array.shape)}
    return {"__msgpack_chunked_array__": True, "shape": shape, "chunks": {str(i): p for i, p in enumerate(pieces)}}


def flax_network(state: State, cut: int = 0) -> dict[str, Any]:
    def packed(array: np.ndarray) -> object:
        return chunked(array, cut) if cut and array.size > cut else flax_array(1, array)

    names = sorted({key.split(".")[0] for key in state})
    return {
        name: {
            "kernel": packed(state[f"{name}.weight"].numpy().T.copy()),
            "bias": packed(state[f"{name}.bias"].numpy()),
        }
        for name in names
    }


def write_flax(file: Path, networks: dict[str, object], wrapped: str = "old") -> Path:
    target: dict[str, Any] = {"params": networks}
    if wrapped == "old":
        step = flax_array(3, np.array(7, np.int32))
        state = {"step": step, "param_states": {"params": {}}}
        target = {"optimizer": {"target": target, "state": state}, "step": 7}
    file.write_bytes(msgpack.packb(target))
    return file
