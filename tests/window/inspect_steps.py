"""Looking closer: two views side by side, hidden shells, one pixel, the backends compared."""

from __future__ import annotations

import numpy as np

from duplex.app.render.display import Display
from duplex.app.viewer.actions import CompareBackends, SetTrueLength
from window.driver import Session, differ


def split_view(s: Session) -> None:
    """Two views side by side, and the line between them dragged."""
    state = s.state
    state.notices.lines.clear()
    plain = s.scene("plain")
    s.compare("outer normal")
    s.inspect(split=0.5)
    split = s.scene("split")
    middle = 420 // 2
    left, right = slice(0, middle - 40), slice(middle + 20, None)
    assert differ(split[40:, left], plain[40:, left]) < 0.5 and differ(split[40:, right], plain[40:, right]) > 5
    s.drag(1, -100, 0, (300 + middle, 300))
    assert abs(state.inspection.split - (middle - 100) / 420) < 0.02, "the line between two views is not dragged"
    for compared in ("backend compute", "inner shell only", "alpha"):
        s.compare(compared)
        s.scene("split-" + compared.replace(" ", "-"))
        assert str(state.inspection.second) == compared, state.notices.lines
    s.compare(None)


def edges_shells_features(s: Session) -> None:
    """Edges, one shell alone, and features without the network."""
    state = s.state
    state.notices.lines.clear()
    plain = s.scene("plain-again")
    s.inspect(edges=(True, True))
    assert differ(s.scene("edges"), plain) > 2 and state.ctx.wireframe is False
    s.inspect(edges=(False, False))
    assert differ(s.scene("no-edges"), plain) < 0.5
    s.inspect(shells=(False, True))
    assert differ(s.scene("inner-alone"), plain) > 1
    s.inspect(shells=(True, True))
    s.inspect(network=False)
    bare = s.scene("without-network")
    s.inspect(network=True)
    s.show("outer features 0")
    assert differ(bare, plain) > 1 and differ(s.scene("first-features"), bare) < 0.5
    s.show("outer features 0")
    s.inspect(display=Display(1))
    assert s.scene("second-channel").std() > 5
    s.show("final")
    s.inspect(display=Display())


def probed_pixel(s: Session) -> None:
    """What the pixel under the mouse is made of."""
    state = s.state
    state.notices.lines.clear()
    s.inspect(probing=True)
    s.xdotool("mousemove", "--window", s.number, 510, 320)
    s.frames(3)
    assert state.measurements.probed and state.measurements.probed.found.outer, "there is nothing under the mouse"
    picture = s.picture("probe")
    probed = state.measurements.probed
    middle = picture[probed.pixel[1], 300 + probed.pixel[0]]
    assert np.abs(middle - probed.found.color[:3]).max() < 3
    state.notices.note("drawn while a pixel is looked at")
    assert differ(s.picture("probe-and-notice")[500:], picture[500:]) > 1, "probing keeps the interface from the window"
    state.notices.lines.clear()
    s.inspect(probing=False)


def backends_agree(s: Session) -> None:
    """The other backends draw the same picture."""
    state = s.state
    state.notices.lines.clear()
    s.apply(CompareBackends())
    agreement = state.measurements.agreement
    assert float(agreement.split("float32: ")[1].split(" ")[0]) > 45, agreement
    assert float(agreement.split("Runtime: ")[1].split(" ")[0]) > 45, agreement


def measured_distance(s: Session) -> None:
    """Two clicks measure a distance, which a true length calibrates; the camera stays where it is."""
    state = s.state
    s.key("key", "r")
    s.frames(20)
    s.inspect(measuring=True)
    pivot = np.array(state.scene.controls.goal.target)
    plain = s.scene("before-measuring")
    for place in ((500, 300), (560, 330)):
        s.point(*place)
        s.xdotool("click", 1)
        s.frames(3)
    first, second = state.measurements.points
    assert state.measurements.distance == np.linalg.norm(second - first) > 0
    assert differ(s.scene("measured"), plain) > 0.1, "nothing is drawn of it"
    s.apply(SetTrueLength(2.5))
    assert np.isclose(state.measurements.distance, 2.5)
    assert np.allclose(np.array(state.scene.controls.goal.target), pivot)
    s.inspect(measuring=False)
