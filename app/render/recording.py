"""Recording of a camera path as an MP4 file or as a folder of PNG files, for the window and the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve, reserve_folder
from duplex.app.core.images import to_png
from duplex.app.core.outputs import check_folder, check_output
from duplex.app.render.frame import FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.scene.camera import Camera

ENCODING = {
    "crf": "18",  # constant rate factor of x264: visually lossless
    "x264-params": "mbtree=0",  # whose AVX-512 code does not always give the same bytes
}
BT709 = 1  # FFmpeg's number for the matrix, the primaries and the transfer function
LIMITED_RANGE = 1  # FFmpeg's number for luma from 16 to 235


class Recording:
    """Draws ``cameras`` one by one into a video if ``out`` ends in ``.mp4``, else into ``out``/00000.png, ...

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
        self.writer: _Video | _PngFolder
        if is_video(out):
            if self.options.background and self.options.background[3] < 1:
                raise DuplexError(f"{out}: an MP4 has no transparency: give a background, or a folder for PNGs")
            self.writer = _Video(out, fps)
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


def is_video(out: Path) -> bool:
    """Whether ``out`` names a video rather than a folder of pictures."""
    return out.suffix.lower() == ".mp4"


def check_destination(out: Path) -> None:
    """Raise :class:`DuplexError` if a recording cannot take the place of what is at ``out``."""
    if is_video(out):
        check_output(out, "the video to write")
    else:
        check_folder(out)


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


class _Video:
    """H.264 in an MP4 file, with 4:2:0 chroma for compatibility, so width and height must be even."""

    def __init__(self, file: Path, fps: float):
        import av  # slow to import and only needed for videos
        import av.error

        self.av = av
        self.file = file
        self.begun = False
        if not file.parent.is_dir():
            raise DuplexError(f"{file}: no folder {file.parent}: expected a name in a folder that exists")
        self.unfinished = reserve(file, "the video to write")
        try:
            self.container = av.open(
                str(self.unfinished.create(file).absolute()), "w", format="mp4", options={"movflags": "faststart"}
            )
            self.stream = self.container.add_stream(
                "libx264", rate=Fraction(fps).limit_denominator(1001), options=ENCODING
            )
        except (OSError, ValueError, av.error.FFmpegError) as error:
            self.unfinished.discard()
            raise DuplexError(f"{file}: no video can be written here ({error}): give a folder for PNGs") from None
        self.stream.pix_fmt = "yuv420p"
        context = self.stream.codec_context  # without these tags players guess the colour space
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE

    def add(self, image: Array) -> None:
        height, width = image.shape[:2]
        if not self.begun:
            if width % 2 or height % 2:
                self.discard()
                even = f"{width + width % 2}x{height + height % 2}"
                raise DuplexError(f"{self.file}: {width}x{height}: the sides of an MP4 must be even: give {even}")
            self.stream.width = width
            self.stream.height = height
            self.begun = True
        frame = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., :3]), format="rgb24")
        with self._named():
            self.container.mux(self.stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))

    def finish(self) -> None:
        with self._named():
            self.container.mux(self.stream.encode())
            self.container.close()
            self.unfinished.finish()

    def discard(self) -> None:
        try:
            self.container.close()
        except (OSError, self.av.error.FFmpegError):  # for example because the disk is full
            pass
        finally:
            self.unfinished.discard()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Discard the video if writing fails; the error gives the name of the final file."""
        try:
            yield
        except OSError as error:
            self.discard()
            raise OSError(error.errno, error.strerror, str(self.file)) from None
        except self.av.error.FFmpegError as error:
            self.discard()
            raise DuplexError(
                f"{self.file}: the video could not be written ({error}): give a folder for PNGs"
            ) from None
