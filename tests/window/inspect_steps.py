"""Looking closer: two views side by side, hidden shells, one pixel, the backends compared."""

from __future__ import annotations

import numpy as np

from window.driver import Session, differ


def split_view(s: Session) -> None:
    """Two views side by side, and the line between them dragged."""
    v = s.viewer
    look = v.inspection
    v.notices.lines.clear()
    plain = s.scene("plain")
    look.compared = "outer normal"
    look.split = 0.5
    split = s.scene("split")
    middle = 420 // 2
    left, right = slice(0, middle - 40), slice(middle + 20, None)
    assert differ(split[40:, left], plain[40:, left]) < 0.5 and differ(split[40:, right], plain[40:, right]) > 5
    s.drag(1, -100, 0, (300 + middle, 300))
    assert abs(look.split - (middle - 100) / 420) < 0.02, "the line between two views is not dragged"
    for compared in ("backend compute", "inner shell only", "alpha"):
        look.compared = compared
        s.scene("split-" + compared.replace(" ", "-"))
        assert look.compared == compared, v.notices.lines
    look.compared = None


def edges_shells_features(s: Session) -> None:
    """Edges, one shell alone, and features without the network."""
    v = s.viewer
    look = v.inspection
    v.notices.lines.clear()
    plain = s.scene("plain-again")
    look.wires = (True, True)
    assert differ(s.scene("edges"), plain) > 2 and v.ctx.wireframe is False
    look.wires = (False, False)
    assert differ(s.scene("no-edges"), plain) < 0.5
    look.shown = (False, True)
    assert differ(s.scene("inner-alone"), plain) > 1
    look.shown = (True, True)
    look.network = False
    bare = s.scene("without-network")
    look.network = True
    s.show("outer features 0")
    assert differ(bare, plain) > 1 and differ(s.scene("first-features"), bare) < 0.5
    s.show("outer features 0")
    look.channel = 2
    assert s.scene("second-channel").std() > 5
    s.show("final")
    look.channel = 0


def probed_pixel(s: Session) -> None:
    """What the pixel under the mouse is made of."""
    v = s.viewer
    look = v.inspection
    v.notices.lines.clear()
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


def backends_agree(s: Session) -> None:
    """The other backends draw the same picture."""
    v = s.viewer
    look = v.inspection
    v.notices.lines.clear()
    look.compare_backends(v.scene, v.drawn_camera(v.scene))
    assert float(look.agreement.split("float32: ")[1].split(" ")[0]) > 45, look.agreement
    assert float(look.agreement.split("Runtime: ")[1].split(" ")[0]) > 45, look.agreement
