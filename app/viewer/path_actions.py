"""What a user can ask for of the camera path, as :mod:`actions` for all else."""

from __future__ import annotations

from dataclasses import dataclass

from duplex.app.scene.camera_path import CameraPath, Keyframe
from duplex.app.viewer.actions import Action
from duplex.app.viewer.camera.keyframe_editor import PathOutput


class PathAction(Action):
    """Changes, plays, saves or records the camera path."""


@dataclass(frozen=True)
class AddKeyframe(PathAction):
    """Add the camera as a keyframe behind the selected one; ``announced``: a notice says which one it is."""

    announced: bool = False


@dataclass(frozen=True)
class SelectKeyframe(PathAction):
    """Select keyframe ``index`` and go there."""

    index: int


@dataclass(frozen=True)
class SetKeyframeToView(PathAction):
    """Move the selected keyframe to the camera."""


@dataclass(frozen=True)
class ChangeKeyframe(PathAction):
    """Put ``keyframe`` in the place of the selected one; None removes it."""

    keyframe: Keyframe | None


@dataclass(frozen=True)
class SetPath(PathAction):
    """Take ``path``: the same keyframes with other settings."""

    path: CameraPath


@dataclass(frozen=True)
class SeekPath(PathAction):
    """Go to ``second`` of the path."""

    second: float


@dataclass(frozen=True)
class TogglePlaying(PathAction):
    """Play the path, or stop."""


@dataclass(frozen=True)
class SetPathOutput(PathAction):
    """Save and record the path as ``output`` says."""

    output: PathOutput


@dataclass(frozen=True)
class SavePath(PathAction):
    """Write the path's file."""


@dataclass(frozen=True)
class LoadPath(PathAction):
    """Read the path's file."""


@dataclass(frozen=True)
class RecordPath(PathAction):
    """Start to record the path."""


@dataclass(frozen=True)
class CancelRecording(PathAction):
    """Stop recording, and leave no unfinished video behind."""
