"""The feature pyramid, from which a network with a reference view takes the neighbours of a pixel.

See :mod:`duplex.app.scene.network_in_numpy`. Levels are halved from the features of a frame. The sums of the first
layer's taps but the centre are computed on every level that the frame needs, and written side by side into the ring
textures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

import moderngl
import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.render.backends.stages import Layer, filled, groups_of, product_lines
from duplex.app.render.frame import Frame
from duplex.app.render.gpu import bytes_of, color_target, colors
from duplex.app.render.passes.tiles import TileProgram
from duplex.app.render.view_transform import ViewTransform
from duplex.app.scene.network import MAX_LEVEL, TAP_SPACING, NetworkSpec
from duplex.shaders import source

DEFINES: dict[str, int | float] = {"tap_spacing": TAP_SPACING, "max_level": MAX_LEVEL}
WHOLE_LEVEL = 3  # from here on tiles are smaller than what GPUs shade at once, and levels are small

Program = moderngl.Program | moderngl.ComputeShader


class TapSource(Enum):
    """What the first stage reads in a frame; shaders without the rest are faster, even where branches are not."""

    NEIGHBOURS = auto()  # the inputs of neighbouring pixels, as a network without a reference view
    PYRAMID = auto()  # level 1 of the pyramid and higher ones
    BOTH = auto()


class FeaturePyramid:
    """The programs that fill a :class:`SizedPyramid` for the network ``spec``, whose ``first`` layer reads it."""

    def __init__(self, ctx: moderngl.Context, spec: NetworkSpec, first: Layer):
        self.ctx = ctx
        self.spec = spec
        self.inputs = spec.neighbour_inputs // 4
        self.outputs = first.spec.outputs // 4
        parts = groups_of([first])
        self.groups = [group for group, _ in parts]
        self.halving = self._program(halving_source(self.inputs))
        self.rings = [self._program(ring_source(layer, self.inputs)) for _, (layer,) in parts]

    def _program(self, text: str) -> TileProgram:
        tiles = TileProgram(self.ctx, text)
        number_inputs(tiles.program, self.inputs)
        return tiles

    def sized(self, size: tuple[int, int]) -> SizedPyramid:
        """The pyramid with its targets for G-buffers of ``size``."""
        sizes = [size]
        for _ in range(MAX_LEVEL):
            sizes.append(tuple(-(-side // 2) for side in sizes[-1]))  # type: ignore[arg-type]
        first, *others = sizes[1:]
        places = [(0, 0, *first)]
        for width, height in others:
            above = places[-1][1] + places[-1][3] if len(places) > 1 else 0
            places.append((first[0], above, width, height))
        ring_size = (first[0] + others[0][0], max(first[1], places[-1][1] + places[-1][3]))
        levels = [
            self.ctx.framebuffer([color_target(self.ctx, each) for _ in range(self.inputs)]) for each in sizes[1:]
        ]
        rings = [self.ctx.framebuffer([color_target(self.ctx, ring_size) for _ in group]) for group in self.groups]
        for texture in colors(*levels, *rings):
            texture.filter = (moderngl.LINEAR, moderngl.LINEAR)
        return SizedPyramid(self, levels, rings, np.array(places, np.int64), ring_size)

    def prepare(self, program: Program, unit: int) -> None:
        """Set the constant uniforms of a ``program`` that reads the pyramid from texture ``unit`` on, if it does."""
        if "u_hits" in program:
            program["u_hits"] = unit
        for i in range(self.outputs):
            if f"u_ring{i}" in program:
                program[f"u_ring{i}"] = unit + 1 + i


@dataclass(frozen=True)
class SizedPyramid:
    """A :class:`FeaturePyramid` with its targets.

    ``levels``: framebuffers of the features from level 1 on; ``rings``: framebuffers with the sums of the taps, one for
    each group of outputs; ``places``: (levels, 4) int64, of each level in them: first column and row, width, height;
    ``ring_size``: width and height of the ring textures.
    """

    pyramid: FeaturePyramid
    levels: list[moderngl.Framebuffer]
    rings: list[moderngl.Framebuffer]
    places: Array
    ring_size: tuple[int, int]

    @property
    def gpu_bytes(self) -> int:
        """GPU memory of the targets in bytes."""
        return bytes_of(*self.levels, *self.rings)

    def render(self, frame: Frame) -> None:
        """Fill the levels that ``frame`` needs, from its network inputs."""
        lowest, highest = level_range(self.pyramid.spec, frame.transform)
        self.pyramid.ctx.enable_only(moderngl.NOTHING)
        below = colors(frame.inputs)  # with bilinear filtering
        for level in range(1, highest + 1):
            target = self.levels[level - 1]
            _bind(below[: self.pyramid.inputs])
            target.use()
            target.clear()
            self.pyramid.halving.render(frame.tiles, target.size, level)
            below = colors(target)
            if level >= lowest:
                self._ring(frame, level, below)

    def _ring(self, frame: Frame, level: int, features: list[moderngl.Texture]) -> None:
        """Sum the taps on the texels of ``level`` that covered pixels are interpolated from."""
        x, y, width, height = self.places[level - 1].tolist()
        _bind(features)
        for draw, target in zip(self.pyramid.rings, self.rings, strict=True):
            target.viewport = (x, y, width, height)
            target.use()
            draw.program["u_first"] = (x, y)
            if level < WHOLE_LEVEL:
                draw.render(frame.tiles, (width, height), level, reach=1)
            else:
                draw.render_whole(frame.tiles, (width, height))

    def bind(self, program: Program, frame: Frame, unit: int, part: slice) -> None:
        """Bind the hits and the ring textures of the outputs ``part`` for a prepared ``program``; set its uniforms."""
        frame.hits[0].use(unit)
        for i, texture in enumerate(colors(*self.rings)[part], unit + 1):
            texture.use(i)
        if "u_places" in program:
            program["u_places"].write(self.places.astype("<f4").tobytes())  # type: ignore[union-attr]
            program["u_ring_size"] = tuple(float(x) for x in self.ring_size)


def tap_source(spec: NetworkSpec, transform: ViewTransform) -> TapSource:
    """What pixels of a view may need."""
    lowest, highest = level_range(spec, transform)
    if highest == 0:
        return TapSource.NEIGHBOURS
    return TapSource.PYRAMID if lowest else TapSource.BOTH


def level_range(spec: NetworkSpec, transform: ViewTransform) -> tuple[int, int]:
    """The lowest and the highest level that pixels of a view may need, both between 0 and :data:`MAX_LEVEL`."""
    if spec.reference is None:
        return 0, 0
    near, far = transform.depths
    shortest, longest = spec.reference.distance_range(transform.center, transform.radius)
    factor = TAP_SPACING * transform.focal / spec.reference.focal
    scales = (factor * shortest / far, factor * longest / near)
    low, high = (math.log2(min(max(scale, 1), 1 << MAX_LEVEL)) for scale in scales)
    return math.floor(low), math.ceil(high)


def halving_source(textures: int) -> str:
    """The GLSL fragment shader that halves ``textures`` textures."""
    declarations = [f"uniform sampler2D u_input{i};" for i in range(textures)]
    declarations += [f"layout(location = {i}) out vec4 o_{i};" for i in range(textures)]
    body = [f"    o_{i} = textureLod(u_input{i}, place, 0.0);" for i in range(textures)]
    return filled(source("pyramid/halving.frag"), declarations, body)


def ring_source(layer: Layer, textures: int) -> str:
    """The GLSL fragment shader that sums the taps of ``layer`` but the centre over ``textures`` input textures."""
    outputs = len(layer.bias) // 4
    declarations = [f"uniform sampler2D u_input{i};" for i in range(textures)]
    declarations += [f"layout(location = {i}) out vec4 o_{i};" for i in range(outputs)]
    body = [f"    vec4 a0_{i} = vec4(0.0);" for i in range(outputs)]
    for row in range(3):
        for column in range(3):
            if (row, column) == (1, 1):
                continue
            place = f"clamp(texel + ivec2({column - 1}, {1 - row}), ivec2(0), last)"
            for i in range(textures):
                fetch = f"texelFetch(u_input{i}, {place}, 0)"
                body += product_lines(0, layer.weight[:, 4 * i : 4 * i + 4, row, column], fetch)
    body += [f"    o_{i} = a0_{i};" for i in range(outputs)]
    return filled(source("pyramid/ring.frag"), declarations, body)


def number_inputs(program: Program, count: int) -> None:
    """Assign texture units from 0 on to the samplers ``u_input<i>`` of ``program``."""
    for i in range(count):
        if f"u_input{i}" in program:  # the GLSL compiler removes inputs whose weights are all 0
            program[f"u_input{i}"] = i


def _bind(textures: list[moderngl.Texture]) -> None:
    for unit, texture in enumerate(textures):
        texture.use(unit)
