"""Every control of the panel has a hint, and no hint is left of a control that is gone."""

from __future__ import annotations

import re
from pathlib import Path

from duplex.app.viewer import panels
from duplex.app.viewer.camera.camera_controls import MODES
from duplex.app.viewer.panels.hints import HINTS

BARE = re.compile(r"imgui\.(button|checkbox|combo|slider|radio|input|color|drag|collapsing)")
LABEL = re.compile(r"""(?:widgets\.\w+|_section)\(\s*"([^"]+)\"""")


def test_every_control_has_a_hint_and_every_hint_a_control() -> None:
    sources = [file.read_text() for file in Path(panels.__file__).parent.glob("*.py") if file.stem != "widgets"]
    labels = {label for source in sources for label in LABEL.findall(source)}
    assert len(labels) > 50 and labels <= HINTS.keys()
    others = {"play", *MODES, "frame (F)", "reset (R)", "copy", "paste", "bracketing", "level"}  # of tables and texts
    assert others <= HINTS.keys() and not HINTS.keys() - labels - others
    assert not [source for source in sources if BARE.search(source)]
    assert all(len(hint) < 200 and hint[0].isupper() and hint.endswith(".") for hint in HINTS.values())
