"""Input and output of one frame. The renderer keeps no state between frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import moderngl

from duplex.app.render.display import Display
from duplex.app.render.timers import NO_TIMERS, Timers
from duplex.app.render.view_transform import ViewTransform
from duplex.app.render.views import FINAL, Unseen, View

Rgba = tuple[float, float, float, float]
TRANSPARENT: Rgba = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class FrameOptions:
    """How a frame is drawn.

    * ``view``: the image or the intermediate target to show.
    * ``background``: straight RGBA in [0, 1]; None for the background of the teacher's training.
    * ``shells``: whether the network receives the features of the outer and of the inner shell; if not, it receives 0.
    * ``display``: colours of an intermediate target.
    * ``unseen``: what becomes of parts that the cameras of the bake have not seen, in the image and in its alpha.
    * ``timers``: measure the GPU time of each pass.
    """

    view: View = FINAL
    background: Rgba | None = None
    shells: tuple[bool, bool] = (True, True)
    display: Display = field(default_factory=Display)
    unseen: Unseen = Unseen.FADE
    timers: Timers = NO_TIMERS


@dataclass(frozen=True)
class Frame:
    """The G-buffer of a frame, from which a backend computes the image. All textures except ``tiles`` have one size.

    * ``transform``: of the camera, with the network's margin on all sides.
    * ``hits``: hit textures of the outer and of the inner shell (:mod:`duplex.app.render.passes.gbuffer`).
    * ``tiles``: one pixel per screen tile, 0 for an empty tile.
    * ``inputs``: targets of the network's inputs.
    * ``shells``: as in :class:`FrameOptions`.
    """

    transform: ViewTransform
    hits: list[moderngl.Texture]
    tiles: moderngl.Texture
    inputs: moderngl.Framebuffer
    shells: tuple[bool, bool] = (True, True)


@dataclass(frozen=True)
class FrameResult:
    """The result of a frame, valid until the renderer draws the next frame of the same size.

    ``picture``: RGBA8, premultiplied alpha; ``frame``: the G-buffer, None if only a reference image was shown;
    ``shaded``: output textures of the network, empty if it did not run.
    """

    picture: moderngl.Framebuffer
    frame: Frame | None = None
    shaded: list[moderngl.Texture] = field(default_factory=list)

    @property
    def texture(self) -> moderngl.Texture:
        """The colour texture of :attr:`picture`."""
        texture = self.picture.color_attachments[0]
        assert isinstance(texture, moderngl.Texture)
        return texture
