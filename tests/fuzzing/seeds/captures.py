"""Photos without cameras and videos, a few tiny ones of each format."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pillow_heif
from PIL import Image

CODECS = (("walk.mp4", "libx264"), ("walk.mov", "mpeg4"), ("walk.webm", "libvpx"), ("walk.avi", "mjpeg"))
SIZE = 64, 48


def write(folder: Path) -> None:
    """The seeds."""
    small = folder / "small"
    rng = np.random.default_rng(0)
    coarse = (rng.random((4, 8, 12, 3)) * 255).astype(np.uint8)
    frames = [np.asarray(Image.fromarray(each).resize(SIZE, Image.Resampling.BICUBIC)) for each in coarse]
    for name, codec in CODECS:
        _video(_new(small / name.replace(".", "-")) / name, codec, frames)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8769)[0xA405] = 30
    _new(small / "heic")
    _new(small / "tagged")
    for i, frame in enumerate(frames):
        pillow_heif.from_pillow(Image.fromarray(frame)).save(small / "heic" / f"{i}.heic", quality=60)
        Image.fromarray(frame).save(small / "tagged" / f"{i}.jpg", exif=exif)


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _video(file: Path, codec: str, frames: list[np.ndarray]) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=5)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
