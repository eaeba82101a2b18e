"""Undo and redo of what a user sets: the look, the instruments and the path, but not where the camera is."""

from __future__ import annotations

from dataclasses import dataclass

from duplex.app.scene.camera_path import CameraPath
from duplex.app.viewer.look import Inspection, Look

MOST_STEPS = 200
JOINED_SECONDS = 0.7  # changes of one kind that follow each other so quickly, as by a slider, are one step


@dataclass(frozen=True)
class Undoable:
    """All that undo brings back; ``selected``: the path's selected keyframe."""

    look: Look
    inspection: Inspection
    path: CameraPath
    selected: int

    def is_as(self, other: Undoable) -> bool:
        """Whether nothing differs but the selected keyframe."""
        return self.path is other.path and (self.look, self.inspection) == (other.look, other.inspection)


class History:
    """The steps that can be undone, and those that can be done again."""

    def __init__(self) -> None:
        self._done: list[Undoable] = []
        self._undone: list[Undoable] = []
        self._last: tuple[object, float] = (None, 0.0)

    def note(self, before: Undoable, after: Undoable, kind: object, now: float) -> None:
        """A change of some ``kind`` was made at ``now``, seconds of a monotonic clock."""
        if before.is_as(after):
            return
        joined = self._last[0] == kind and now - self._last[1] < JOINED_SECONDS and self._done
        self._last = (kind, now)
        self._undone.clear()
        if not joined:
            self._done = [*self._done[1 - MOST_STEPS :], before]

    def undo(self, present: Undoable) -> Undoable | None:
        """What was before the last step, None if there is none; ``present``: what is now."""
        return self._step(self._done, self._undone, present)

    def redo(self, present: Undoable) -> Undoable | None:
        """What was before the last :meth:`undo`, None if there is none."""
        return self._step(self._undone, self._done, present)

    def forget(self) -> None:
        """Another scene is open: there is nothing to undo."""
        self._done.clear()
        self._undone.clear()

    def _step(self, source: list[Undoable], target: list[Undoable], present: Undoable) -> Undoable | None:
        self._last = (None, 0.0)
        if not source:
            return None
        target.append(present)
        return source.pop()
