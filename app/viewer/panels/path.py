"""The panel's camera path: keyframes, their preview in the scene, playing, files, and recording."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from imgui_bundle import imgui

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, printable, sentence_of
from duplex.app.core.files import expanded
from duplex.app.render.frame import Rgba
from duplex.app.render.recording import Recording
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import MAX_SIDE, Camera
from duplex.app.scene.camera_path import MAX_FRAMES, CameraPath, Keyframe
from duplex.app.scene.path_files import MAX_SECONDS, read_path, write_path
from duplex.app.viewer.notices import Notices
from duplex.app.viewer.overlay import Overlay

PREVIEW_POINTS, MOST_POINTS = 24, 1000  # between two keyframes; of the whole way
WAY, KEY, SELECTED = 0xFFFFB040, 0xFF40C0FF, 0xFF4060FF  # ABGR
RECORDING_SECONDS = 0.1  # of each frame of the window, while a path is recorded


def _seconds(typed: float) -> float:
    """What files may hold of what was typed."""
    return min(max(typed, 0.01), MAX_SECONDS)


@dataclass
class PathEditor:
    """A path for the camera around ``bundle``, which is saved and recorded as ``file`` and ``out`` say.

    ``second``: where playing is; ``selected``: the keyframe that the panel edits.
    """

    bundle: Bundle
    file: str
    out: str
    path: CameraPath = field(default_factory=CameraPath)
    selected: int = -1
    second: float = 0.0
    playing: bool = False
    ngp: bool = False
    transparent: bool = False
    recording: Recording | None = None
    way: tuple[CameraPath, Array] | None = None  # a path, and places along it to draw

    @classmethod
    def beside(cls, bundle: Bundle, folder: Path, stem: str) -> PathEditor:
        """An empty path whose files would lie in ``folder``; names that are no text are not kept."""
        own = printable(str(folder / stem))
        return cls(bundle, f"{own}.path.json", f"{own}.mp4")

    def add(self, camera: Camera) -> None:
        """Add a keyframe at ``camera`` behind the selected one."""
        at = self.selected + 1 if self.selected >= 0 else len(self.path.keyframes)
        keys = list(self.path.keyframes)
        keys.insert(at, Keyframe(camera.camera_to_world, camera.fov_y))
        self.path, self.selected = replace(self.path, keyframes=tuple(keys)), at

    def _chosen(self) -> list[Keyframe]:
        """The selected keyframe, if there is one."""
        return list(self.path.keyframes[self.selected : self.selected + 1]) if self.selected >= 0 else []

    def change(self, index: int, key: Keyframe | None) -> None:
        """Put ``key`` in the place of keyframe ``index``, or with None take that out."""
        keys = list(self.path.keyframes)
        keys[index : index + 1] = [key] if key else []
        self.path = replace(self.path, keyframes=tuple(keys))
        self.selected = min(self.selected, len(keys) - 1)

    def play(self) -> None:
        """Begin to play, or stop."""
        self.playing = not self.playing and len(self.path.keyframes) > 1
        if self.playing and self.second >= self.path.duration:
            self.second = 0.0

    def advance(self, seconds: float) -> Camera | None:
        """The camera to show now when the path is played, ``seconds`` after the last call."""
        if not self.playing or len(self.path.keyframes) < 2:
            self.playing = False
            return None
        self.second += seconds
        if self.path.loop:
            self.second %= self.path.duration
        elif self.second >= self.path.duration:
            self.second, self.playing = self.path.duration, False
        return self.path.camera(self.second)

    def save(self) -> None:
        """Write :attr:`file`; raises :class:`DuplexError` or OSError."""
        if not self.path.keyframes:
            raise DuplexError("this path is empty: add keyframes first (K)")
        self._check_length()
        write_path(self.path, _named(self.file), self.bundle.to_checkpoint, self.bundle.to_dataset, ngp=self.ngp)

    def load(self) -> None:
        """Read :attr:`file`; raises :class:`DuplexError`, and then the path stays as it was."""
        self.path = read_path(_named(self.file), self.bundle.to_checkpoint, self.bundle.to_dataset)
        self.selected, self.second, self.playing = -1, 0.0, False

    def record(self, renderer: Renderer, background: Rgba) -> None:
        """Begin to draw the path into :attr:`out`; raises :class:`DuplexError` or OSError."""
        if not self.path.keyframes:
            raise DuplexError("this path is empty: add keyframes first (K)")
        self._check_length()
        if self.transparent:
            background = (0.0, 0.0, 0.0, 0.0)
        self.recording = Recording(
            renderer, self.path.cameras(), self.path.frames, _named(self.out), self.path.fps, background
        )

    def _check_length(self) -> None:
        if self.path.frames > MAX_FRAMES:
            raise DuplexError(f"{self.path.frames} frames: expected at most {MAX_FRAMES}: fewer seconds or frames/s")

    @property
    def busy(self) -> bool:
        """Whether the way is drawn over the scene, or a recording's progress changes."""
        return bool(self.path.keyframes) or self.recording is not None

    def record_some(self, notices: Notices) -> None:
        """Draw frames of a recording for a moment."""
        recording, begun = self.recording, time.perf_counter()
        if recording is None:
            return
        try:
            while not recording.finished and time.perf_counter() - begun < RECORDING_SECONDS:
                recording.advance()
        except (DuplexError, OSError) as error:
            self.cancel()
            notices.error(sentence_of(error))
            return
        if recording.finished:
            self.recording = None
            notices.note(f"{self.out}: {recording.count} frames")

    def cancel(self) -> None:
        """Give the recording up."""
        if self.recording:
            self.recording.cancel()
            self.recording = None

    def draw_way(self, overlay: Overlay, size: float) -> None:
        """Declare the way and its keyframes over the scene; ``size``: of a camera, world units."""
        keys = self.path.keyframes
        if self.playing:
            return
        if len(keys) > 1:
            if self.way is None or self.way[0] is not self.path:
                steps = np.linspace(0, self.path.duration, min(PREVIEW_POINTS * len(keys), MOST_POINTS))
                self.way = (self.path, np.stack([self.path.at(float(t))[0][:3, 3] for t in steps]))
            overlay.way(self.way[1], WAY)
        for chosen, color in (([k for i, k in enumerate(keys) if i != self.selected], KEY), (self._chosen(), SELECTED)):
            overlay.frusta([key.camera_to_world for key in chosen], [key.fov for key in chosen], size, color)

    def draw_panel(
        self, camera: Camera, show: Callable[[Camera], None], record: Callable[[], None], notices: Notices
    ) -> None:
        """Declare the panel's section; ``show`` goes to a camera, ``record`` begins a recording."""
        if imgui.button("add keyframe (K)"):
            self.add(camera)
        imgui.same_line()
        imgui.begin_disabled(len(self.path.keyframes) < 2)
        if imgui.button("stop" if self.playing else "play"):
            self.play()
        imgui.end_disabled()
        self._draw_keyframes(camera, show)
        if len(self.path.keyframes) > 1:
            moved, self.second = imgui.slider_float(
                "second", min(self.second, self.path.duration), 0, self.path.duration, "%.2f"
            )
            if moved:
                self.playing = False
                show(self.path.camera(self.second))
        looped, loop = imgui.checkbox("loop", self.path.loop)
        imgui.same_line()
        eased, ease = imgui.checkbox("slow ends", self.path.ease)
        timed, seconds = imgui.slider_float("seconds each", self.path.transition, 0.1, 20, "%.1f")
        bent, tension = imgui.slider_float("tension", self.path.tension, 0, 1, "%.2f")
        if looped or eased or timed or bent:
            self.path = replace(
                self.path, loop=loop, ease=ease, transition=_seconds(seconds), tension=min(max(tension, 0), 1)
            )
        self._draw_files(notices)
        self._draw_recording(record)

    def _draw_keyframes(self, camera: Camera, show: Callable[[Camera], None]) -> None:
        rows = imgui.ListClipper()
        rows.begin(len(self.path.keyframes))
        while rows.step():
            for i in range(rows.display_start, rows.display_end):
                imgui.push_id(i)
                chosen, _ = imgui.selectable(f"{i + 1}   {self.path.seconds[i]:.1f} s", i == self.selected)
                if chosen:
                    key, self.selected = self.path.keyframes[i], i
                    self.second, self.playing = float(self.path.seconds[i]), False
                    show(Camera.from_fov(key.camera_to_world, camera.width, camera.height, key.fov))
                imgui.pop_id()
        if not self._chosen():
            return
        (key,) = self._chosen()
        if imgui.button("set to view"):
            self.change(self.selected, replace(key, camera_to_world=camera.camera_to_world, fov=camera.fov_y))
        imgui.same_line()
        if imgui.button("remove"):
            self.change(self.selected, None)
            return
        own, on = imgui.checkbox("its own seconds", key.seconds is not None)
        if own:
            self.change(self.selected, replace(key, seconds=self.path.transition if on else None))
        elif key.seconds is not None:
            changed, seconds = imgui.slider_float("##own", key.seconds, 0.1, 20, "%.1f")
            if changed:
                self.change(self.selected, replace(key, seconds=_seconds(seconds)))

    def _draw_files(self, notices: Notices) -> None:
        _, self.file = imgui.input_text("file", self.file)
        for name, act in (("save", self.save), ("load", self.load)):
            if imgui.button(name):
                try:
                    act()
                    notices.note(
                        f"{self.file}: {len(self.path.keyframes)} keyframes, {name}{'d' if name == 'save' else 'ed'}"
                    )
                except (DuplexError, OSError) as error:
                    notices.error(sentence_of(error))
            imgui.same_line()
        _, self.ngp = imgui.checkbox("for instant-ngp", self.ngp)

    def _draw_recording(self, record: Callable[[], None]) -> None:
        if self.recording:
            imgui.progress_bar(
                self.recording.done / self.recording.count,
                imgui.ImVec2(-1, 0),
                f"{self.recording.done} of {self.recording.count} frames",
            )
            if imgui.button("cancel"):
                self.cancel()
            return
        _, sides = imgui.input_int2("pixels", [self.path.width, self.path.height])
        _, fps = imgui.slider_int("frames/s", round(self.path.fps), 1, 120)
        width, height = (min(max(side, 2), MAX_SIDE) for side in sides)
        if (width, height, fps) != (self.path.width, self.path.height, round(self.path.fps)):
            self.path = replace(self.path, width=width, height=height, fps=float(min(max(fps, 1), 240)))
        _, self.out = imgui.input_text("into", self.out)
        if imgui.is_item_hovered():
            imgui.set_tooltip("a video if it ends in .mp4, else a folder for PNGs")
        if imgui.button("record"):
            record()
        imgui.same_line()
        _, self.transparent = imgui.checkbox("transparent", self.transparent)


def _named(field: str) -> Path:
    """The path in a field of the panel; raises :class:`DuplexError` where the field is empty."""
    if not field.strip():
        raise DuplexError("no name is given for the file: type one into its field")
    return expanded(Path(field.strip()))
