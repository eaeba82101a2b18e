"""The up axis that cameras show which go around: photographers hold cameras level, whatever axis a format calls up.

* ``r``, ``u``, ``g``: a camera's unit right axis, up axis and gaze; ``n``: a unit candidate for up, either way round.
* A camera stands *level* for ``n`` if ``|r . n| < TILT``, and *rolled*, as for a portrait, if ``|u . n| < TILT``.
* Cameras go around ``n`` if their gazes, seen along ``n``, are spread in both directions of that plane.
"""

from __future__ import annotations

import math

import numpy as np

from duplex.app.core.arrays import Array

TILT = math.sin(math.radians(15))
AGREEMENT = 0.75  # the share of cameras that must stand level or rolled
ROLLED = 0.9  # what a rolled camera counts, a level one being 1
SPREAD = 0.15  # the smaller one of the gazes' second moments in the plane as a share of both; 0.5: evenly around
ARC = 0.5  # length of the mean gaze in the plane from which cameras stand along an arc, not all around
FLAT = 0.05  # second moments of the positions in a flat ring: the smallest over the middle one
ROUND = 0.3  # and the middle one over the largest
SAME = math.cos(math.radians(10))
FORWARD_GAZE = 0.8  # length of the mean gaze of cameras spread evenly over a cone of 53 degrees around its axis
STEEP_GAZE = 0.97  # of a ring that looks down by 76 degrees, beyond which a ring is no different from a survey
TURNED = 0.5  # length of the mean right axis, four times its angle, of cameras that are turned in all directions
MIN_CAMERAS, MAX_CAMERAS = 5, 400  # that are looked at
PAIRS = 300


def is_forward_facing(poses: Array) -> bool:
    """Whether cameras ``poses`` (n, 4, 4) look in about the same direction; a ring that looks down steeply does not."""
    mean = poses[:, :3, 2].mean(0)
    length = float(np.linalg.norm(mean))
    if not FORWARD_GAZE < length < STEEP_GAZE or len(poses) < MIN_CAMERAS:
        return length > FORWARD_GAZE
    first = np.cross(mean, poses[0, :3, 0])
    second = np.cross(mean, first)
    right = poses[:, :3, 0]
    angles = np.arctan2(right @ second / np.linalg.norm(second), right @ first / np.linalg.norm(first))
    return bool(abs(np.exp(4j * angles).mean()) > TURNED)  # portraits and pictures upside down count as level ones


def up_shown_by(poses: Array, declared: Array) -> Array | None:
    """The unit up axis (3,) that cameras ``poses`` (n, 4, 4) show; None unless they go around and agree on one.

    ``declared``: the unit axis of their format, which tells up from down if the cameras do not.
    """
    poses = poses[:: max(-(-len(poses) // MAX_CAMERAS), 1)]
    if len(poses) < MIN_CAMERAS:
        return None
    normal = _level_axis(poses)
    if normal is None:
        normal = _ring_axis(poses)
    return None if normal is None else normal * _sign(normal, poses, declared)


def same_axis(up: Array, other: Array) -> bool:
    """Whether two unit axes (3,) are within 10 degrees of each other."""
    return bool(np.dot(up, other) >= SAME)


def up_note(shown: Array, usual: Array) -> str:
    """The note about an up axis that cameras show and that is not the ``usual`` one."""
    return f"note: up is {_text(shown)} by the cameras, not {_text(usual)} as its format has it: --up says otherwise"


def _text(up: Array) -> str:
    """An axis for a message: ``+z``, or its numbers."""
    axis = int(np.argmax(np.abs(up)))
    if np.isclose(abs(up[axis]), 1):
        return f"{'+' if up[axis] > 0 else '-'}{'xyz'[axis]}"
    return " ".join(f"{x:.2g}" for x in np.round(up, 2) + 0.0)


def _level_axis(poses: Array) -> Array | None:
    """The axis for which most cameras stand level or rolled."""
    right, up = poses[:, :3, 0], poses[:, :3, 1]
    pool = np.concatenate([right, up])
    first, second = np.random.default_rng(0).integers(0, len(pool), (2, PAIRS))
    normals = np.cross(pool[first], pool[second])
    lengths = np.linalg.norm(normals, axis=1)
    candidates = [normal / length for normal, length in zip(normals, lengths, strict=True) if length > 0.3]
    candidates = [normal for normal in candidates if _is_around(normal, poses)]
    if not candidates:
        return None
    level, rolled = _standing(np.stack(candidates), poses)
    best = int(np.argmax(level.mean(1) + ROLLED * rolled.mean(1)))
    axes = np.concatenate([right[level[best]], up[rolled[best]]])
    normal = np.asarray(np.linalg.eigh(axes.T @ axes)[1][:, 0])
    level, rolled = _standing(normal[None], poses)
    if (level | rolled).mean() < AGREEMENT or not _is_around(normal, poses):
        return None
    if level.mean() < rolled.mean() and _mean_gaze(normal, poses) > ARC:  # perhaps an arc over the top
        return None
    return normal


def _ring_axis(poses: Array) -> Array | None:
    """The axis of the flat ring on which the cameras stand, however they are held."""
    positions = poses[:, :3, 3] - poses[:, :3, 3].mean(0)
    moments, axes = np.linalg.eigh(positions.T @ positions)
    if not (moments[0] < FLAT * moments[1] and moments[1] > ROUND * moments[2]):
        return None
    normal = np.asarray(axes[:, 0])
    return normal if _is_around(normal, poses) and _mean_gaze(normal, poses) < ARC else None


def _standing(normals: Array, poses: Array) -> tuple[Array, Array]:
    """Which cameras stand level, and which others rolled, for ``normals`` (k, 3): each (k, n) bool."""
    level = np.abs(normals @ poses[:, :3, 0].T) < TILT
    return level, (np.abs(normals @ poses[:, :3, 1].T) < TILT) & ~level


def _is_around(normal: Array, poses: Array) -> bool:
    gazes = poses[:, :3, 2]
    across = gazes - (gazes @ normal)[:, None] * normal
    moments = np.linalg.eigvalsh(across.T @ across)
    return bool(moments[1] > SPREAD * (moments[1] + moments[2]) and moments[2] > 1e-6)


def _mean_gaze(normal: Array, poses: Array) -> float:
    """Length of the mean of the gazes' unit directions in the plane across ``normal``."""
    gazes = poses[:, :3, 2]
    across = gazes - (gazes @ normal)[:, None] * normal
    return float(np.linalg.norm(across.sum(0)) / max(np.linalg.norm(across, axis=1).sum(), 1e-9))


def _sign(normal: Array, poses: Array, declared: Array) -> float:
    """1 or -1: as most cameras that stand level are held, else so that they look down, else as declared."""
    (level,), _ = _standing(normal[None], poses)
    for side, least in (
        (float(np.sum(poses[level, :3, 1] @ normal)) / len(poses), 0.1),
        (float(np.mean(poses[:, :3, 2] @ normal)), 0.05),
    ):
        if abs(side) > least:
            return math.copysign(1, side)
    return math.copysign(1, float(declared @ normal))
