"""Every view of the menu, references, and the picture that the command line draws."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from PIL import Image

from duplex.app.viewer.actions import GoToReference
from window.driver import Session, differ


def same_as_without_a_window(s: Session) -> None:
    """The scene of the window, and a picture of the same view by the command line."""
    s.key("key", "Tab")
    shown = s.picture("for-comparison")
    camera, out = s.folder / "view.json", s.folder / "view.png"
    camera.write_text(s.state.scene.controls.to_text())
    code = "import sys; from duplex.app.tools.cli import main; sys.exit(main())"
    size = f"{shown.shape[1]}x{shown.shape[0]}"
    command = [sys.executable, "-c", code, "--screenshot", str(out), "--camera", str(camera), "--size", size]
    subprocess.run(command, check=True, capture_output=True)
    error = float(((np.asarray(Image.open(out)).astype(float) - shown) ** 2).mean())
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 40, "the window draws another picture"
    s.key("key", "Tab")


def every_view(s: Session) -> None:
    """Every view shows something, from where the bundle has a picture of its teacher."""
    state = s.state
    s.key("key", "f")
    assert differ(s.scene("framed"), 0) > 1
    s.apply(GoToReference(1))
    quality = state.measurements.quality
    assert quality.reference.kind == "teacher" and float(quality.text.split("PSNR ")[1].split(" ")[0]) > 30, quality
    final = s.scene("at-a-reference")
    shown = {}
    for view in map(str, state.scene.renderer.views):
        s.show(view)
        shown[view] = s.scene(view.replace(" ", "-"))
        corner = shown[view][2, -3]
        assert (np.abs(shown[view] - corner).max(-1) > 8).mean() > 0.02, f"{view} shows nothing"
    assert differ(shown["final"], final) < 0.5
    assert differ(shown["reference"], final) < differ(shown["reference"], np.roll(final, 8, 1)) < 40


def reference_elsewhere(s: Session) -> None:
    """Where no reference was taken, nothing is drawn in its place, and a button goes back to one."""
    state = s.state
    s.show("final")
    s.compare("reference")
    s.drag(1, 40, 0, begin=(640, 300))
    without = s.scene("no-reference-here")
    s.compare(None)
    s.show("reference")
    whole = s.scene("no-reference-anywhere")
    s.show("final")
    drawn = s.scene("the-picture")
    assert differ(without[100:, :150], drawn[100:, :150]) < 2, "the picture beside it is gone"
    assert without[400:, 230:].std() < 2 and whole[400:].std() < 2, "the picture is shown in the reference's place"
    assert drawn[400:].std() > 10
    s.compare("reference")
    s.click("snap back")
    s.frames(20)
    assert state.scene.renderer.reference_at(state.window_camera(state.scene)), "the button does not go back"
    s.compare(None)
    s.key("key", "r")


def view_menu(s: Session) -> None:
    """The menu opens under the mouse and an entry is chosen by a click."""
    panel = s.picture("panel-with-menu")[:, :300]
    s.point(*map(round, s.widgets.places["show"]))
    s.frames(1)
    s.xdotool("click", 1)
    opened = s.picture("menu")
    assert differ(opened[50:, :300], panel[50:]) > 1, "the view menu does not open"
    s.point(52, 108)
    s.frames(1)
    s.xdotool("click", 1)
    s.frames(4)
    assert s.view != "final", "a click in the view menu chooses nothing"
    s.picture("chosen-" + s.view.replace(" ", "-"))
    s.show("final")
