"""Snapshots of instant-ngp with small networks."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import msgpack
import numpy as np


def snapshot(**change: Any) -> dict[str, Any]:
    """A snapshot with small networks, weights random; ``change``: members of ``extra`` are put into the snapshot."""
    levels, features = change.get("levels", 4), change.get("features", 2)
    encoding = {
        "otype": "HashGrid",
        "n_levels": levels,
        "n_features_per_level": features,
        "log2_hashmap_size": change.get("log2", 8),
        "base_resolution": change.get("coarsest", 4),
    }
    if growth := change.get("growth", 1.5):
        encoding["per_level_scale"] = growth
    if change.get("smooth"):
        encoding["interpolation"] = "Smoothstep"
    network = {"otype": "FullyFusedMLP", "activation": "ReLU", "output_activation": "None", "n_neurons": 16}
    direction = {"otype": "SphericalHarmonics", "degree": 4, "n_dims_to_encode": 3}
    return {
        "loss": {"otype": "Huber"},
        "encoding": encoding,
        "network": network | {"n_hidden_layers": 1},
        "dir_encoding": {"otype": "Composite", "nested": [direction, {"otype": "Identity"}]},
        "rgb_network": network | {"n_hidden_layers": 2, "otype": change.get("rgb", "FullyFusedMLP")},
        "snapshot": _state(encoding, change) | change.get("extra", {}),
    }


def _state(encoding: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The member ``snapshot``: weights, and how the scene lies in instant-ngp's unit cube."""
    aabb_scale, wide = change.get("aabb_scale", 2), change.get("wide", False)
    params = _params(encoding, aabb_scale, change.get("outputs", 16)).astype("<f4" if wide else "<f2")
    box = {"min": [0.5 - 0.5 * aabb_scale] * 3, "max": [0.5 + 0.5 * aabb_scale] * 3}
    nerf = {"aabb_scale": aabb_scale, "cam_pos_offset": [], "rgb": {"rays_per_batch": 4096}}
    return {
        "n_params": len(params),
        "params_type": "float" if wide else "__half",
        "params_binary": params.tobytes(),
        "optimizer": {"step": 3, "nested": {"first_moments_binary": bytes(64)}},
        "version": 1,
        "mode": "nerf",
        "density_grid_size": 128,
        "density_grid_binary": b"",
        "nerf": nerf | {"dataset": _dataset(aabb_scale, change)},
        "training_step": 35000,
        "loss": 0.001,
        "aabb": box,
        "render_aabb": dict(box),
        "render_aabb_to_local": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        "up_dir": [0.0, 1.0, 0.0],
        "background_color": [1.0, 0.5, 0.0, 0.5],
        "camera": {"matrix": [[1, 0, 0, 0]] * 3, "zoom": 1.0},
    }


def _params(encoding: dict[str, Any], aabb_scale: int, outputs: int) -> np.ndarray:
    """Random weights of both networks, then the entries of the hash grid."""
    features = encoding["n_features_per_level"]
    inputs = -(-encoding["n_levels"] * features // 16) * 16
    shapes = [(16, inputs), (16, 16), (16, 32), (16, 16), (outputs, 16)]
    entries = sum(size for _, _, size in grid_levels(encoding, aabb_scale))
    rng = np.random.default_rng(6)
    parts = [rng.normal(size=s[0] * s[1]) / s[1] ** 0.5 for s in shapes] + [rng.normal(size=entries * features)]
    return np.concatenate(parts)


def _dataset(aabb_scale: int, change: dict[str, Any]) -> dict[str, Any]:
    """Two photos, as the snapshot remembers them."""
    later = [[1, 0, 0, 9], [0, 1, 0, 9], [0, 0, 1, 9]]
    return {
        "n_images": 2,
        "paths": ["a.png", "b.png"],
        "metadata": [{"lens": {}, "resolution": [8, 8]}] * 2,
        "xforms": [{"start": [[1, 0, 0, 0.5], [0, 1, 0, 0.5], [0, 0, 1, x]], "end": later} for x in (3.5, -5.5)],
        "render_aabb": {"min": [math.inf] * 3, "max": [-math.inf] * 3},
        "up": [0.0, 1.0, 0.0],
        "scale": 0.25,
        "offset": [0.5, 0.25, 0.125],
        "aabb_scale": aabb_scale,
        "from_mitsuba": change.get("mitsuba", False),
        "is_hdr": change.get("hdr", False),
        "n_extra_learnable_dims": 0,
    }


def grid_levels(encoding: dict[str, Any], aabb_scale: int) -> list[tuple[float, int, int]]:
    """Scale, side and entries of each level, as GridEncoding's constructor has them."""
    count, coarsest = encoding["n_levels"], encoding["base_resolution"]
    growth = encoding.get("per_level_scale", 0) or math.exp(math.log(2048 * aabb_scale / coarsest) / (count - 1))
    levels = []
    for level in range(count):
        scale = 2 ** (level * math.log2(growth)) * coarsest - 1
        side = math.ceil(scale - 1e-4) + 1
        levels.append((scale, side, min((side**3 + 7) // 8 * 8, 1 << encoding["log2_hashmap_size"])))
    return levels


def save_snapshot(folder: Path, content: dict[str, Any], name: str = "base.msgpack") -> Path:
    data = msgpack.packb(content, use_single_float=True)
    if name.endswith(".ingp"):
        data = gzip.compress(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name
