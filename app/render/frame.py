"""What goes into a frame and what comes out; the renderer keeps no state of its own between frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import moderngl

from duplex.app.render.display import Display
from duplex.app.render.timers import NO_TIMERS, Timers
from duplex.app.render.view_transform import ViewTransform
from duplex.app.render.views import FINAL, View

Rgba = tuple[float, float, float, float]
TRANSPARENT: Rgba = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class FrameOptions:
    """How a frame is drawn.

    ``view``: what is shown; ``background``: straight RGBA in [0, 1], None for the teacher's own colour;
    ``shells``: whether the outer and the inner shell's features are seen, otherwise the network is given 0;
    ``display``: how targets other than the picture are made visible; ``timers``: measure each pass.
    """

    view: View = FINAL
    background: Rgba | None = None
    shells: tuple[bool, bool] = (True, True)
    display: Display = field(default_factory=Display)
    timers: Timers = NO_TIMERS


@dataclass(frozen=True)
class Frame:
    """The G-buffer of a frame, which backends shade; all textures but ``tiles`` have one size.

    ``transform``: of the camera, margin included; ``hits``: the outer and the inner shell's; ``tiles``: one pixel for
    each tile, 0 where it is empty; ``inputs``: the targets of the network's inputs; ``shells``: as in
    :class:`FrameOptions`.
    """

    transform: ViewTransform
    hits: list[moderngl.Texture]
    tiles: moderngl.Texture
    inputs: moderngl.Framebuffer
    shells: tuple[bool, bool] = (True, True)


@dataclass(frozen=True)
class FrameResult:
    """What was drawn, valid until the renderer draws again at the same size.

    ``picture``: RGBA8, premultiplied by alpha; ``frame``: the G-buffer behind it, None where only a reference picture
    was shown; ``shaded``: the network's output textures, empty where the network did not run.
    """

    picture: moderngl.Framebuffer
    frame: Frame | None = None
    shaded: list[moderngl.Texture] = field(default_factory=list)

    @property
    def texture(self) -> moderngl.Texture:
        """The picture as a texture."""
        texture = self.picture.color_attachments[0]
        assert isinstance(texture, moderngl.Texture)
        return texture
