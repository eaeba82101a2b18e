"""The comparison pass: shows a reference image, or the error of the rendered image against it."""

from __future__ import annotations

import moderngl
import numpy as np

from duplex.app.render.display import RAMPS
from duplex.app.render.frame import Rgba
from duplex.app.scene.camera import Camera
from duplex.app.scene.reference import Reference
from duplex.shaders import source

ERROR_RANGE = 0.25  # error (mean absolute difference of the channels) at the bright end of the ramp


class ComparisonPass:
    """Draws reference images at the pixels of the frame's camera. Each is uploaded at its first use."""

    def __init__(self, ctx: moderngl.Context, references: tuple[Reference, ...]):
        self.ctx = ctx
        self.references = references
        self._textures: dict[int, moderngl.Texture] = {}
        vertex = source("screen/fullscreen.vert")
        programs = [
            ctx.program(vertex_shader=vertex, fragment_shader=source("screen/comparison.frag", error=i)) for i in (0, 1)
        ]
        self._triangles = [ctx.vertex_array(program, []) for program in programs]
        for program in programs:
            program["u_reference"] = 0
        programs[1]["u_drawn"] = 1
        programs[1]["u_range"] = ERROR_RANGE
        programs[1]["u_ramp"] = RAMPS["heat"]

    def render(
        self,
        reference: Reference,
        camera: Camera,
        background: Rgba,
        drawn: moderngl.Texture | None = None,
        *,
        out: moderngl.Framebuffer,
    ) -> None:
        """Fill ``out`` with ``reference`` over ``background``, or with the error of ``drawn`` if that is given.

        ``camera``: of the frame, with the pose of the reference; ``background``: straight RGBA in [0, 1]; ``drawn``:
        the rendered image over the same background.
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
            texture = self.ctx.texture(size, 4, np.rint(rgba).astype(np.uint8).tobytes())
            texture.build_mipmaps()
            texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
            texture.repeat_x = texture.repeat_y = False
            self._textures[index] = texture
        return self._textures[index]
