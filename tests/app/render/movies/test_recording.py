"""Videos and numbered pictures, from the command line and frame by frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import av
import moderngl
import numpy as np
import pytest
from PIL import Image

from builders.viewer import viewer
from duplex.app.render.movies.recording import Recording
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.camera import Camera
from duplex.app.scene.camera_path import CameraPath


def frames_of(video: Path) -> tuple[list[np.ndarray], float]:
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert context.name == "h264" and context.pix_fmt == "yuv420p"
        assert {context.colorspace, context.color_primaries, context.color_trc, context.color_range} == {1}  # BT.709
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)], float(stream.average_rate)


@pytest.mark.system
def test_a_path_becomes_a_video(file: Path, path: CameraPath, ctx: moderngl.Context, demo: Bundle) -> None:
    result = viewer("--render", file, "-o", file.parent / "out.mp4")
    assert result.returncode == 0, result.stderr
    frames, rate = frames_of(file.parent / "out.mp4")
    assert rate == 24 and len(frames) == path.frames == 12
    renderer = Renderer(ctx, demo)
    for frame, camera in zip(frames, path.cameras(), strict=True):
        assert frame.shape == (64, 96, 3)
        drawn = renderer.image(camera)[..., :3].astype(float)
        assert np.sqrt(((frame - drawn) ** 2).mean()) < 12  # colours at half the resolution
    assert sorted(x.name for x in file.parent.iterdir()) == ["out.mp4", "path.json"]


@pytest.mark.system
def test_size_rate_and_transparent_pictures_are_as_asked_for(file: Path) -> None:
    out = file.parent
    assert viewer("--render", file, "-o", out / "a.mp4", "--size", "50x32", "--fps", 6).returncode == 0
    frames, rate = frames_of(out / "a.mp4")
    assert rate == 6 and len(frames) == 3 and frames[0].shape == (32, 50, 3)
    result = viewer("--render", file, "-o", out / "pictures", "--fps", 6, "--background", "transparent")
    assert result.returncode == 0, result.stderr
    assert sorted(x.name for x in (out / "pictures").iterdir()) == [f"0000{i}.png" for i in range(3)]
    picture = Image.open(out / "pictures" / "00000.png")
    assert picture.mode == "RGBA" and picture.size == (96, 64) and picture.getpixel((0, 0))[3] == 0


def test_a_turn_becomes_a_video(tmp_path: Path) -> None:
    result = viewer("--turntable", "-o", tmp_path / "turn.mp4", "--size", "48x48", "--frames", 10, "--fps", 12.5)
    assert result.returncode == 0, result.stderr
    frames, rate = frames_of(tmp_path / "turn.mp4")
    assert rate == 12.5 and len(frames) == 10
    assert np.abs(frames[0].astype(int) - frames[5]).mean() > 2


@pytest.mark.parametrize(
    ("name", "kind", "codec"), [("a.webm", "matroska,webm", "vp9"), ("a.mov", "mov,mp4,m4a,3gp,3g2,mj2", "h264")]
)
def test_the_name_says_which_kind_of_video(name: str, kind: str, codec: str, tmp_path: Path) -> None:
    turn = ("--turntable", "--size", "64x48", "--frames", 6)
    assert viewer(*turn, "-o", tmp_path / name).returncode == 0
    assert viewer(*turn, "-o", tmp_path / "a.mp4").returncode == 0
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.video[0]
        assert container.format.name == kind and stream.codec_context.name == codec
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert len(frames) == 6
    assert np.abs(frames[2].astype(int) - frames_of(tmp_path / "a.mp4")[0][2]).mean() < 4


def test_a_turn_becomes_a_gif(tmp_path: Path) -> None:
    out = tmp_path / "turn.gif"
    result = viewer("--turntable", "-o", out, "--size", "65x49", "--frames", 5, "--fps", 10)
    assert result.returncode == 0, result.stderr
    with Image.open(out) as picture:
        assert picture.format == "GIF" and getattr(picture, "n_frames", 1) == 5 and picture.size == (65, 49)
        assert picture.info["duration"] == 100 and picture.info["loop"] == 0
        first = np.asarray(picture.convert("RGB"), int)
    assert (first[0] > 250).all() and (first.min(-1) < 200).mean() > 0.05  # a chair on white


@pytest.mark.parametrize("name", ["turn.mp4", "turn.gif", "turn"])
def test_nothing_is_overwritten_silently(name: str, tmp_path: Path) -> None:
    out = tmp_path / name
    old = out if out.suffix else out / "notes.txt"
    old.parent.mkdir(exist_ok=True)
    old.write_text("mine")
    turn = ("--turntable", "-o", out, "--size", "32x32", "--frames", 2)
    result = viewer(*turn)
    assert result.returncode == 2 and "--overwrite" in result.stderr and old.read_text() == "mine"
    if out.suffix:
        assert viewer(*turn, "--overwrite").returncode == 0
        assert old.read_bytes() != b"mine"


def test_colours_are_those_of_the_matrix_that_the_file_names(path: CameraPath, tmp_path: Path) -> None:
    class Green:
        def image(self, camera: Camera, background: Any) -> np.ndarray:
            return np.full((camera.height, camera.width, 4), (0, 200, 0, 255), np.uint8)

    recording = Recording(cast(Renderer, Green()), path.cameras(), 2, tmp_path / "green.mp4")
    while not recording.finished:
        recording.advance()
    with av.open(str(tmp_path / "green.mp4")) as container:
        luma = next(container.decode(video=0)).to_ndarray()[: path.height]
    assert np.abs(luma - (16 + 219 * 0.7152 * 200 / 255)).max() < 2  # BT.709; BT.601 would have 117


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = viewer("--turntable", "-o", "12:30.mp4", "--size", "32x32", "--frames", 2)
    assert result.returncode == 0, result.stderr
    assert [x.name for x in tmp_path.iterdir()] == ["12:30.mp4"]


def test_a_video_that_cannot_take_its_place_leaves_nothing(file: Path) -> None:
    out = file.parent / "out.mp4"
    out.mkdir()
    result = viewer("--render", file, "-o", out)
    assert result.returncode == 2 and result.stderr.strip().splitlines()[-1].startswith(f"error: {out}: ")
    assert sorted(x.name for x in file.parent.iterdir()) == ["out.mp4", "path.json"]


def test_a_cancelled_video_leaves_nothing_and_spares_the_old_one(
    ctx: moderngl.Context, demo: Bundle, path: CameraPath, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"the old one")
    recording = Recording(Renderer(ctx, demo), path.cameras(), path.frames, out)
    for _ in range(3):
        recording.advance()
    assert not recording.finished and recording.done == 3
    recording.cancel()
    assert [x.name for x in tmp_path.iterdir()] == ["out.mp4"] and out.read_bytes() == b"the old one"
    whole = Recording(Renderer(ctx, demo), replace(path, loop=True).cameras(), 24, out)
    while not whole.finished:
        whole.advance()
    assert len(frames_of(out)[0]) == 24
