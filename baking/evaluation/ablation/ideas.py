"""The ideas of the method: the same scene distilled without one of them at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from duplex.app.scene.network import MAX_CHANNELS, ConvLayer, NetworkSpec
from duplex.baking.distill.views import NOWHERE, ViewSet
from duplex.baking.evaluation.ablation.variants import AblationVariant, Views
from duplex.baking.job import BakeJob, network_of

STRUCTURE_WEIGHT = 0.02  # of DSSIM in the loss, for the variant that has it


def without_ideas(job: BakeJob, both: Views, lone: Views) -> list[AblationVariant]:
    """The method itself, then its variants with one change each; ``lone``: views without the outer shell."""
    cnn = network_of(job)
    outer_only = both.each(_first_layer)
    inner_only = lone.each(_first_layer)
    narrow = both.each(_without_margin)
    distilled = [both.distilled]
    variants = [
        AblationVariant("duplex, CNN, distilled", distilled, both, cnn),
        AblationVariant("outer shell alone", [outer_only.distilled], outer_only, cnn),
        AblationVariant("inner shell alone", [inner_only.distilled], inner_only, cnn),
        AblationVariant("MLP for each pixel", [narrow.distilled], narrow, pixel_mlp(cnn)),
        AblationVariant("features not rounded to 8 bits", distilled, both, cnn, rounded=False),
        AblationVariant("no view directions", distilled, both, cnn, view_channels=0),
        AblationVariant("view directions as unit vectors", distilled, both, cnn, view_channels=3),
        AblationVariant("view directions in the whole 3 x 3 window", distilled, both, replace(cnn, view_kernel=3)),
        AblationVariant("DSSIM joins the loss", distilled, both, cnn, settings={"structure_weight": STRUCTURE_WEIGHT}),
    ]
    if both.photos:
        variants += [
            AblationVariant("photos only, not distilled", [both.photos], both, cnn),
            AblationVariant("distilled, then fine-tuned on photos", [both.distilled, both.photos], both, cnn),
        ]
    return variants


def _first_layer(views: ViewSet, name: str) -> ViewSet:
    hits = [np.array(view) for view in views.hits]
    for view in hits:
        view[..., 2:4] = NOWHERE
    return replace(views, hits=hits)


def _without_margin(views: ViewSet, name: str) -> ViewSet:
    m = views.margin
    return replace(views, hits=[view[m:-m, m:-m, :6] for view in views.hits], margin=0)


def pixel_mlp(cnn: NetworkSpec) -> NetworkSpec:
    """A three-layer network of 1 x 1 convolutions, whose width gives about the multiply-adds of ``cnn``, at most 64."""
    outputs = 4 * cnn.channels_to_space**2
    costs = {w: cnn.inputs * w + w * w + w * outputs for w in range(4, MAX_CHANNELS + 1, 4)}
    width = min(costs, key=lambda w: abs(costs[w] - cnn.macs_per_pixel * cnn.channels_to_space**2))
    sides = [(cnn.inputs, width, "relu"), (width, width, "relu"), (width, outputs, "sigmoid")]
    return replace(cnn, reference=None, layers=tuple(ConvLayer(1, a, b, activation) for a, b, activation in sides))
