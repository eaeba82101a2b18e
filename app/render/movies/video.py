"""Videos of frames that come one by one: H.264 in MP4 or MOV, VP9 in WebM, and GIF."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import reserve

X264 = {
    "crf": "18",  # constant rate factor of x264: visually lossless
    "x264-params": "mbtree=0",  # whose AVX-512 code does not always give the same bytes
}
VP9 = {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"}
BT709 = 1  # FFmpeg's number for the matrix, the primaries and the transfer function
LIMITED_RANGE = 1  # FFmpeg's number for luma from 16 to 235
CONTENT = "the video to write"
MOST_GIF_BYTES = 1 << 30  # of all frames in memory, a byte a pixel
GIF_COLORS = 256


class Codec(NamedTuple):
    """FFmpeg's names of a container and an encoder, and the encoder's options."""

    container: str
    encoder: str
    options: dict[str, str]


CODECS = {
    ".mp4": Codec("mp4", "libx264", X264),
    ".mov": Codec("mov", "libx264", X264),
    ".webm": Codec("webm", "libvpx-vp9", VP9),
}
GIF = ".gif"
ENDINGS = (*CODECS, GIF)
OTHER_VIDEOS = (".avi", ".mkv", ".m4v", ".wmv", ".mpg", ".mpeg", ".flv", ".ogv", ".3gp", ".mts", ".apng")


def is_video(out: Path) -> bool:
    """Whether ``out`` names a video, not a folder of pictures; raises :class:`DuplexError` for another kind."""
    ending = out.suffix.lower()
    if ending in OTHER_VIDEOS:
        raise DuplexError(f"{out}: no {ending[1:]} is written here: expected {', '.join(ENDINGS)}, or a folder")
    return ending in ENDINGS


def open_video(out: Path, fps: float) -> Video | Gif:
    """A video at ``out``, of the kind that its name ends in, to which frames are added."""
    if not out.parent.is_dir():
        raise DuplexError(f"{out}: no folder {out.parent}: expected a name in a folder that exists")
    return Gif(out, fps) if out.suffix.lower() == GIF else Video(out, fps)


class Gif:
    """A GIF file, whose frames have 256 colours each and wait in memory until the last one."""

    def __init__(self, file: Path, fps: float):
        self.file = file
        self.milliseconds = max(round(100 / fps), 2) * 10  # browsers slow down what is faster than 20
        self.frames: list[Image.Image] = []
        self.bytes = 0
        self.unfinished = reserve(file, CONTENT)

    def add(self, image: Array) -> None:
        """Add a frame (h, w, 4) uint8, which is opaque."""
        self.bytes += image.shape[0] * image.shape[1]
        if self.bytes > MOST_GIF_BYTES:
            self.discard()
            raise DuplexError(f"{self.file}: too many frames of this size for a GIF: expected fewer, or a .webm")
        picture = Image.fromarray(np.ascontiguousarray(image[..., :3]))
        self.frames.append(picture.quantize(GIF_COLORS, Image.Quantize.FASTOCTREE))

    def finish(self) -> None:
        """Write the file."""
        buffer = io.BytesIO()
        first, *others = self.frames
        first.save(buffer, "GIF", save_all=True, append_images=others, duration=self.milliseconds, loop=0)
        try:
            self.unfinished.write(self.file, buffer.getvalue())
            self.unfinished.finish()
        except OSError:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave nothing behind."""
        self.frames.clear()
        self.unfinished.discard()


class Video:
    """A file of one of the :data:`CODECS`, with 4:2:0 chroma for compatibility, so width and height must be even."""

    def __init__(self, file: Path, fps: float):
        import av  # slow to import and only needed for videos
        import av.error

        self.av = av
        self.file = file
        self.begun = False
        codec = CODECS[file.suffix.lower()]
        self.unfinished = reserve(file, CONTENT)
        try:
            self.container = av.open(
                str(self.unfinished.create(file).absolute()),
                "w",
                format=codec.container,
                options={"movflags": "faststart"} if codec.encoder == "libx264" else {},
            )
            stream = self.container.add_stream(
                codec.encoder, rate=Fraction(fps).limit_denominator(1001), options=codec.options
            )
        except (OSError, ValueError, av.error.FFmpegError) as error:
            self.unfinished.discard()
            raise DuplexError(f"{file}: no video can be written here ({error}): give a folder for PNGs") from None
        self.stream = cast(Any, stream)  # of a class that PyAV chooses by the encoder's name
        self.stream.pix_fmt = "yuv420p"
        context = self.stream.codec_context  # without these tags players guess the colour space
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED_RANGE

    def add(self, image: Array) -> None:
        """Add a frame (h, w, 4) uint8, which is opaque."""
        height, width = image.shape[:2]
        if not self.begun:
            if width % 2 or height % 2:
                self.discard()
                even = f"{width + width % 2}x{height + height % 2}"
                raise DuplexError(f"{self.file}: {width}x{height}: the sides of a video must be even: give {even}")
            self.stream.width = width
            self.stream.height = height
            self.begun = True
        frame = self.av.VideoFrame.from_ndarray(np.ascontiguousarray(image[..., :3]), format="rgb24")
        with self._named():
            self.container.mux(self.stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))

    def finish(self) -> None:
        """Complete the file."""
        with self._named():
            self.container.mux(self.stream.encode())
            self.container.close()
            self.unfinished.finish()

    def discard(self) -> None:
        """Leave nothing behind."""
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
