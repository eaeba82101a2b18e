"""What a user can ask for: the window's input and the panel give actions, :mod:`apply_actions` applies them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from duplex.app.core.arrays import Array
from duplex.app.viewer.look import Inspection, Look, PictureSettings


class Action:
    """Something that a user asks for."""


class WindowAction(Action):
    """Changes the window, or what is open in it."""


@dataclass(frozen=True)
class TogglePanel(WindowAction):
    """Hide the panel, or show it."""


@dataclass(frozen=True)
class SetPanelWidth(WindowAction):
    """Make the panel ``width`` wide, at 96 dpi."""

    width: float


@dataclass(frozen=True)
class ToggleHelp(WindowAction):
    """Show the list of keys, or hide it."""


@dataclass(frozen=True)
class ShowHelp(WindowAction):
    """Show the list of keys, where ``visible``, or hide it."""

    visible: bool


@dataclass(frozen=True)
class Dismiss(WindowAction):
    """Close what is open over the window: a drop-down, a dialog, the list of keys."""


@dataclass(frozen=True)
class OpenFile(WindowAction):
    """Open the bundle at ``path`` in place of the one that is open."""

    path: Path


@dataclass(frozen=True)
class BrowseFiles(WindowAction):
    """Let the user choose a bundle in the system's file dialog."""


@dataclass(frozen=True)
class CloseFile(WindowAction):
    """Close the bundle that is open."""


@dataclass(frozen=True)
class ReportError(WindowAction):
    """Tell the user that something went wrong: ``text`` is one sentence."""

    text: str


@dataclass(frozen=True)
class CloseDialog(WindowAction):
    """Ask the user nothing any more."""


@dataclass(frozen=True)
class CopyText(WindowAction):
    """Copy ``text``."""

    text: str


class ViewAction(Action):
    """Changes what is shown of the open scene."""


@dataclass(frozen=True)
class SetLook(ViewAction):
    """Show the scene as ``look`` says."""

    look: Look


@dataclass(frozen=True)
class SetInspection(ViewAction):
    """Let the instruments show what ``inspection`` says."""

    inspection: Inspection


@dataclass(frozen=True)
class ShowNumberedView(ViewAction):
    """Show the view of this ``index`` in the panel's list, if the list is that long."""

    index: int


@dataclass(frozen=True)
class CompareBackends(ViewAction):
    """Measure how well the backend agrees with the network in float32 and with ONNX Runtime."""


@dataclass(frozen=True)
class SetTrueLength(ViewAction):
    """The distance that is measured is ``length`` in true units."""

    length: float


@dataclass(frozen=True)
class SetPictures(ViewAction):
    """Save pictures as ``settings`` say."""

    settings: PictureSettings


@dataclass(frozen=True)
class SavePicture(ViewAction):
    """Save what the window shows, without the panel, as a PNG."""


@dataclass(frozen=True)
class Undo(ViewAction):
    """Take back the last change of the look, the instruments or the path."""


@dataclass(frozen=True)
class Redo(ViewAction):
    """Make the change again that was taken back last."""


class CameraAction(Action):
    """Moves the camera, or changes how it moves."""


@dataclass(frozen=True)
class Turn(CameraAction):
    """Turn by a mouse movement in pixels."""

    dx: float
    dy: float


@dataclass(frozen=True)
class Pan(CameraAction):
    """Move sideways by a mouse movement in pixels."""

    dx: float
    dy: float


@dataclass(frozen=True)
class Dolly(CameraAction):
    """Come closer by ``notches`` of the mouse wheel, to what is at ``place``, window coordinates, or to the target."""

    notches: float
    place: tuple[float, float] | None = None


@dataclass(frozen=True)
class Click(CameraAction):
    """Go to the bundle's camera that is drawn at ``x``, ``y``, window coordinates, if there is one."""

    x: float
    y: float


@dataclass(frozen=True)
class SetPivot(CameraAction):
    """Look at what is at ``x``, ``y``, window coordinates, and turn around it."""

    x: float
    y: float


@dataclass(frozen=True)
class FrameScene(CameraAction):
    """Move the camera until the whole scene is in view."""


@dataclass(frozen=True)
class ResetCamera(CameraAction):
    """Go back to the first camera."""


@dataclass(frozen=True)
class CopyView(CameraAction):
    """Copy the camera as text."""


@dataclass(frozen=True)
class PasteView(CameraAction):
    """Go to the camera in the clipboard."""


@dataclass(frozen=True)
class LookFrom(CameraAction):
    """See the target from the ``side``: front, back, left, right, top or bottom."""

    side: str


@dataclass(frozen=True)
class SetFlySpeed(CameraAction):
    """Fly ``times`` as fast as at first."""

    times: float


@dataclass(frozen=True)
class ScaleFlySpeed(CameraAction):
    """Fly ``times`` as fast as now."""

    times: float


@dataclass(frozen=True)
class AddBookmark(CameraAction):
    """Keep the view under ``name``."""

    name: str


@dataclass(frozen=True)
class GoToBookmark(CameraAction):
    """Go to the bookmark ``index``."""

    index: int


@dataclass(frozen=True)
class RemoveBookmark(CameraAction):
    """Keep the bookmark ``index`` no longer."""

    index: int


@dataclass(frozen=True)
class NextCameraMode(CameraAction):
    """Switch from orbit to fly, trackball, and orbit again."""


@dataclass(frozen=True)
class SetCameraMode(CameraAction):
    """Switch to ``mode``: orbit, fly or trackball."""

    mode: str


@dataclass(frozen=True)
class SetFieldOfView(CameraAction):
    """Take a vertical field of view of ``radians``."""

    radians: float


@dataclass(frozen=True, eq=False)
class SetUp(CameraAction):
    """Take ``up``, a unit vector (3,), as the upward axis."""

    up: Array


@dataclass(frozen=True)
class JumpToCamera(CameraAction):
    """Go to the bundle's camera ``index``."""

    index: int


@dataclass(frozen=True)
class StepCamera(CameraAction):
    """Go to the bundle's next camera (``step`` 1) or to the one before (-1)."""

    step: int


@dataclass(frozen=True)
class GoToReference(CameraAction):
    """Go to the camera of the bundle's reference picture ``index``, and measure the PSNR there."""

    index: int
