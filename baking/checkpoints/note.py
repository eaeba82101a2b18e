"""The scene in the checkpoints of duplex-train, for which the layouts of other code bases have no member."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.baking.fields import spaces
from duplex.baking.fields.field import SceneInfo

MEMBER = "duplex"
VECTORS = {"background": 3, "up": 3}
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


def read(note: Any, scene: SceneInfo) -> SceneInfo:
    """``scene`` with what :func:`write` noted in its place; raises :class:`DuplexError` for anything else."""
    try:
        changes: dict[str, Any] = {name: _floats(note[name], count) for name, count in VECTORS.items()}
        changes |= {name: float(note[name]) for name in ("near", "far")}
        changes |= {name: int(note[name]) for name in SAMPLES}
        if note["bounds"] is not None:
            changes["bounds"] = tuple(_floats(corner, 3) for corner in note["bounds"])
        space = spaces.from_json(note["space"], f"{MEMBER}: space")
        hemisphere = bool(note["hemisphere"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RuntimeError) as error:
        text = " ".join(str(error).split())[:80]
        raise DuplexError(f"{MEMBER}: not the note of duplex-train ({type(error).__name__}: {text})") from None
    return replace(scene, **changes, space=space, hemisphere=hemisphere, principal_shift=0.0, assumed=())


def _floats(values: Any, count: int) -> tuple[float, ...]:
    if len(values) != count:
        raise ValueError(f"expected {count} numbers")
    numbers = tuple(float(value) for value in values)
    if not all(abs(number) < 1e9 for number in numbers):
        raise ValueError(f"expected {count} finite numbers")
    return numbers
