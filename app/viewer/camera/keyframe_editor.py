"""The keyframe editor: a camera path that is edited, played, saved, loaded and recorded.

The panel's section *Path* (:mod:`duplex.app.viewer.panels.path`) shows it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, printable
from duplex.app.core.files import expanded
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.movies.recording import Recording, is_taken
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.camera_path import MAX_FRAMES, CameraPath, Keyframe
from duplex.app.scene.path_files import read_path, write_path

PREVIEW_POINTS = 24  # between two keyframes
MAX_PREVIEW_POINTS = 1000  # of the whole path
RECORDING_SECONDS = 0.1  # of each of the window's frames, while a path is recorded


@dataclass(frozen=True)
class PathOutput:
    """Where and how a path is saved and recorded.

    ``file``: the path's JSON file; ``video``: an ``.mp4`` file, or a folder for PNGs, both as the user typed them;
    ``ngp``: whether the JSON is instant-ngp's rather than nerfstudio's; ``transparent``: whether PNGs have no
    background.
    """

    file: str
    video: str
    ngp: bool = False
    transparent: bool = False

    @classmethod
    def beside(cls, folder: Path, stem: str) -> PathOutput:
        """Files in ``folder`` whose names begin with ``stem``; what no text can hold becomes ``?``."""
        own = printable(str(folder / stem))
        return cls(f"{own}.path.json", f"{own}.mp4")


@dataclass
class KeyframeEditor:
    """A camera path around ``bundle``.

    ``selected``: index of the keyframe that the panel edits, -1 for none; ``second``: where playing is; ``recording``:
    the recording in progress.
    """

    bundle: Bundle
    output: PathOutput
    path: CameraPath = field(default_factory=CameraPath)
    selected: int = -1
    second: float = 0.0
    playing: bool = False
    recording: Recording | None = None
    _preview: tuple[CameraPath, Array] | None = None  # a path, and its points
    _own: set[Path] = field(default_factory=set)  # files that were saved or loaded here, and may be replaced
    _recorded: str = ""  # where the recording goes

    @property
    def keyframe(self) -> Keyframe | None:
        """The selected keyframe."""
        return self.path.keyframes[self.selected] if 0 <= self.selected < len(self.path.keyframes) else None

    def add(self, camera: Camera) -> None:
        """Add a keyframe at ``camera`` behind the selected one, and select it."""
        at = self.selected + 1 if self.selected >= 0 else len(self.path.keyframes)
        keys = list(self.path.keyframes)
        keys.insert(at, Keyframe(camera.camera_to_world, camera.fov_y))
        self.path = replace(self.path, keyframes=tuple(keys))
        self.selected = at

    def change(self, keyframe: Keyframe | None) -> None:
        """Put ``keyframe`` in the place of the selected one; None removes it."""
        keys = list(self.path.keyframes)
        keys[self.selected : self.selected + 1] = [keyframe] if keyframe else []
        self.path = replace(self.path, keyframes=tuple(keys))
        self.selected = min(self.selected, len(keys) - 1)

    def select(self, index: int) -> Keyframe:
        """Select keyframe ``index``, and stop playing there."""
        self.selected = index
        self.second = float(self.path.seconds[index])
        self.playing = False
        return self.path.keyframes[index]

    def toggle_playing(self) -> None:
        """Play, or stop."""
        self.playing = not self.playing and len(self.path.keyframes) > 1
        if self.playing and self.second >= self.path.duration:
            self.second = 0.0

    def seek(self, second: float) -> Camera:
        """Stop playing at ``second``; returns the camera there."""
        self.playing = False
        self.second = second
        return self.path.camera(second)

    def advance(self, seconds: float) -> Camera | None:
        """Play on for ``seconds``; returns the camera to show, None where the path is not played."""
        if not self.playing or len(self.path.keyframes) < 2:
            self.playing = False
            return None
        self.second += seconds
        if self.path.loop:
            self.second %= self.path.duration
        elif self.second >= self.path.duration:
            self.second = self.path.duration
            self.playing = False
        return self.path.camera(self.second)

    def save(self) -> None:
        """Write the path's file, under another name if somebody else's has its own; raises DuplexError or OSError."""
        self._check()
        file = _typed_path(self.output.file)
        if file not in self._own:
            file = _free(file)
            self._own.add(file)
            self.output = replace(self.output, file=printable(str(file)))
        write_path(self.path, file, self.bundle.to_checkpoint, self.bundle.to_dataset, ngp=self.output.ngp)

    def load(self) -> None:
        """Read the path's file; raises :class:`DuplexError`, and then the path stays as it was."""
        file = _typed_path(self.output.file)
        self.path = read_path(file, self.bundle.to_checkpoint, self.bundle.to_dataset)
        self._own.add(file)
        self.selected = -1
        self.second = 0.0
        self.playing = False

    def record(self, renderer: Renderer, options: FrameOptions) -> None:
        """Start to record the path, drawn as ``options`` say; raises :class:`DuplexError` or OSError."""
        self._check()
        if self.output.transparent:
            options = replace(options, background=TRANSPARENT)
        path = self.path
        out = _free(_typed_path(self.output.video))
        self._recorded = printable(str(out))
        self.recording = Recording(renderer, path.cameras(), path.frames, out, path.fps, options)

    def record_some(self) -> str:
        """Record for :data:`RECORDING_SECONDS`; returns what to tell the user once the recording is finished.

        Raises :class:`DuplexError` or OSError, and then the recording is cancelled.
        """
        started = time.perf_counter()
        recording = self.recording
        if recording is None:
            return ""
        try:
            while not recording.finished and time.perf_counter() - started < RECORDING_SECONDS:
                recording.advance()
        except (DuplexError, OSError):
            self.cancel_recording()
            raise
        if not recording.finished:
            return ""
        self.recording = None
        return f"{self._recorded}: {recording.count} frames"

    def cancel_recording(self) -> None:
        """Stop recording, and leave no unfinished video behind."""
        if self.recording:
            self.recording.cancel()
            self.recording = None

    @property
    def busy(self) -> bool:
        """Whether there are keyframes to draw over the scene, or the progress of a recording to show."""
        return bool(self.path.keyframes) or self.recording is not None

    def preview(self) -> Array:
        """Points (n, 3) along the path, in world coordinates."""
        if self._preview is None or self._preview[0] is not self.path:
            count = min(PREVIEW_POINTS * len(self.path.keyframes), MAX_PREVIEW_POINTS)
            seconds = np.linspace(0, self.path.duration, count)
            self._preview = (self.path, np.stack([self.path.at(float(t))[0][:3, 3] for t in seconds]))
        return self._preview[1]

    def _check(self) -> None:
        """Raise :class:`DuplexError` where the path cannot be saved or recorded."""
        if not self.path.keyframes:
            raise DuplexError("this path is empty: add keyframes first (K)")
        if self.path.frames > MAX_FRAMES:
            raise DuplexError(f"{self.path.frames} frames: expected at most {MAX_FRAMES}: fewer seconds or frames/s")


def _free(path: Path) -> Path:
    """``path``, or where something is there already, the same with the first number that is free."""
    if not is_taken(path):
        return path
    numbered = (path.with_name(f"{path.stem}-{i:03d}{path.suffix}") for i in range(2, 10**6))
    return next(each for each in numbered if not is_taken(each))


def _typed_path(text: str) -> Path:
    """The path that a user typed; raises :class:`DuplexError` where nothing was typed."""
    if not text.strip():
        raise DuplexError("no name is given for the file: type one into its field")
    return expanded(Path(text.strip()))
