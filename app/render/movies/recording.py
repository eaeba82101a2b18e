"""Recording of a camera path as a video or as a folder of PNG files, for the window and the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve_folder
from duplex.app.core.images import to_png
from duplex.app.core.outputs import check_folder, check_output
from duplex.app.render.frame import FrameOptions
from duplex.app.render.movies.video import CONTENT, Gif, Video, is_video, open_video
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera


class Recording:
    """Draws ``cameras`` one by one into a video if ``out`` ends as one (:mod:`video`), else into ``out``/00000.png, ...

    ``count``: number of cameras; ``fps``: frames per second of the video; ``options``: how frames are drawn. Raises
    :class:`DuplexError` for a transparent background, an odd size or a missing codec in the case of a video, or if
    another process writes ``out``, and OSError if writing fails. Nothing appears at ``out`` before all is drawn.
    """

    def __init__(
        self,
        renderer: Renderer,
        cameras: Iterable[Camera],
        count: int,
        out: Path,
        fps: float = 30.0,
        options: FrameOptions | None = None,
    ):
        self.renderer = renderer
        self.cameras = iter(cameras)
        self.count = count
        self.options = options or FrameOptions()
        self.done = 0
        self.writer: Video | Gif | _PngFolder
        if is_video(out):
            if self.options.background and self.options.background[3] < 1:
                raise DuplexError(f"{out}: a video has no transparency: give a background, or a folder for PNGs")
            self.writer = open_video(out, fps)
        else:
            self.writer = _PngFolder(out)

    @property
    def finished(self) -> bool:
        """Whether all frames are drawn and the file is complete."""
        return self.done == self.count

    def advance(self) -> None:
        """Draw and write the next frame; the last one completes the file."""
        self.writer.add(self.renderer.image(next(self.cameras), self.options))
        if self.done + 1 == self.count:
            self.writer.finish()
        self.done += 1

    def cancel(self) -> None:
        """Delete the unfinished video or pictures."""
        self.writer.discard()


def check_destination(out: Path) -> None:
    """Raise :class:`DuplexError` if a recording cannot take the place of what is at ``out``."""
    if is_video(out):
        check_output(out, CONTENT)
    else:
        check_folder(out)


def is_taken(out: Path) -> bool:
    """Whether a recording at ``out`` would replace something: a file, or a folder that is not empty."""
    return any(out.iterdir()) if out.is_dir() else out.exists()


class _PngFolder:
    def __init__(self, folder: Path):
        self.folder = folder
        self.count = 0
        self.unfinished = reserve_folder(folder)

    def add(self, image: Array) -> None:
        try:
            self.unfinished.write(self.folder / f"{self.count:05d}.png", to_png(image))
        except OSError:
            self.discard()
            raise
        self.count += 1

    def finish(self) -> None:
        self.unfinished.finish()

    def discard(self) -> None:
        self.unfinished.discard()
