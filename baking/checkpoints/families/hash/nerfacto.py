"""Checkpoints of nerfstudio's ``nerfacto`` and of the methods that share its field, trained without tiny-cuda-nn.

Tancik et al., "Nerfstudio: A Modular Framework for Neural Radiance Field Development", SIGGRAPH 2023. The proposal
networks only steer nerfstudio's own renderer, and are not read.
"""

from __future__ import annotations

import torch
from torch import Tensor

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.nerfstudio_run import NerfstudioRun, is_run, read_run
from duplex.baking.fields.field import MAX_DISTANCE, Overrides, SceneInfo, numbered, width_of
from duplex.baking.fields.hash_grid import (
    HARMONICS,
    MAX_LEVELS,
    MAX_LOG2_ENTRIES,
    HashField,
    HashGrid,
    nerfstudio_levels,
)
from duplex.baking.fields.mlp import Perceptron
from duplex.baking.fields.spaces import Contracted, World
from duplex.baking.fields.spherical_harmonics import spherical_harmonics

NAME = "nerfstudio nerfacto"
# What the table and the layers behind it are called since December 2023; since June 2023; before.
LAYOUTS = (
    ("field.mlp_base.model.0.hash_table", "field.mlp_base.model.1.layers."),
    ("field.mlp_base_grid.hash_table", "field.mlp_base_mlp.layers."),
    ("field.mlp_base.0.hash_table", "field.mlp_base.1.layers."),
)
HEAD = "field.mlp_head.layers."
COARSE_SAMPLES, FINE_SAMPLES = 256, 128
MIN_GAIN, MAX_GAIN = 1e-12, 1e12  # of the density


class NerfactoFamily(Family):
    """Checkpoints of nerfstudio's nerfacto and of the methods that share its field."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is a nerfstudio pipeline; :func:`load` explains which other method it is of."""
        return is_run(checkpoint)

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and the scene from the run's ``config.yml``."""
        run = read_run(checkpoint)
        layout = next((names for names in LAYOUTS if names[0] in run.members), None)
        if layout is None:
            raise _other(run)
        box = _box(run)
        contracted = not run.model.flag("disable_scene_contraction", False)
        if overrides.space in ("world", "contracted"):
            contracted = overrides.space == "contracted"
        gain = run.model.number("average_init_density", MIN_GAIN, MAX_GAIN, _initial_density(run, layout))
        grid = _grid(run, layout[0])
        base = _perceptron(run, layout[1], grid.width(), None)
        known = HARMONICS + base.outputs - 1
        head = _perceptron(run, HEAD, None, 3)
        if head.inputs < known:
            raise DuplexError(f"{HEAD}0 takes {head.inputs} inputs: expected {known} and an appearance embedding")
        average = run.model.flag("use_average_appearance_embedding", not _is_instant_ngp(run))
        field = Nerfacto(grid, base, head, overrides.activation or "exp", gain)
        if not contracted:
            field.low = box[0]
            field.size = box[1] - box[0]
        field.appearance = _appearance(run, head.inputs - known, average)
        return LoadedFields.single(field, _scene(run, box, contracted))


class Nerfacto(HashField):
    """nerfacto's field. ``low``, ``size`` (3,): of the box that the grid covers, in field space.

    ``appearance``: what the colour network gets in the place of a photo's own appearance.
    """

    low: Tensor
    size: Tensor
    appearance: Tensor

    def __init__(self, grid: HashGrid, base: Perceptron, head: Perceptron, activation: str, gain: float):
        super().__init__(grid, base, head, activation, gain)
        self.register_buffer("low", torch.full((3,), -2.0))  # a contracted space, where nothing else is said
        self.register_buffer("size", torch.full((3,), 4.0))
        self.register_buffer("appearance", torch.zeros(0))

    def place(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        unit = (points - self.low) / self.size
        return unit, ((unit > 0) & (unit < 1)).all(-1)

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        # directions are brought to [0, 1] for tiny-cuda-nn, and the torch implementation takes them as they are
        harmonics = spherical_harmonics(0.5 * (directions + 1), HARMONICS)
        harmonics[:, 1::2] *= -1  # those of odd order: no Condon-Shortley phase here
        appearance = self.appearance.expand(len(latent), -1)
        return torch.sigmoid(self.head(torch.cat([harmonics, latent[:, 1:], appearance], -1)))


def _other(run: NerfstudioRun) -> DuplexError:
    """Why a run that is not nerfacto's in plain torch cannot be read."""
    method = f" of method {run.method}" if run.method else ""
    if any(name.startswith("field.mlp_base") and name.endswith("params") for name in run.members):
        return DuplexError(
            f"a nerfstudio checkpoint{method} whose weights are in tiny-cuda-nn's own layout: "
            "train again with --pipeline.model.implementation torch and bake that"
        )
    return DuplexError(
        f"a nerfstudio checkpoint{method} without the hash grid of nerfacto: duplex reads vanilla-nerf, and nerfacto "
        "trained with --pipeline.model.implementation torch"
    )


def _is_instant_ngp(run: NerfstudioRun) -> bool:
    """Whether the field is that of nerfstudio's ``instant-ngp``, which leaves the appearance at zero."""
    return run.has("occupancy_grid.")


def _initial_density(run: NerfstudioRun, layout: tuple[str, str]) -> float:
    """Factor of the density without a configuration: the option is one month newer than the newest layout."""
    return 0.01 if not run.configured and layout == LAYOUTS[0] and not _is_instant_ngp(run) else 1.0


def _grid(run: NerfstudioRun, name: str) -> HashGrid:
    table = run.tensor(name, (None, None))
    levels = run.whole("field.num_levels", 1, MAX_LEVELS)
    log2_entries = run.whole("field.log2_hashmap_size", 1, MAX_LOG2_ENTRIES)
    finest = run.whole("field.max_res", 1, 1 << 24)
    coarsest = run.model.whole("base_res", 1, finest, 16)
    return HashGrid(table, nerfstudio_levels(levels, coarsest, finest, log2_entries), 0.0)


def _perceptron(run: NerfstudioRun, prefix: str, inputs: int | None, outputs: int | None) -> Perceptron:
    weights = run.under(prefix)
    names = numbered(weights, prefix)
    if not names:
        raise DuplexError(f"{prefix}0, 1, ... are missing: a network of unknown shape")
    first = width_of(weights, names[0]) if inputs is None else inputs
    return Perceptron.read(weights, names, NAME, first, outputs)


def _appearance(run: NerfstudioRun, width: int, average: bool) -> Tensor:
    """What the colour network gets in the place of a photo's appearance: the mean over all photos, or zeros."""
    name = "field.embedding_appearance.embedding.weight"
    if not average or not width:
        return torch.zeros(width)
    table = run.tensor(name, (None, width))
    return table.mean(0)


def _box(run: NerfstudioRun) -> Tensor:
    """Corners (2, 3) of the scene box."""
    box = run.tensor("field.aabb", (2, 3))
    if not bool((box[1] > box[0]).all()) or not bool((box.abs() < MAX_DISTANCE).all()):
        raise DuplexError(
            f"field.aabb is no box of at most {MAX_DISTANCE:g} a side: expected its low corner, then a larger high one"
        )
    return box


def _scene(run: NerfstudioRun, box: Tensor, contracted: bool) -> SceneInfo:
    background, assumed = run.background("last_sample")
    near = run.model.number("near_plane", 0, MAX_DISTANCE, 0.05)
    far = run.model.number("far_plane", 0, MAX_DISTANCE, 1000.0)
    if not run.configured:
        assumed = (
            *assumed,
            f"a {'contracted' if contracted else 'bounded'} space, near {near:g}, far {far:g}, coarsest grid 16, the "
            "usual appearance and initial density: no config.yml beside it; --space, --near, --far",
        )
    bounds = None
    if not contracted:
        low, high = (tuple(float(x) for x in corner) for corner in box)
        bounds = (low, high)
        farthest = 2 * float((box[1] - box[0]).norm())
        if far > farthest:  # the standard renderer spreads its samples evenly
            far = farthest
            assumed = (*assumed, f"far {farthest:g}, twice the scene box across: --far")
    return SceneInfo(
        near=near,
        far=far,
        background=background,
        coarse_samples=COARSE_SAMPLES,
        fine_samples=FINE_SAMPLES,
        principal_shift=0.0,
        space=Contracted() if contracted else World(),
        bounds=bounds,  # type: ignore[arg-type]
        dataset_to_world=run.dataset_to_world,
        assumed=(*assumed, *run.assumed),
    )
