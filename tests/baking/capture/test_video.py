from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageFilter

from builders.datasets.capture import RATE, corner_cameras, picture_of, textures, write_video
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.baking.capture import video
from duplex.baking.capture.posing import pose
from duplex.baking.capture.video import choose, chosen_times, is_video, read_frame


def frames_of_corner(count: int, size: tuple[int, int] = (240, 180)) -> list[Array]:
    walls = textures(0)
    return [picture_of(camera, walls) for camera in corner_cameras(count, size)]


def blurred(frame: Array) -> Array:
    return np.asarray(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(4)))


def unlike(first: Array, second: Array) -> float:
    """Mean difference of two pictures; coding blurs the colour of this noise by about 8 of 255 steps."""
    return float(np.abs(first.astype(int) - second).mean())


def test_of_each_part_of_the_way_the_sharpest_frame_is_taken() -> None:
    time = np.arange(400) / RATE
    moving = np.where(time < 20, 0.005, 0.0)  # then the camera rests
    sharp = np.where(np.arange(400) % 5 == 3, 9.0, 1.0)
    times = np.array(choose(np.stack([time, sharp, moving], 1)))
    assert len(times) == video.FEWEST
    assert (times < 20).sum() >= video.FEWEST - 2  # where it moved
    assert np.isin(np.rint(times * RATE).astype(int) % 5, [3]).mean() > 0.9
    assert (np.diff(times) > 0).all()


def test_few_frames_are_all_taken() -> None:
    rows = np.stack([np.arange(8) / RATE, np.ones(8), np.full(8, 0.3)], 1)
    assert np.allclose(choose(rows), rows[:, 0])


def test_blurred_frames_are_passed_over(tmp_path: Path) -> None:
    frames = [blurred(frame) if i % 2 else frame for i, frame in enumerate(frames_of_corner(60))]
    write_video(tmp_path / "walk.mp4", frames)
    times = chosen_times(tmp_path / "walk.mp4")
    assert 20 <= len(times) <= 30
    assert np.mean([round(time * RATE) % 2 == 0 for time in times]) > 0.9
    assert unlike(read_frame(tmp_path / "walk.mp4", times[4]), frames[round(times[4] * RATE)]) < 12


def test_a_turned_video_is_upright(tmp_path: Path) -> None:
    frames = frames_of_corner(3)
    write_video(tmp_path / "flat.mp4", [np.ascontiguousarray(np.rot90(frame)) for frame in frames])
    with av.open(str(tmp_path / "flat.mp4")) as source, av.open(str(tmp_path / "walk.mov"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(-90) if hasattr(stream, "set_display_rotation") else pytest.skip("PyAV is too old")
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert unlike(read_frame(tmp_path / "walk.mov", 0.0), frames[0]) < 12


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\0\0\0\x18ftypmp42" + b"\1" * 999])
def test_what_is_no_video_is_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "walk.mp4").write_bytes(content)
    assert is_video(tmp_path / "walk.mp4")
    with pytest.raises(DuplexError, match=r"walk\.mp4: not a video that can be read"):
        chosen_times(tmp_path / "walk.mp4")


def test_a_video_cut_off_is_told(tmp_path: Path) -> None:
    write_video(tmp_path / "whole.mp4", frames_of_corner(4))
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "walk.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(DuplexError, match=r"walk\.mp4: "):
        chosen_times(tmp_path / "walk.mp4")


@pytest.mark.slow
def test_a_walk_around_a_corner_is_posed(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.mp4", frames_of_corner(60))
    report = pose(tmp_path / "walk.mp4", tmp_path / "poses")
    assert report.photos >= video.FEWEST and len(report.placed) == report.photos
