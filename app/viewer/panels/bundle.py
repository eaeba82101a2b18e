"""The panel's section *Bundle*: what the bundle is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from imgui_bundle import imgui

from duplex.app.core.errors import printable
from duplex.app.core.tree import shown
from duplex.app.scene.bundle import Bundle
from duplex.app.viewer.panels.hints import HINTS
from duplex.app.viewer.panels.widgets import show_hint


@dataclass(frozen=True, eq=False)
class BundleFacts:
    """``bundle``, the ``name`` of its file, the file's size in ``bytes``, and the ``sizes`` of its kinds of parts."""

    bundle: Bundle
    name: str
    bytes: int
    sizes: Mapping[str, int]


def draw_bundle(facts: BundleFacts) -> None:
    """Declare the section."""
    bundle = facts.bundle
    width, height = bundle.outer.texels.shape[2], bundle.outer.texels.shape[1]
    bracketing = bundle.report.get("bracketing")
    lines = {
        "file": facts.name,
        "size": f"{facts.bytes / 1e6:.2f} MB",
        **{f"  {kind}": f"{size / 1e3:.0f} kB" for kind, size in facts.sizes.items()},
        "faces": f"{len(bundle.outer.mesh.faces)} + {len(bundle.inner.mesh.faces)}",
        "features": f"{bundle.network.feature_channels} at {width} x {height}",
        "network": f"{bundle.network.macs_per_pixel:.0f} multiply-adds a pixel",
        "teacher": shown(bundle.teacher.get("family", "unknown")),
        "bracketing": f"{100 * bracketing:.1f}%" if bracketing is not None else "unknown",
    }
    if imgui.begin_table("bundle", 2, imgui.TableFlags_.sizing_fixed_fit):
        for name, value in lines.items():
            imgui.table_next_column()
            imgui.text_disabled(name)
            if name == "bracketing":
                show_hint(HINTS["bracketing"])
            imgui.table_next_column()
            imgui.text(printable(value))
        imgui.end_table()
