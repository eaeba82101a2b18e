"""Background, exposure, resolution, and a camera that sees nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from builders.bundles import seen_from_above
from duplex.app.render.views import Unseen
from duplex.app.viewer.crop_box import as_flag
from duplex.app.viewer.gui.clipboard import clipboard
from window.driver import Session, differ


def patterns(s: Session) -> None:
    """Backgrounds with a pattern."""
    for pattern in ("checker", "gradient"):
        s.look(pattern=pattern)
        patterned = s.scene(pattern)
        assert patterned[2:, -60:].reshape(-1, 3).std(0).max() > 3, f"no {pattern} is drawn"
    s.look(pattern="plain")


def exposure(s: Session) -> None:
    """Half the exposure halves the colours and leaves the background."""
    final = s.scene("before")
    s.look(exposure=-1.0)
    darker = s.scene("darker")
    covered = np.abs(final - final[2, -3]).max(-1) > 60
    assert np.median(np.abs(darker[covered] - final[covered] / 2)) < 4 and (darker[2, -3] == 255).all()
    s.look(exposure=0.0)


def nothing_in_view(s: Session) -> None:
    """An empty view is explained."""
    state = s.state
    s.key("key", "r")
    kept = state.scene.controls.goal
    state.scene.controls.move(0, 0, -1, 1.0)
    state.scene.controls.turn(0, 0)
    state.scene.controls.mode = "fly"
    state.scene.controls.turn(630, 0)
    state.scene.controls.arrive()
    assert not s.overlay().sees(*state.scene.bundle.bounds)
    assert (s.scene("nothing-in-view") < 100).mean() > 0.005, "an empty view is not explained"
    state.scene.controls.mode = "orbit"
    state.scene.controls.goal = kept
    s.scene("back")
    assert s.overlay().sees(*state.scene.bundle.bounds)
    s.key("key", "f")


def unseen_parts(s: Session) -> None:
    """The panel has a choice for parts that no camera saw, says when they are in view, and can hold the orbit."""
    state = s.state
    bundle, path = state.scene.bundle, state.scene.path
    panel = s.picture("all-was-seen")[:, :300]
    state.show(seen_from_above(replace(bundle, rig=bundle.rig | {"elevations": [0.3, 0.6]})), path)
    faded = s.picture("unseen-parts")
    assert state.sees_unseen and differ(faded[:, :300], panel) > 1, "no word of unseen parts"
    s.look(unseen=Unseen.HIDE)
    hidden = s.picture("hidden-parts")
    assert differ(hidden[:, 320:], faded[:, 320:]) > 0.2
    assert "unseen parts" in s.widgets.places
    s.click("hold the orbit where cameras were")
    assert state.look.limited
    s.drag(1, 0, -200)
    eye = np.array(state.scene.controls.goal.eye - state.scene.controls.goal.target)
    assert eye @ bundle.up > 0, "the orbit is not held"
    s.click("hold the orbit where cameras were")
    s.look(unseen=Unseen.FADE)
    state.show(bundle, path)


def background_and_scale(s: Session) -> None:
    """A coloured background, and a quarter of the resolution."""
    s.look(background=(0.1, 0.2, 0.8))
    blue = s.scene("blue")
    assert blue[2, -3, 2] > 180 and blue[2, -3, 0] < 40, "the background does not show"
    s.look(scale=0.25)
    coarse = s.scene("quarter-resolution")
    assert 0 < differ(coarse, blue) < 20
    s.look(scale=1.0)


def crop_box(s: Session) -> None:
    """A box is outlined, and its numbers are copied for the bake."""
    plain = s.scene("no-crop-box")
    s.click("crop box")
    assert np.allclose(s.state.look.crop, s.state.scene.box)
    assert differ(s.scene("crop-box"), plain) > 0.2, "no box is drawn"
    s.click("copy as --crop")
    assert clipboard() == as_flag(s.state.look.crop)
    s.key("key", "ctrl+z")
    assert s.state.look.crop is None, "the box is not undone"
