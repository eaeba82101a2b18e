"""The programs of one stage of the network, for fragment and for compute shaders."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from duplex.app.render.backends.pyramid import FeaturePyramid, Program, TapSource, number_inputs, tap_source
from duplex.app.render.backends.stages import (
    Layer,
    filled,
    groups_of,
    input_declarations,
    scaled_stage_body,
    stage_body,
)
from duplex.app.render.frame import Frame

Compiled = TypeVar("Compiled")


class StagePrograms(Generic[Compiled]):
    """One program for each group of output textures of a stage, compiled when a frame first needs it.

    ``groups``: the indices of those textures; ``rings``: which ring textures of the ``pyramid`` each group reads, if
    the stage reads one; ``make``: compiles the layers of a group.
    """

    def __init__(
        self,
        layers: list[Layer],
        pyramid: FeaturePyramid | None,
        make: Callable[[list[Layer], TapSource], Compiled],
    ):
        self.pyramid = pyramid
        self.make = make
        self.parts = groups_of(layers, pyramid is not None)
        self.groups = [group for group, _ in self.parts]
        self.rings = [slice(g.start, g.stop) if len(layers) == 1 else slice(None) for g in self.groups]
        self._compiled: dict[TapSource, list[Compiled]] = {}
        if not pyramid:
            self.reading(TapSource.NEIGHBOURS)

    def taps(self, frame: Frame) -> TapSource:
        """Where the first layer finds the neighbours of the pixels of ``frame``."""
        return tap_source(self.pyramid.spec, frame.transform) if self.pyramid else TapSource.NEIGHBOURS

    def reading(self, taps: TapSource) -> list[Compiled]:
        """The programs of all groups for frames of these ``taps``."""
        if taps not in self._compiled:
            self._compiled[taps] = [self.make(part, taps) for _, part in self.parts]
        return self._compiled[taps]


def prepare(program: Program, layers: list[Layer], pyramid: FeaturePyramid | None) -> None:
    """Set the uniforms that are constant over all frames of a stage's ``program``."""
    inputs = layers[0].spec.inputs // 4
    number_inputs(program, inputs)
    if pyramid:
        pyramid.prepare(program, inputs)


def stage_source(text: str, layers: list[Layer], taps: TapSource, declaration: str, store: str) -> str:
    """The GLSL shader of one stage, a layer and the 1x1 layers after it, in the frame ``text``.

    ``declaration``, ``store``: of an output, with ``{i}`` for its number and ``{value}`` for its value.
    """
    outputs = range(len(layers[-1].bias) // 4)
    scaled = taps is not TapSource.NEIGHBOURS
    declarations = input_declarations(layers, scaled) + [declaration.format(i=i) for i in outputs]
    results, body = scaled_stage_body(layers, taps is TapSource.BOTH) if scaled else stage_body(layers)
    if scaled:
        nothing = [f"        {store.format(i=i, value='vec4(0.0)')}" for i in outputs]
        head = ["    float coverage = texelFetch(u_hits, pixel, 0).a;", "    if (coverage == 0.0) {"]
        body = [*head, *nothing, "        return;", "    }", *body]
    body += [f"    {store.format(i=i, value=result)}" for i, result in enumerate(results)]
    return filled(text, declarations, body)
