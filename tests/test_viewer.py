"""duplex-viewer without a window: pictures, facts, refusals."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import moderngl
import numpy as np
import pytest
from PIL import Image

from duplex.app.core.errors import DuplexError
from duplex.app.render.frame import TRANSPARENT, FrameOptions
from duplex.app.render.renderer import Renderer
from duplex.app.render.views import View
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.orbits import scene_orbit
from duplex.app.tools import benchmark, doctor
from duplex.app.tools.doctor import examine
from duplex.app.tools.screenshots import choose_camera

CALL = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"


def viewer(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    surroundings = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")} | environment
    return subprocess.run([sys.executable, "-c", CALL, *map(str, arguments)], env=surroundings, capture_output=True,
                          text=True, timeout=120)  # fmt: skip


def test_the_viewer_never_imports_torch() -> None:
    loads = "import sys, duplex.app.viewer.window, duplex.app.tools.screenshots, duplex.app.tools.cli"
    heavy = "{'torch', 'scipy', 'skimage', 'trimesh', 'onnx'} & set(sys.modules)"
    code = f"{loads}; sys.exit(len({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_screenshot_shows_the_demo(tmp_path: Path) -> None:
    result = viewer("--screenshot", tmp_path / "a.png", "--size", "120x90")
    assert result.returncode == 0, result.stderr
    pixels = np.asarray(Image.open(tmp_path / "a.png"), np.float32)
    assert pixels.shape == (90, 120, 3)
    assert (pixels[0] == 255).all()  # the teacher's background
    assert (pixels.min(-1) < 200).mean() > 0.05  # a chair
    assert pixels[..., 1].mean() > pixels[..., 2].mean()  # a green one
    assert [f.name for f in tmp_path.iterdir()] == ["a.png"]


def test_a_name_that_the_terminal_cannot_show_is_no_error(tmp_path: Path) -> None:
    result = viewer("--screenshot", tmp_path / "画.png", "--size", "16x16", PYTHONIOENCODING="ascii")
    assert result.returncode == 0 and "\\u753b.png" in result.stdout, result.stderr


def test_transparent_screenshot_has_straight_alpha(tmp_path: Path) -> None:
    result = viewer(
        "--screenshot", tmp_path / "a.png", "--size", "100x100", "--background", "transparent", "--camera", 2
    )
    assert result.returncode == 0, result.stderr
    image = Image.open(tmp_path / "a.png")
    assert image.mode == "RGBA"
    alpha = np.asarray(image)[..., 3]
    assert alpha[0, 0] == 0 and alpha.max() > 250
    assert ((alpha > 20) & (alpha < 235)).any()  # soft silhouettes


def test_turntable_makes_numbered_pictures_and_a_sheet(tmp_path: Path) -> None:
    result = viewer("--turntable", "-o", tmp_path / "turn", "--frames", 5, "--size", "64x48")
    assert result.returncode == 0, result.stderr
    assert sorted(f.name for f in (tmp_path / "turn").iterdir()) == [
        *(f"00{i}.png" for i in range(5)),
        "contact-sheet.png",
    ]
    assert str(tmp_path / "turn") in result.stdout
    first, third = (np.asarray(Image.open(tmp_path / "turn" / f"00{i}.png"), np.int16) for i in (0, 2))
    assert np.abs(first - third).mean() > 2
    assert Image.open(tmp_path / "turn" / "contact-sheet.png").size == (6 * 64, 48)


def test_info_needs_no_opengl(demo_file: Path) -> None:
    result = viewer(demo_file, "--info")
    assert result.returncode == 0
    assert "40000" in result.stdout.replace("39999", "40000") and "multiply-adds" in result.stdout


def test_the_doctor_says_what_works() -> None:
    result = viewer("--doctor")
    assert result.returncode == 0, result.stderr
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line[0] != " ")
    assert {"system", "packages", "display", "OpenGL", "limits", "timers", "ONNX"} <= lines.keys()
    assert lines["display"].startswith("none") and "CPUExecutionProvider" in lines["ONNX"]
    assert all(lines[name].startswith("works") for name in ("fragment", "compute", "onnx"))


def test_the_doctor_goes_on_where_nothing_can_be_drawn(monkeypatch: pytest.MonkeyPatch, demo: Bundle) -> None:
    bare, _ = examine(dataclasses.replace(demo, cameras=()))
    assert "fragment   works" in bare

    def refuse(*_: object) -> None:
        raise DuplexError("the driver refuses the shader")

    monkeypatch.setattr(doctor, "Renderer", refuse)
    report, works = examine(demo)
    assert not works and report.count("the driver refuses the shader") == 4 and "ONNX" in report
    monkeypatch.setattr(benchmark, "Renderer", refuse)
    with pytest.raises(DuplexError, match="refuses the shader"):
        benchmark.benchmark(demo, (32, 32))


def test_a_library_that_a_window_lacks_is_one_sentence() -> None:
    code = f"import sys; sys.modules['imgui_bundle'] = None; {CALL}"
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 3 and result.stderr.count("\n") == 1 and "--screenshot" in result.stderr, result.stderr


def test_the_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, demo: Bundle) -> None:
    def refuse(**settings: object) -> None:
        raise RuntimeError("no libGL")

    monkeypatch.setattr(moderngl, "create_context", refuse)
    report, works = examine(demo)
    assert not works and "no libGL" in report and "apt install" in report and "packages" in report


def test_the_benchmark_prints_json(demo_file: Path) -> None:
    result = viewer(demo_file, "--bench", "--size", "48x48", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["backends"]["fragment"]["frame_ms"]["median"] > 0


def test_a_camera_file_is_obeyed(tmp_path: Path, demo: Bundle) -> None:
    camera = scene_orbit(demo).camera(0.3, 100, 100)
    file = tmp_path / "camera.json"
    file.write_text(json.dumps({"camera_to_world": camera.camera_to_world.reshape(-1).tolist(), "fov": 30}))
    found = choose_camera(demo, str(file), (80, 60))
    assert np.allclose(found.camera_to_world, camera.camera_to_world)
    assert found.fov_y == pytest.approx(np.radians(30)) and (found.width, found.height) == (80, 60)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.bundle"], "no such file"),
        (["--size", "huge"], "--size huge"),
        (["--size", "99999x2"], "--size"),
        (["--background", "plaid", "--screenshot", "x.png"], "plaid"),
        (["--camera", "99", "--screenshot", "x.png"], "cameras 0 to"),
        (["--camera", "missing.json", "--screenshot", "x.png"], "neither a number nor a file"),
        (["--screenshot", "/nowhere/x.png"], "/nowhere/x.png: No such file or directory"),
        (["--frames", "0", "--turntable", "-o", "x"], "--frames 0"),
        (["--camera", "1", "--turntable", "-o", "x"], "--camera does not go with"),
        (["--turntable"], "no -o"),
        (["-o", "x"], "--turntable or --render"),
        (["--render", "missing.json", "-o", "x"], "missing.json: no such file"),
        (["--turntable", "-o", "x.mp4", "--fps", "0"], "--fps 0"),
        (["--turntable", "-o", "x.mp4", "--size", "65x48"], "66x48"),
        (["--turntable", "-o", "x.mp4", "--background", "transparent"], "no transparency"),
        (["--turntable", "-o", "missing/x.mp4"], "no folder missing"),
        (["--camera", "²", "--screenshot", "x.png"], "neither a number nor a file"),
        (["--size", "16384x16", "--screenshot", "x.png"], "this driver draws at most"),
    ],
)
def test_wrong_input_is_one_sentence(arguments: list[str], words: str) -> None:
    result = viewer(*arguments)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and words in result.stderr, result.stderr


def test_without_a_display_the_remedy_is_named() -> None:
    result = viewer()
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1 and "--screenshot" in result.stderr


def test_every_view_shows_something(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo)
    camera = demo.references[0].camera.resized(96, 96)  # from where all of them have something to show
    assert len(renderer.views) == len(set(renderer.views)) == 29
    pictures = {str(view): renderer.image(camera, FrameOptions(view))[..., :3] for view in renderer.views}
    for view, picture in pictures.items():
        background = picture[0, 0]
        assert (picture != background).any(-1).mean() > 0.05, view
    assert not np.array_equal(pictures["outer depth"], pictures["inner depth"])
    assert np.abs(pictures["final"].astype(int) - pictures["alpha"]).mean() > 5


def test_background_shows_through_and_nothing_else_changes(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo)
    camera = demo.cameras[1].resized(96, 96)
    clear = renderer.image(camera, FrameOptions(background=TRANSPARENT)).astype(np.float32)
    red = renderer.image(camera, FrameOptions(background=(1.0, 0.0, 0.0, 1.0))).astype(np.float32)
    expected = clear[..., :3] + (255 - clear[..., 3:]) * np.array([1, 0, 0])
    assert np.abs(red[..., :3] - expected).max() <= 1.5


def test_views_and_sizes_leave_no_trace_in_the_next_frame(ctx: moderngl.Context, demo: Bundle) -> None:
    renderer = Renderer(ctx, demo)
    camera = demo.cameras[0].resized(90, 70)
    before = renderer.image(camera)
    for view in renderer.views:
        renderer.image(demo.cameras[3].resized(50, 60), FrameOptions(view))
    assert np.array_equal(renderer.image(camera), before)


def test_a_camera_inside_or_beside_the_scene_draws(ctx: moderngl.Context, demo: Bundle) -> None:
    from duplex.app.scene.camera import Camera, look_at

    renderer = Renderer(ctx, demo)
    up = np.array([0, 0, 1.0])
    inside = Camera.from_fov(look_at(np.array([0.0, -0.3, 0.4]), np.array([0.0, 1.0, 0.4]), up), 64, 64, 1.0)
    away = Camera.from_fov(look_at(np.array([0.0, -4.0, 0.0]), np.array([0.0, -8.0, 0.0]), up), 64, 64, 1.0)
    assert renderer.image(inside).shape == (64, 64, 4)
    assert (renderer.image(away)[..., :3] == 255).all()


def test_a_scene_beside_the_view_axis_is_not_cut_off(ctx: moderngl.Context, demo: Bundle) -> None:
    """Turning the camera moves the picture, but the near plane must not eat what is still in it."""
    from duplex.app.scene.camera import Camera, look_at

    renderer = Renderer(ctx, demo)
    eye, up = renderer.center - np.array([0, 6 * renderer.radius, 0]), np.array([0, 0, 1.0])
    covered = []
    for yaw in (0.0, 0.7):
        aim = eye + np.array([np.sin(yaw), np.cos(yaw), 0])
        camera = Camera.from_fov(look_at(eye, aim, up), 400, 160, 0.9)
        covered.append((renderer.image(camera, FrameOptions(View.parse("outer mask")))[..., 0] == 255).sum())
    assert covered[1] > covered[0]  # wide angles stretch what lies aside


def test_weights_that_are_all_zero_draw(ctx: moderngl.Context, demo: Bundle) -> None:
    weights = [w.copy() for w in demo.weights.weights]
    weights[0][:, 4:8] = 0
    bundle = dataclasses.replace(demo, weights=dataclasses.replace(demo.weights, weights=tuple(weights)))
    assert Renderer(ctx, bundle).image(demo.cameras[0].resized(40, 40)).shape == (40, 40, 4)
