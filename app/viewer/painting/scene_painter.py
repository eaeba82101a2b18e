"""Draws the open scene into the window: the picture, the second view of a split window, triangle edges."""

from __future__ import annotations

from dataclasses import dataclass

import moderngl

from duplex.app.render.frame import Frame, FrameOptions
from duplex.app.render.passes.screen import ScreenPass
from duplex.app.render.timers import PassTimers
from duplex.app.render.views import ERROR, REFERENCE, View
from duplex.app.scene.camera import Camera
from duplex.app.viewer.look import Inspection, Look
from duplex.app.viewer.open_scene import OpenScene
from duplex.app.viewer.painting.split_view import SecondRenderer

ABSENT_COLOR = (0.12, 0.12, 0.13)  # where a picture is not known
Box = tuple[int, int, int, int]  # left, bottom, width and height in pixels of a framebuffer


def is_absent(view: View, scene: OpenScene, camera: Camera) -> bool:
    """Whether ``view`` needs a reference picture, and the bundle has none from where ``camera`` stands."""
    return view in (REFERENCE, ERROR) and scene.renderer.reference_at(camera) is None


@dataclass(frozen=True)
class Appearance:
    """What of the scene is shown, and how."""

    look: Look
    inspection: Inspection

    def options(self, timers: PassTimers) -> FrameOptions:
        """How the renderer draws the picture; ``timers`` measure its passes."""
        return FrameOptions(
            view=self.inspection.drawn_view(self.look.view),
            background=self.look.backdrop.drawn,
            shells=self.inspection.shells,
            display=self.inspection.display,
            unseen=self.look.unseen,
            timers=timers,
        )

    def second_options(self) -> FrameOptions:
        """How the renderer draws the second view; it is not measured, since the timers belong to the first one."""
        second = self.inspection.second
        assert second
        return FrameOptions(
            view=second.view,
            background=self.look.backdrop.drawn,
            shells=second.shells or self.inspection.shells,
            display=self.inspection.display,
            unseen=self.look.unseen,
        )


class ScenePainter:
    """Draws scenes.

    ``timers`` measure the passes of the picture; ``frame``: the G-buffer of the last one, None if it had none.
    """

    def __init__(self, ctx: moderngl.Context, timers: PassTimers):
        self.timers = timers
        self.second = SecondRenderer()
        self.frame: Frame | None = None
        self._screen = ScreenPass(ctx)

    def paint(
        self, scene: OpenScene, appearance: Appearance, size: tuple[int, int], box: Box, out: moderngl.Framebuffer
    ) -> None:
        """Draw ``scene`` at ``size``, stretched over ``box`` of ``out``.

        Raises :class:`~duplex.app.core.errors.DuplexError` where the driver refuses it.
        """
        camera = scene.controls.camera(*size)
        inspection, backdrop = appearance.inspection, appearance.look.backdrop
        if is_absent(appearance.look.view, scene, camera):
            self.frame = None
            out.clear(*ABSENT_COLOR, viewport=box)
        else:
            drawn = scene.renderer.draw(camera, appearance.options(self.timers))
            self.frame = drawn.frame
            texture = _filtered(drawn.texture)
            with self.timers.measure("screen"):
                self._screen.render(texture, backdrop, box, box, out=out)
        if inspection.second:
            self._paint_second(scene, appearance, camera, box, out)
        scene.draw_edges(inspection.edges, scene.controls.camera(*box[2:]), box, out)

    def _paint_second(
        self, scene: OpenScene, appearance: Appearance, camera: Camera, box: Box, out: moderngl.Framebuffer
    ) -> None:
        """Draw the second view over the right part of ``box``."""
        second = appearance.inspection.second
        assert second
        left = round(appearance.inspection.split * box[2])
        part = (box[0] + left, box[1], box[2] - left, box[3])
        if is_absent(second.view, scene, camera):
            out.clear(*ABSENT_COLOR, viewport=part)
            return
        renderer = self.second.at(scene.renderer, second)
        texture = _filtered(renderer.draw(camera, appearance.second_options()).texture)
        self._screen.render(texture, appearance.look.backdrop, box, part, out=out)

    def prepare(self, scene: OpenScene, inspection: Inspection) -> None:
        """Make the second view's renderer; raises ``DuplexError`` where this machine lacks the backend."""
        if inspection.second:
            self.second.at(scene.renderer, inspection.second)


def _filtered(texture: moderngl.Texture) -> moderngl.Texture:
    """``texture``, sampled bilinearly."""
    texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
    return texture
