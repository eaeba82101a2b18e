"""How the window's widgets look at any scale."""

from __future__ import annotations

import pytest
from imgui_bundle import imgui

from duplex.app.viewer.gui.theme import FONT, Theme


def test_sizes_follow_the_scale_and_come_back() -> None:
    imgui.create_context()
    try:
        theme, style = Theme(), imgui.get_style()
        assert FONT.exists()

        def sizes() -> list[float]:
            found = style.frame_padding, style.item_spacing, style.window_padding
            return [*(x for both in found for x in both), style.scrollbar_size, style.font_scale_dpi]

        plain = sizes()
        for scale in (1.5, 1.25, 1.4993, 1.5007, 2.0):
            theme.scale_to(scale)
            assert sizes() == pytest.approx([scale * x for x in plain], abs=1.0)
        theme.scale_to(1.0)
        assert sizes() == plain and min(plain) >= 1
    finally:
        imgui.destroy_context()
