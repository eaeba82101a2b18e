"""A reference picture of the bundle in the place of the frame, or the frame's distance from it."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.render.display import RAMPS
from duplex.app.render.frame import Rgba
from duplex.app.scene.camera import Camera
from duplex.app.scene.reference import Reference
from duplex.shaders import source

ERROR_RANGE = 0.25  # mean absolute difference of the channels at the bright end of an error map


class ComparisonPass:
    """Draws references as the frame's camera sees them; each is uploaded when it is first asked for."""

    def __init__(self, ctx: moderngl.Context, references: tuple[Reference, ...]):
        self.ctx, self.references = ctx, references
        self._textures: dict[int, moderngl.Texture] = {}
        vertex = source("screen/fullscreen.vert")
        programs = [
            ctx.program(vertex_shader=vertex, fragment_shader=source("screen/comparison.frag", error=i)) for i in (0, 1)
        ]
        self._triangles = [ctx.vertex_array(program, []) for program in programs]
        for program in programs:
            program["u_reference"] = 0
        programs[1]["u_drawn"], programs[1]["u_range"], programs[1]["u_ramp"] = 1, ERROR_RANGE, RAMPS["heat"]

    def render(
        self,
        reference: Reference,
        camera: Camera,
        background: Rgba,
        drawn: moderngl.Texture | None = None,
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Fill ``out`` with ``reference``, or with how far ``drawn``, the frame on that ``background``, is from it.

        ``background``: straight RGBA.
        """
        out.use()
        self.ctx.enable_only(moderngl.NOTHING)
        triangle = self._triangles[drawn is not None]
        triangle.program["u_place"] = reference.place(camera)
        triangle.program["u_background"] = (*(background[3] * x for x in background[:3]), background[3])
        self._texture(reference).use(0)
        if drawn is not None:
            drawn.use(1)
        triangle.render(moderngl.TRIANGLES, vertices=3)

    def _texture(self, reference: Reference) -> moderngl.Texture:
        index = self.references.index(reference)
        if index not in self._textures:
            rgba = reference.rgba[::-1].astype(np.float32)
            rgba[..., :3] *= rgba[..., 3:] / 255
            size = (reference.camera.width, reference.camera.height)
            self._textures[index] = texture = self.ctx.texture(size, 4, np.rint(rgba).astype(np.uint8).tobytes())
            texture.build_mipmaps()
            texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
            texture.repeat_x = texture.repeat_y = False
        return self._textures[index]
