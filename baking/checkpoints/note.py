"""The scene in the checkpoints of duplex-train, for which the layouts of other code bases have no member."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from duplex.app.core.tree import Key, Node
from duplex.baking.fields import spaces
from duplex.baking.fields.field import MAX_DISTANCE, MAX_SAMPLES, SceneInfo

MEMBER = "duplex"
VECTORS = ("background", "up")
SAMPLES = ("coarse_samples", "fine_samples")


def write(scene: SceneInfo) -> dict[str, Any]:
    """``scene`` as plain numbers, lists and dictionaries, which restricted unpicklers accept."""
    return {
        "near": scene.near,
        "far": scene.far,
        "coarse_samples": scene.coarse_samples,
        "fine_samples": scene.fine_samples,
        "background": list(scene.background),
        "up": list(scene.up),
        "hemisphere": scene.hemisphere,
        "space": scene.space.to_json(),
        "bounds": None if scene.bounds is None else [list(corner) for corner in scene.bounds],
    }


def read(note: Node, scene: SceneInfo) -> SceneInfo:
    """``scene`` with what :func:`write` noted in its place; raises :class:`DuplexError` for anything else."""
    changes: dict[str, Any] = {name: _triple(note, name) for name in VECTORS}
    changes |= {name: note.number(name, 0, MAX_DISTANCE) for name in ("near", "far")}
    changes |= {name: note.whole(name, 0, MAX_SAMPLES) for name in SAMPLES}
    if "bounds" in note:
        corners = note.child("bounds")
        changes["bounds"] = (_triple(corners, 0), _triple(corners, 1))
    return replace(
        scene,
        **changes,
        space=spaces.from_json(note.child("space")),
        hemisphere=note.flag("hemisphere"),
        principal_shift=0.0,
        assumed=(),
    )


def _triple(holder: Node, key: Key) -> tuple[float, float, float]:
    x, y, z = holder.numbers(key, 3)
    return float(x), float(y), float(z)
