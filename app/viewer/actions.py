"""What a user can ask for: the window's input and the panel give actions, :mod:`apply_actions` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from duplex.app.core.arrays import Array
from duplex.app.scene.camera_path import CameraPath, Keyframe
from duplex.app.viewer.keyframe_editor import PathOutput
from duplex.app.viewer.look import Inspection, Look

# The window


@dataclass(frozen=True)
class TogglePanel:
    """Hide the panel, or show it."""


@dataclass(frozen=True)
class ToggleHelp:
    """Show the list of keys, or hide it."""


@dataclass(frozen=True)
class ShowHelp:
    """Show the list of keys, where ``visible``, or hide it."""

    visible: bool


@dataclass(frozen=True)
class OpenFile:
    """Open the bundle at ``path`` in place of the one that is open."""

    path: Path


@dataclass(frozen=True)
class BrowseFiles:
    """Let the user choose a bundle in the system's file dialog."""


@dataclass(frozen=True)
class CloseFile:
    """Close the bundle that is open."""


@dataclass(frozen=True)
class ReportError:
    """Tell the user that something went wrong: ``text`` is one sentence."""

    text: str


# What is shown


@dataclass(frozen=True)
class SetLook:
    """Show the scene as ``look`` says."""

    look: Look


@dataclass(frozen=True)
class SetInspection:
    """Let the instruments show what ``inspection`` says."""

    inspection: Inspection


@dataclass(frozen=True)
class ShowNumberedView:
    """Show the view of this ``index`` in the panel's list, if the list is that long."""

    index: int


@dataclass(frozen=True)
class CompareBackends:
    """Measure how well the backend agrees with the network in float32 and with ONNX Runtime."""


@dataclass(frozen=True)
class SavePicture:
    """Save what the window shows, without the panel, as a PNG."""


# The camera


@dataclass(frozen=True)
class Turn:
    """Turn by a mouse movement in pixels."""

    dx: float
    dy: float


@dataclass(frozen=True)
class Pan:
    """Move sideways by a mouse movement in pixels."""

    dx: float
    dy: float


@dataclass(frozen=True)
class Dolly:
    """Come closer by ``notches`` of the mouse wheel."""

    notches: float


@dataclass(frozen=True)
class Click:
    """Go to the bundle's camera that is drawn at ``x``, ``y``, window coordinates, if there is one."""

    x: float
    y: float


@dataclass(frozen=True)
class FrameScene:
    """Move the camera until the whole scene is in view."""


@dataclass(frozen=True)
class ResetCamera:
    """Go back to the first camera."""


@dataclass(frozen=True)
class CopyView:
    """Copy the camera as text."""


@dataclass(frozen=True)
class PasteView:
    """Go to the camera in the clipboard."""


@dataclass(frozen=True)
class NextCameraMode:
    """Switch from orbit to fly, trackball, and orbit again."""


@dataclass(frozen=True)
class SetCameraMode:
    """Switch to ``mode``: orbit, fly or trackball."""

    mode: str


@dataclass(frozen=True)
class SetFieldOfView:
    """Take a vertical field of view of ``radians``."""

    radians: float


@dataclass(frozen=True, eq=False)
class SetUp:
    """Take ``up``, a unit vector (3,), as the upward axis."""

    up: Array


@dataclass(frozen=True)
class JumpToCamera:
    """Go to the bundle's camera ``index``."""

    index: int


@dataclass(frozen=True)
class StepCamera:
    """Go to the bundle's next camera (``step`` 1) or to the one before (-1)."""

    step: int


@dataclass(frozen=True)
class GoToReference:
    """Go to the camera of the bundle's reference picture ``index``, and measure the PSNR there."""

    index: int


# The camera path


@dataclass(frozen=True)
class AddKeyframe:
    """Add the camera as a keyframe behind the selected one; ``announced``: a notice says which one it is."""

    announced: bool = False


@dataclass(frozen=True)
class SelectKeyframe:
    """Select keyframe ``index`` and go there."""

    index: int


@dataclass(frozen=True)
class SetKeyframeToView:
    """Move the selected keyframe to the camera."""


@dataclass(frozen=True)
class ChangeKeyframe:
    """Put ``keyframe`` in the place of the selected one; None removes it."""

    keyframe: Keyframe | None


@dataclass(frozen=True)
class SetPath:
    """Take ``path``: the same keyframes with other settings."""

    path: CameraPath


@dataclass(frozen=True)
class SeekPath:
    """Go to ``second`` of the path."""

    second: float


@dataclass(frozen=True)
class TogglePlaying:
    """Play the path, or stop."""


@dataclass(frozen=True)
class SetPathOutput:
    """Save and record the path as ``output`` says."""

    output: PathOutput


@dataclass(frozen=True)
class SavePath:
    """Write the path's file."""


@dataclass(frozen=True)
class LoadPath:
    """Read the path's file."""


@dataclass(frozen=True)
class RecordPath:
    """Start to record the path."""


@dataclass(frozen=True)
class CancelRecording:
    """Stop recording, and leave no unfinished video behind."""


WindowAction = TogglePanel | ToggleHelp | ShowHelp | OpenFile | BrowseFiles | CloseFile | ReportError
ViewAction = SetLook | SetInspection | ShowNumberedView | CompareBackends | SavePicture
CameraAction = (
    Turn
    | Pan
    | Dolly
    | Click
    | FrameScene
    | ResetCamera
    | CopyView
    | PasteView
    | NextCameraMode
    | SetCameraMode
    | SetFieldOfView
    | SetUp
    | JumpToCamera
    | StepCamera
    | GoToReference
)
PathAction = (
    AddKeyframe
    | SelectKeyframe
    | SetKeyframeToView
    | ChangeKeyframe
    | SetPath
    | SeekPath
    | TogglePlaying
    | SetPathOutput
    | SavePath
    | LoadPath
    | RecordPath
    | CancelRecording
)
Action = WindowAction | ViewAction | CameraAction | PathAction
