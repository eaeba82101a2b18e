"""What a user does in the window, step by step; run by test_window.py, each step checked on pixels or state.

python window_session.py FOLDER    saves a picture of every step into FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import glfw
import numpy as np
from imgui_bundle import imgui
from PIL import Image

from duplex import shaders
from duplex.app.scene.bundle import read_bundle, write_bundle
from duplex.app.scene.orbits import scene_orbit
from duplex.app.viewer.dynamic_resolution import STILL_SECONDS
from duplex.app.viewer.settings import load_settings, settings_file
from duplex.app.viewer.window import WATCH_SECONDS, Viewer
from duplex.assets import DEMO_BUNDLE


class Widgets:
    """Where Dear ImGui has put the widgets of the last frame, by label, so that the mouse can be sent there."""

    KINDS = ("button", "checkbox", "collapsing_header", "combo", "input_text", "selectable", "slider_float")

    def __init__(self) -> None:
        self.places: dict[str, tuple[float, float]] = {}
        for kind in self.KINDS:
            setattr(imgui, kind, self.noting(getattr(imgui, kind)))

    def noting(self, original):
        def widget(label, *arguments, **settings):
            found = original(label, *arguments, **settings)
            low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
            self.places[label] = ((2 * low.x + high.x) / 3, (low.y + high.y) / 2)
            return found

        return widget


class Session:
    def __init__(self, folder: Path):
        self.folder, self.step, self.widgets = folder, 0, Widgets()
        size, bundle = (720, 560), read_bundle(DEMO_BUNDLE)
        self.viewer = Viewer(size)
        self.viewer.show(bundle, DEMO_BUNDLE, scene_orbit(bundle).camera(0, *size))
        self.window = self.viewer.window
        # no window manager raises or focuses windows here, so events are sent to this one by its number
        self.number = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", "duplex"], capture_output=True, text=True
        ).stdout.split()[0]
        self.xdotool("windowfocus", self.number)

    def xdotool(self, *arguments: object) -> None:
        subprocess.run(["xdotool", *map(str, arguments)], check=True)

    def frames(self, count: int = 3) -> None:
        for _ in range(count):
            self.viewer.frame()
            self.window.swap_buffers()

    def picture(self, name: str) -> np.ndarray:
        """What is in the window once the camera rests and is drawn in full, (h, w, 3) int16, top row first."""
        self.frames()
        for _ in range(60):
            if self.viewer.resolution.resting > STILL_SECONDS:
                break
            self.frames(1)
        assert self.viewer.resolution.resting > STILL_SECONDS, f"{name}: the camera does not come to rest"
        self.viewer.frame()
        width, height = glfw.get_framebuffer_size(self.window._window)
        assert self.viewer.ctx.error == "GL_NO_ERROR", name
        screen = self.viewer.ctx.screen
        data = screen.read(viewport=(0, 0, width, height), components=3)
        pixels = np.frombuffer(data, np.uint8).reshape(height, width, 3)[::-1]
        self.viewer.ctx.error  # noqa: B018 - reading a window's own framebuffer leaves an error: forget it
        self.step += 1
        Image.fromarray(pixels).save(self.folder / f"{self.step:02d}-{name}.png")
        self.window.swap_buffers()
        return pixels.astype(np.int16)

    def scene(self, name: str) -> np.ndarray:
        """The part of the window that the panel does not hide."""
        return self.picture(name)[:, 320:]

    def drag(self, button: int, dx: int, dy: int) -> None:
        self.xdotool("mousemove", "--window", self.number, 500, 300)
        self.frames(2)
        self.xdotool("mousedown", button)
        self.frames(2)
        self.xdotool("mousemove", "--window", self.number, 500 + dx, 300 + dy)
        self.frames(2)
        self.xdotool("mouseup", button)
        self.frames(2)

    def click(self, label: str) -> None:
        """Press and release the left button on the widget that is called so."""
        self.widgets.places.pop(label, None)
        self.viewer.kept_panel.touch()
        self.frames(2)
        assert label in self.widgets.places, f"{label} is nowhere: {sorted(self.widgets.places)}"
        x, y = self.widgets.places[label]
        assert y < glfw.get_window_size(self.window._window)[1], f"{label} is below the window"
        self.xdotool("mousemove", "--window", self.number, round(x), round(y))
        self.frames(2)
        self.xdotool("mousedown", 1)
        self.frames(2)
        self.xdotool("mouseup", 1)
        self.frames(2)

    def type(self, label: str, text: str) -> None:
        """Put ``text`` in the place of what a field holds."""
        self.click(label)
        self.xdotool("key", "ctrl+a")
        self.frames(2)
        for part in (text[i : i + 12] for i in range(0, len(text), 12)):
            self.xdotool("type", "--delay", 1, part)
            self.frames(2 + len(part))  # Dear ImGui may take one character a frame
        self.xdotool("key", "Return")
        self.frames(3)

    def key(self, *arguments: object) -> None:
        self.xdotool(*arguments)
        self.frames(3)


def differ(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).mean())


def keys(s: Session) -> None:
    """Each key that acts at once; ends where it began, with the panel shown."""
    v = s.viewer
    s.key("key", "1")
    start = s.scene("keys")
    for mode in ("fly", "trackball", "orbit"):
        s.key("key", "o")
        assert v.scene.controls.mode == mode
    s.key("key", "3")
    assert v.panel.view == v.scene.renderer.views[2] and differ(s.scene("third-view"), start) > 1
    s.key("key", "1")
    s.key("key", "bracketright")
    s.key("key", "bracketright")
    second = s.scene("second-camera")
    assert v.scene.camera_index == 1 and differ(second, start) > 1
    shown = v.scene.controls.camera(10, 10).camera_to_world
    assert np.allclose(shown, v.scene.bundle.cameras[1].camera_to_world, atol=1e-6), (
        "] does not go to the second camera"
    )
    s.key("key", "bracketleft")
    s.key("key", "bracketleft")
    assert v.scene.camera_index == len(v.scene.bundle.cameras) - 1
    s.picture("last-camera")
    s.key("key", "ctrl+c")
    copied = v.scene.controls.goal
    s.key("key", "r")
    s.picture("reset")
    assert np.allclose(v.scene.controls.camera(10, 10).camera_to_world, v.scene.start.camera_to_world, atol=1e-6)
    s.key("key", "ctrl+v")
    s.picture("pasted")
    assert np.allclose(np.array(v.scene.controls.goal.eye), np.array(copied.eye)), "the copied view is not pasted"
    s.key("key", "shift+slash")
    assert v.panel.help_visible and differ(s.scene("help"), s.scene("help")) < 0.5
    helped = s.scene("help")
    s.key("key", "Escape")
    assert not v.panel.help_visible and differ(s.scene("no-help"), helped) > 5

    for _ in range(3):
        s.key("key", "k")
        s.drag(1, 60, 10)
    s.picture("path")
    assert len(v.scene.path_editor.path.keyframes) == 3
    s.key("key", "space")
    assert v.scene.path_editor.playing
    s.frames(6)
    assert v.scene.path_editor.second > 0 and v.scene.path_editor.playing
    s.key("key", "space")
    assert not v.scene.path_editor.playing
    at = v.scene.path_editor.path.camera(v.scene.path_editor.second).camera_to_world
    assert np.allclose(v.scene.controls.camera(10, 10).camera_to_world, at, atol=1e-6), (
        "playing does not move the camera"
    )

    s.key("key", "F12")
    (saved,) = Path.home().glob("demo-*.png")
    s.frames(2)
    assert Image.open(saved).size == (420, 560)
    s.key("key", "F11")
    s.frames(3)
    assert glfw.get_framebuffer_size(s.window._window) == (1280, 1024), "F11 does not fill the screen"
    s.picture("full-screen")
    s.key("key", "F11")
    s.frames(3)
    assert glfw.get_framebuffer_size(s.window._window) == (720, 560)
    s.key("key", "r")
    s.key("key", "f")


def answers(s: Session) -> None:
    """A panel that nobody uses is put back as it was; whatever comes in is answered by the next frame."""
    v = s.viewer
    s.xdotool("mousemove", "--window", s.number, 600, 300)
    v.notices.lines.clear()
    before = s.picture("resting")
    declared = 0
    for _ in range(12):
        s.widgets.places.clear()
        s.frames(1)
        declared += bool(s.widgets.places)
    resting = s.picture("still-resting")
    assert declared < 6, f"the panel of a resting window is declared in {declared} of 12 frames"
    text = np.abs(resting - before)[:, :300].max(-1) > 8
    assert text.mean() < 0.03, "the panel is put back as another one"  # figures change once a second

    s.xdotool("key", "3")
    for _ in range(1000):
        glfw.poll_events()
        if v.panel.view != "final":
            break
        time.sleep(0.002)
    v.frame()
    data = v.ctx.screen.read(viewport=(0, 0, 720, 560), components=3)
    v.ctx.error  # noqa: B018 - reading a window's own framebuffer leaves an error: forget it
    answered = np.frombuffer(data, np.uint8).reshape(560, 720, 3)[::-1].astype(np.int16)
    assert differ(answered[:, 320:], resting[:, 320:]) > 1, "a key is not answered by the next frame"
    assert differ(answered[:100, :300], resting[:100, :300]) > 0.1, "the panel does not say what a key has changed"
    s.window.swap_buffers()
    s.key("key", "1")


def inspect(s: Session) -> None:
    """Two views beside one another, hidden shells, a pixel, backends against each other."""
    v = s.viewer
    look = v.inspection
    v.notices.lines.clear()
    plain = s.scene("plain")
    look.compared, look.split = "outer normal", 0.5
    split = s.scene("split")
    middle = 420 // 2
    left, right = slice(0, middle - 40), slice(middle + 20, None)
    assert differ(split[40:, left], plain[40:, left]) < 0.5 and differ(split[40:, right], plain[40:, right]) > 5
    s.xdotool("mousemove", "--window", s.number, 300 + middle, 300)
    s.frames(2)
    s.xdotool("mousedown", 1)
    s.frames(2)
    s.xdotool("mousemove", "--window", s.number, 300 + middle - 100, 300)
    s.frames(2)
    s.xdotool("mouseup", 1)
    s.frames(2)
    assert abs(look.split - (middle - 100) / 420) < 0.02, "the line between two views is not dragged"
    for compared in ("backend compute", "inner shell only", "alpha"):
        look.compared = compared
        s.scene("split-" + compared.replace(" ", "-"))
        assert look.compared == compared, v.notices.lines
    look.compared = None
    look.wires = (True, True)
    assert differ(s.scene("edges"), plain) > 2 and v.ctx.wireframe is False
    look.wires = (False, False)
    assert differ(s.scene("no-edges"), plain) < 0.5
    look.shown = (False, True)
    assert differ(s.scene("inner-alone"), plain) > 1
    look.shown = (True, True)
    look.network = False
    bare = s.scene("without-network")
    look.network, v.panel.view = True, "outer features 0"
    assert differ(bare, plain) > 1 and differ(s.scene("first-features"), bare) < 0.5
    v.panel.view, look.channel = "outer features 0", 2
    assert s.scene("second-channel").std() > 5
    v.panel.view, look.channel = "final", 0
    look.probing = True
    s.xdotool("mousemove", "--window", s.number, 510, 320)
    s.frames(3)
    assert look.probed and look.probed.outer, "there is nothing under the mouse"
    probed = s.picture("probe")
    middle = probed[look.pixel[1], 300 + look.pixel[0]]
    assert np.abs(middle - look.probed.color[:3]).max() < 3
    v.notices.note("drawn while a pixel is looked at")
    assert differ(s.picture("probe-and-notice")[500:], probed[500:]) > 1, "probing keeps the interface from the window"
    v.notices.lines.clear()
    look.probing = False
    look.compare_backends(v.scene, v.drawn_camera(v.scene))
    assert float(look.agreement.split("float32: ")[1].split(" ")[0]) > 45, look.agreement
    assert float(look.agreement.split("Runtime: ")[1].split(" ")[0]) > 45, look.agreement


def record(s: Session) -> None:
    """A path through the panel: keyframes, saved, lost, loaded, recorded."""
    v, editor = s.viewer, s.viewer.scene.path_editor
    file, video = s.folder / "way.json", s.folder / "way.mp4"
    for header in ("View", "Camera", "Speed", "Bundle", "Path"):
        s.click(header)
    editor.path = replace(editor.path, keyframes=(), transition=0.5, fps=10.0, width=64, height=48)
    editor.selected = -1
    for _ in range(3):
        s.click("add keyframe (K)")
        s.drag(1, 70, -10)
    kept = editor.path
    assert len(kept.keyframes) == 3
    s.type("file", str(file))
    s.click("save")
    assert editor.file == str(file) and file.exists(), (editor.file, v.notices.lines)
    glfw.set_clipboard_string(None, "~nosuchuser/copied elsewhere.json")
    s.click("file")
    for pressed in ("ctrl+a", "ctrl+v", "Return"):
        s.key("key", pressed)
    assert editor.file == "~nosuchuser/copied elsewhere.json", f"a path cannot be pasted: {editor.file}"
    s.click("load")
    assert any("~nosuchuser" in text for text, *_ in v.notices.lines), v.notices.lines
    s.type("file", str(file))
    s.click("remove")
    s.click("remove")
    assert len(editor.path.keyframes) == 1
    s.click("load")
    assert len(editor.path.keyframes) == 3
    for a, b in zip(editor.path.keyframes, kept.keyframes, strict=True):
        assert np.allclose(a.camera_to_world, b.camera_to_world)
    s.picture("path-panel")
    s.click("play")
    assert editor.playing
    s.frames(4)
    s.type("into", str(video))
    s.click("record")
    for _ in range(200):
        if not editor.recording:
            break
        s.frames(1)
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == editor.path.frames == 10 and frames[0].shape == (48, 64, 3)
    s.type("into", "/nowhere/way.mp4")
    s.click("record")
    assert not editor.recording and any("/nowhere" in text for text, *_ in v.notices.lines)
    s.picture("recorded")
    for header in ("Path", "Bundle", "Speed", "Camera", "View"):
        s.click(header)
    v.notices.lines.clear()


def same_as_without_a_window(s: Session) -> None:
    """The scene of the window, and a picture of the same view by the command line."""
    s.key("key", "Tab")
    shown = s.picture("for-comparison")
    camera, out = s.folder / "view.json", s.folder / "view.png"
    camera.write_text(s.viewer.scene.controls.to_text())
    code = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"
    size = f"{shown.shape[1]}x{shown.shape[0]}"
    command = [sys.executable, "-c", code, "--screenshot", str(out), "--camera", str(camera), "--size", size]
    subprocess.run(command, check=True, capture_output=True)
    error = float(((np.asarray(Image.open(out)).astype(float) - shown) ** 2).mean())
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 40, "the window draws another picture"
    s.key("key", "Tab")


def files(s: Session) -> None:
    """Bundles that are dropped, changed and broken; ends with the demo."""
    v = s.viewer
    old, copy = v.scene, s.folder / "copy.bundle"
    broken = s.folder / "broken.bundle"
    broken.write_bytes(DEMO_BUNDLE.read_bytes()[:5000])
    drop(s, broken)
    assert v.scene is old and any("broken.bundle" in text for text, *_ in v.notices.lines), v.notices.lines
    s.picture("broken-file")
    copy.write_bytes(DEMO_BUNDLE.read_bytes())
    drop(s, copy)
    assert v.scene.path == copy and v.settings.recent[0] == str(copy)
    s.key("key", "bracketright")
    s.picture("dropped")
    eye = np.array(v.scene.controls.goal.eye)
    v.inspection.compared, v.panel.view = "reference", "error"
    change(s, copy, write_bundle(replace(read_bundle(copy), background=(0.0, 0.0, 0.0), references=())))
    assert v.inspection.compared is None and v.panel.view == "final", "what a bundle has not is still shown"
    assert v.scene.bundle.background == (0.0, 0.0, 0.0), "a changed bundle is not read again"
    assert np.allclose(np.array(v.scene.controls.goal.eye), eye), "a changed bundle moves the camera"
    seen = v.scene
    change(s, copy, b"not a bundle")
    assert v.scene is seen and s.scene("changed-to-nonsense").std() > 10

    shaders._FOLDER = Path(shutil.copytree(shaders._FOLDER, s.folder / "shaders"))
    shader = shaders._FOLDER / "present.frag.glsl"
    text = shader.read_bytes()
    change(s, shader, text + b"\nthis is no GLSL\n")
    assert v.scene is seen and any("error" in line.lower() for line, *_ in v.notices.lines), v.notices.lines
    s.picture("broken-shader")
    change(s, shader, text)
    assert v.scene is not seen and v.scene.renderer is not seen.renderer, "a mended shader is not built again"
    surface = shaders._FOLDER / "gbuffer.frag.glsl"
    sound, wrong = surface.read_bytes(), b"\n#if SURFACE == 1\nthis is no GLSL\n#endif\n"
    v.panel.view = "outer normal"
    s.scene("normals")
    seen = v.scene
    change(s, surface, sound + wrong)
    assert v.scene is seen and v.panel.view == "outer normal", "a shader that is shown is replaced by a broken one"
    v.panel.view = "final"
    s.frames()
    change(s, surface, sound + wrong + b"\n")  # which nothing needs that is shown
    assert v.scene is not seen
    v.notices.lines.clear()
    v.panel.view = "outer normal"
    s.frames()
    assert v.panel.view == "final" and v.scene and any("GLSL" in text for text, *_ in v.notices.lines)
    s.picture("view-refused")
    change(s, surface, sound)
    drop(s, DEMO_BUNDLE)
    v.scene.camera_index = -1
    copy.unlink()


def nothing_open(s: Session) -> None:
    """The bundle is closed, and the demo opened from the welcome."""
    v = s.viewer
    for header in ("View", "Camera", "File"):
        s.click(header)
    s.click("close")
    welcome = s.picture("welcome")
    assert v.scene is None and v.window.title == "duplex"
    assert (welcome[:, :160].reshape(-1, 3).std(0) < 1).all(), "the panel is still there"
    assert welcome[200:360, 300:420].std() > 10, "there is no welcome"
    s.key("key", "f", "key", "F12", "key", "3", "key", "k", "key", "Tab", "key", "Tab")
    assert v.panel.wanted is None, "what is asked for where nothing is open is done later"
    s.click("demo")
    s.frames()
    assert v.scene and v.scene.path == DEMO_BUNDLE, v.scene and v.scene.path
    s.scene("from-the-welcome")
    for header in ("File", "Camera", "View"):
        s.click(header)


def drop(s: Session, file: Path) -> None:
    """As a file manager does it, while the window goes on drawing."""
    source = subprocess.Popen([sys.executable, Path(__file__).with_name("window_drop.py"), s.number, file])
    while source.poll() is None:
        s.frames(1)
    assert source.returncode == 0, f"{file.name} cannot be dropped"
    s.frames(3)


def change(s: Session, file: Path, content: bytes) -> None:
    """Write, and let the window look whether files have changed."""
    file.write_bytes(content)
    time.sleep(WATCH_SECONDS)
    s.frames(3)


def main() -> None:
    s = Session(Path(sys.argv[1]))
    v = s.viewer
    start = s.scene("start")
    assert (start.min(-1) < 200).mean() > 0.02, "the chair is not there"
    panel = s.picture("panel")[:, :300]
    assert (panel.max(-1) < 90).mean() > 0.4, "the panel is not there"

    eye = np.array(v.scene.controls.goal.eye)
    s.drag(1, 90, 20)
    turned = s.scene("orbited")
    assert differ(start, turned) > 1 and not np.allclose(eye, np.array(v.scene.controls.goal.eye))
    target = np.array(v.scene.controls.goal.target)
    s.drag(3, 40, 0)
    assert not np.allclose(target, np.array(v.scene.controls.goal.target)), "the right button does not pan"
    distance = v.scene.controls.goal.distance
    s.xdotool("mousemove", "--window", s.number, 500, 300, "click", 4, "click", 4)
    s.frames(3)
    assert v.scene.controls.goal.distance < distance, "the wheel does not move closer"
    s.key("key", "f")
    assert np.allclose(np.array(v.scene.controls.goal.target), v.scene.renderer.center), "F does not frame the object"

    eye = np.array(v.scene.controls.goal.eye)
    s.key("keydown", "w")
    s.frames(6)
    s.key("keyup", "w")
    moved = np.array(v.scene.controls.goal.eye) - eye
    assert moved @ np.array(v.scene.controls.goal.forward) > 0, "W does not fly forward"
    assert not v.events.pressed, "a released key is still held"
    v.panel.frame_rate = 120  # more than this machine can, so that movement is drawn coarser
    s.key("keydown", "w")
    s.frames(12)
    assert v.drawn_size[0] < 420, "a movement is not drawn coarser"
    s.key("keyup", "w")
    s.picture("at-rest-again")
    assert v.drawn_size == (420, 560), "a camera at rest is not drawn in full"
    v.panel.frame_rate = 30
    s.key("key", "f")

    answers(s)
    keys(s)
    files(s)
    s.key("key", "f")
    inspect(s)
    record(s)
    same_as_without_a_window(s)
    nothing_open(s)
    s.key("key", "r", "key", "f")

    # every entry of the view menu, from where the bundle has a picture of its teacher's
    s.key("key", "f")
    assert differ(s.scene("framed"), 0) > 1
    v.inspection.go_to(v.scene, v.scene.bundle.references[1])
    reference, words = v.inspection.measured
    assert reference.kind == "teacher" and float(words.split("PSNR ")[1].split(" ")[0]) > 30, words
    final = s.scene("at-a-reference")
    shown = {}
    for view in v.scene.renderer.views:
        v.panel.view = view
        shown[view] = s.scene(view.replace(" ", "-"))
        corner = shown[view][2, -3]
        assert (np.abs(shown[view] - corner).max(-1) > 8).mean() > 0.02, f"{view} shows nothing"
    assert differ(shown["final"], final) < 0.5
    assert differ(shown["reference"], final) < differ(shown["reference"], np.roll(final, 8, 1)) < 40
    v.panel.view = "reference"
    s.drag(1, 40, 0)
    without = s.scene("no-reference-here")
    v.panel.view = "final"
    drawn, middle = s.scene("drawn-instead"), np.s_[260:300, 60:340]
    assert differ(without[300:], drawn[300:]) < 0.5 and differ(without[middle], drawn[middle]) > 5, "nothing is said"
    s.key("key", "f")

    # the combo box opens under the mouse and an entry is chosen by a click
    s.xdotool("mousemove", "--window", s.number, 92, 42)
    s.frames(3)
    s.xdotool("click", 1)
    opened = s.picture("menu")
    assert differ(opened[50:, :300], panel[50:]) > 1, "the view menu does not open"
    s.xdotool("mousemove", "--window", s.number, 52, 88)
    s.frames(3)
    s.xdotool("click", 1)
    s.frames(4)
    assert v.panel.view != "final", "a click in the view menu chooses nothing"
    s.picture("chosen-" + v.panel.view.replace(" ", "-"))
    v.panel.view = "final"

    for pattern in ("checker", "gradient"):
        v.panel.pattern = pattern
        patterned = s.scene(pattern)
        assert patterned[2:, -60:].reshape(-1, 3).std(0).max() > 3, f"no {pattern} is drawn"
    v.panel.pattern = "plain"
    final = s.scene("before")
    v.panel.exposure = -1.0
    darker = s.scene("darker")
    covered = np.abs(final - final[2, -3]).max(-1) > 60
    assert np.median(np.abs(darker[covered] - final[covered] / 2)) < 4 and (darker[2, -3] == 255).all()
    v.panel.exposure = 0.0
    s.key("key", "r")
    kept = v.scene.controls.goal
    v.scene.controls.move(0, 0, -1, 1.0)
    v.scene.controls.turn(0, 0)
    v.scene.controls.mode = "fly"
    v.scene.controls.turn(630, 0)
    v.scene.controls.arrive()
    assert not v.interface.overlay(v.scene).sees(*v.scene.bundle.bounds)
    assert (s.scene("nothing-in-view") < 100).mean() > 0.005, "an empty view is not explained"
    v.scene.controls.mode, v.scene.controls.goal = "orbit", kept
    s.scene("back")
    assert v.interface.overlay(v.scene).sees(*v.scene.bundle.bounds)
    s.key("key", "f")

    v.panel.background = [0.1, 0.2, 0.8]
    blue = s.scene("blue")
    assert blue[2, -3, 2] > 180 and blue[2, -3, 0] < 40, "the background does not show"
    v.panel.scale = 0.25
    coarse = s.scene("quarter-resolution")
    assert 0 < differ(coarse, blue) < 20
    v.panel.scale = 1.0

    s.key("key", "Tab")
    assert differ(s.picture("no-panel")[:, :300], panel) > 10, "Tab does not hide the panel"
    s.key("key", "Tab")

    s.xdotool("windowsize", "--sync", s.number, 900, 640)
    s.frames(4)
    v.notices.lines.clear()
    larger = s.picture("resized")
    s.frames(12)
    assert differ(s.picture("resized-and-resting")[:, :300], larger[:, :300]) < 3
    v.ctx.screen.use()
    v.ctx.screen.clear(0.0, 0.0, 1.0, viewport=(0, 0, 900, 640))
    assert v.kept_panel.put_back((300, 640), 0.0, v.ctx.screen)
    data = v.ctx.screen.read(viewport=(0, 0, 300, 640), components=3)
    v.ctx.error  # noqa: B018 - as above
    put_back = np.frombuffer(data, np.uint8).reshape(640, 300, 3)[::-1].astype(np.int16)
    assert differ(put_back, larger[:, :300]) < 3, "the panel is put back in part"
    assert larger.shape[:2] == (640, 900), f"after resizing the picture is {larger.shape}"
    assert (np.abs(larger[:, 320:] - larger[2, -3]).max(-1) > 8).mean() > 0.02

    passes = {"outer shell", "inner shell", "features", "shading 1", "present", "screen"}
    assert v.scene.renderer.timers.milliseconds.keys() >= passes
    v.close()
    assert settings_file().is_relative_to(Path.home()) and load_settings().size == [900, 640]
    print("closed")


if __name__ == "__main__":
    main()
