"""Where the panel and the scene are in the window."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """One frame's layout.

    ``size``: the window's, in window coordinates; ``pixels``: the framebuffer's; ``scale``: the content scale, 1 at
    96 dpi; ``left``: the width of the panel, in window coordinates, 0 where it is hidden or lies over the scene.
    """

    size: tuple[int, int]
    pixels: tuple[int, int]
    scale: float = 1.0
    left: float = 0.0

    @property
    def scene_size(self) -> tuple[int, int]:
        """The scene's width and height in window coordinates, at least 1."""
        return max(round(self.size[0] - self.left), 1), max(self.size[1], 1)

    @property
    def scene_box(self) -> tuple[int, int, int, int]:
        """The scene's left, bottom, width and height in pixels of the framebuffer."""
        left = round(self.left * self.pixels[0] / max(self.size[0], 1))
        return left, 0, max(self.pixels[0] - left, 1), self.pixels[1]

    @property
    def panel_size(self) -> tuple[int, int]:
        """The panel's width and height in pixels of the framebuffer."""
        return self.scene_box[0], self.pixels[1]
