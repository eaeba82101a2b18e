"""What a teacher is: a trained radiance field and what is known about its scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import shown
from duplex.app.scene.camera import Camera, focus_point
from duplex.baking.fields.spaces import Ndc, Space, World

MAX_WIDTH = 4096
MAX_SAMPLES = 4096
MAX_DISTANCE = 1e6


class RadianceField(nn.Module):
    """A trained network that gives density and view-dependent colour at points.

    Split in two, so that a renderer pays for the colour only where the density asks for it.
    """

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density and the latent that :meth:`color` continues from.

        ``points``: (n, 3) float32 of field space (:mod:`duplex.baking.fields.spaces`), the world for most scenes.
        Returns sigma (n,), at least 0, per world unit (in NDC: per unit of NDC), and latent (n, c).
        """
        raise NotImplementedError

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:
        """Radiance (n, 3) in [0, 1] of ``latent`` (n, c) seen along unit ``directions`` (n, 3)."""
        raise NotImplementedError

    def cell(self) -> float | None:
        """The mean side of a cell of its grid, in units of field space; None for a field without one such grid."""
        return None

    def describe(self) -> dict[str, str]:
        """What ``duplex-bake inspect`` says about the network: name of a trait to its value in words."""
        return {"network": f"{sum(p.numel() for p in self.parameters())} weights"}


@dataclass(frozen=True)
class SceneInfo:
    """The scene as a checkpoint, the files beside it, or their defaults state it.

    ``near``, ``far``: ray interval in world units (0 and 1 in NDC); ``background``: RGB in [0, 1] that the teacher
    was trained against; ``coarse_samples``, ``fine_samples``: the standard renderer's counts; ``up``: world
    direction; ``hemisphere``: cameras only saw the side of ``up``; ``principal_shift``: how far the principal point
    lies right of and below the middle, in image heights (the original code's rays pass through pixel corners, not
    centres); ``space``: where the field lives; ``bounds``: low and high corner of what the field covers, in field
    space, or None where only near and far are known; ``dataset_to_world``: (4, 4) row by row, similarity from the
    original frame of the dataset (``Dataset.to_original``) to the world of this teacher, None where the two are
    the same; ``to_checkpoint``: (4, 4) row by row, from the world to the frame of the file's own numbers, None
    likewise; ``assumed``: what no file states and is therefore assumed, each with the flag that overrides it.
    """

    near: float = 2.0
    far: float = 6.0
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    coarse_samples: int = 64
    fine_samples: int = 128
    up: tuple[float, float, float] = (0.0, 0.0, 1.0)
    hemisphere: bool = True
    principal_shift: float = 0.5 / 800
    space: Space = field(default_factory=World)
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    dataset_to_world: tuple[float, ...] | None = None
    to_checkpoint: tuple[float, ...] | None = None
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise :class:`DuplexError` for impossible values."""
        if not 0 <= self.near < self.far < MAX_DISTANCE:
            raise DuplexError(f"near {self.near:g} and far {self.far:g}: expected 0 <= near < far < {MAX_DISTANCE:g}")
        for name, count, least in (("coarse", self.coarse_samples, 4), ("fine", self.fine_samples, 0)):
            if not least <= count <= MAX_SAMPLES:
                raise DuplexError(f"{count} {name} samples a ray: expected {least} to {MAX_SAMPLES}")
        if self.bounds is not None:
            corners = np.array(self.bounds, np.float64)
            if (
                corners.shape != (2, 3)
                or not (np.abs(corners) < MAX_DISTANCE).all()
                or (np.diff(corners, axis=0) <= 0).any()
            ):
                raise DuplexError(f"bounds {self.bounds}: expected low x y z, then a larger high x y z")


@dataclass(frozen=True)
class Overrides:
    """What the user says about a checkpoint; None where its own files, or the family's defaults, hold.

    ``near``, ``far``, ``background``, ``bounds`` (2, 3), ``samples`` (coarse, fine), ``up``, ``hemisphere``: as in
    :class:`SceneInfo`; ``space``: name of a space; ``camera``: one of the dataset's, whose pictures NDC was made
    for; ``depths``: the least and largest depth that the dataset states; ``poses``: (n, 4, 4), camera to world of all
    its pictures, and ``to_original``: (4, 4), from their world to its original frame; ``activation``: of the raw
    density, a name in :data:`ACTIVATIONS`; ``encoding``: order of the positional encoding's columns (``ftd``,
    ``tfd``, ``tdf`` or ``dtf``, see :mod:`duplex.baking.fields.encoding`); ``skip_order``, ``wiring``: of a network
    under unknown names, words of :mod:`duplex.baking.fields.readings`.
    """

    near: float | None = None
    far: float | None = None
    background: tuple[float, float, float] | None = None
    bounds: Array | None = None
    samples: tuple[int, int] | None = None
    up: tuple[float, float, float] | None = None
    hemisphere: bool | None = None
    space: str | None = None
    camera: Camera | None = None
    depths: tuple[float, float] | None = None
    poses: Array | None = None
    to_original: Array | None = None
    activation: str | None = None
    encoding: str | None = None
    skip_order: str | None = None
    wiring: tuple[str, ...] | None = None


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "softplus": F.softplus,
    "shifted-softplus": lambda x: F.softplus(x - 1),  # mip-NeRF, section 3
    "exp": lambda x: torch.exp(x.clamp(max=15)),  # larger values are opaque anyway
}


@dataclass(frozen=True)
class Teacher:
    """A trained NeRF: its ``coarse`` and ``fine`` networks and its ``scene``.

    ``family``: the code base whose layout the checkpoint has; ``path``: the checkpoint's file; ``sha256``: of
    that file; ``overrides``: what the user said when it was loaded; ``questions``: what nobody said of its networks
    (:mod:`duplex.baking.fields.readings`).
    """

    coarse: RadianceField
    fine: RadianceField
    scene: SceneInfo
    family: str
    path: Path
    sha256: str
    overrides: Overrides = field(default_factory=Overrides)
    questions: tuple[tuple[str, ...], ...] = ()
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def to(self, device: torch.device) -> Teacher:
        """The same teacher on another device."""
        return replace(self, coarse=self.coarse.to(device), fine=self.fine.to(device), device=device)


def linear(
    weights: dict[str, Tensor],
    name: str,
    family: str,
    in_features: int | None = None,
    out_features: int | None = None,
) -> nn.Linear:
    """The layer ``name.weight``, ``name.bias`` of a state dict, with its shapes checked.

    Raises :class:`DuplexError` when it is missing, or its widths are not ``in_features`` and ``out_features``.
    """
    weight, bias = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
    if weight is None or bias is None:
        raise DuplexError(f"layer {name} is missing: not a {family} network that duplex knows")
    if weight.ndim != 2 or bias.shape != weight.shape[:1] or not all(1 <= side <= MAX_WIDTH for side in weight.shape):
        raise DuplexError(f"layer {name}: weight {tuple(weight.shape)} and bias {tuple(bias.shape)} do not fit")
    for found, expected, what in (
        (weight.shape[1], in_features, "takes {} inputs"),
        (weight.shape[0], out_features, "gives {} outputs"),
    ):
        if expected is not None and found != expected:
            raise DuplexError(
                f"layer {name} {what.format(found)} where the {family} layout has {expected}: "
                "a network of unknown shape"
            )
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data.copy_(weight)
    layer.bias.data.copy_(bias)
    return layer.requires_grad_(False)


def width_of(weights: dict[str, Tensor], name: str) -> int:
    """How many inputs the layer ``name`` takes; 0 without a weight matrix, which :func:`linear` refuses."""
    weight = weights.get(f"{name}.weight")
    return weight.shape[1] if weight is not None and weight.ndim == 2 else 0


def numbered(weights: dict[str, Tensor], prefix: str, suffix: str = "") -> list[str]:
    """The layers ``prefix0suffix``, ``prefix1suffix``, ... of a state dict; they must be consecutive."""
    numbers = sorted(
        int(number)
        for key in weights
        if key.startswith(prefix)
        and key.endswith(f"{suffix}.weight")
        and (number := key.removeprefix(prefix).removesuffix(f"{suffix}.weight")).isdecimal()
        and len(number) < 4
    )
    if numbers != list(range(len(numbers))):
        raise DuplexError(f"layers {prefix}0, 1, ... are missing or not consecutive: a network of unknown shape")
    return [f"{prefix}{number}{suffix}" for number in numbers]


LLFF_SHIFT = 0.5 / 756
ASSUMED_FOCAL = 1.6  # focal length over half the width, about that of a phone's camera
ASSUMED_ASPECT = 4 / 3


def forward_facing(scene: SceneInfo, overrides: Overrides, *, ndc: bool, field_views: bool = False) -> SceneInfo:
    """``scene`` as one of forward-facing photos (LLFF), in NDC or not.

    ``overrides.camera`` gives the focal length that NDC needs; without one, it is assumed and noted.
    """
    scene = replace(scene, up=(0.0, 1.0, 0.0), hemisphere=False, principal_shift=LLFF_SHIFT)
    if not ndc:
        near, far = overrides.depths or (overrides.near, overrides.far)
        if near is None or far is None:
            raise DuplexError("a forward-facing scene trained without NDC: give its --near and --far, or its --data")
        return replace(scene, near=near, far=far)
    space = Ndc(ASSUMED_FOCAL, ASSUMED_FOCAL * ASSUMED_ASPECT, field_views=field_views)
    assumed = scene.assumed
    if overrides.camera is not None:
        space = Ndc.of(overrides.camera, field_views=field_views)
    else:
        assumed = (
            *assumed,
            f"a 4:3 camera of focal length {ASSUMED_FOCAL:g} half widths, which NDC needs: give --data",
        )
    return replace(scene, near=0.0, far=1.0, space=space, bounds=NDC_BOUNDS, assumed=assumed)


def of_unknown_type(scene: SceneInfo, kind: str) -> SceneInfo:
    """``scene`` as it is, an ordinary one of the world, with the note that nothing is known of its type ``kind``."""
    ordinary = f"an ordinary scene, near {scene.near:g}, far {scene.far:g}, as duplex knows no type {shown(kind[:40])}"
    return replace(scene, assumed=(*scene.assumed, f"{ordinary} (--near, --far, --up, --cameras, --space)"))


def spherified(scene: SceneInfo, overrides: Overrides, depths: tuple[float, float] | None = None) -> SceneInfo:
    """``scene`` of photos taken around it, which the LLFF loader of its code turned and scaled (:func:`to_sphere`).

    ``depths``: near and far in that world; None where they are the dataset's, as nerf-pytorch has it. Raises
    :class:`DuplexError` where near and far are unknown.
    """
    scene = replace(scene, hemisphere=True, principal_shift=LLFF_SHIFT)
    scale = 1.0
    if overrides.poses is not None and overrides.to_original is not None:
        turned = to_sphere(overrides.poses)
        scale = float(np.linalg.norm(turned[0, :3]))
        to_world = turned @ np.linalg.inv(overrides.to_original)
        scene = replace(scene, dataset_to_world=tuple(to_world.reshape(-1).tolist()))
    if depths is None and overrides.depths:
        depths = (scale * overrides.depths[0], scale * overrides.depths[1])
    near, far = depths or (overrides.near, overrides.far)
    if near is None or far is None:
        raise DuplexError("a scene trained with spherify: give its --near and --far, or its --data")
    return replace(scene, near=near, far=far)


def to_sphere(poses: Array) -> Array:
    """The similarity (4, 4) by which ``spherify_poses`` of nerf-pytorch moves cameras ``poses`` (n, 4, 4).

    Afterwards their axes meet in the origin, ``+z`` is the side where they are, and the root mean square of their
    distances is 1. Raises :class:`DuplexError` for cameras all around the scene or in one place.
    """
    center = focus_point(poses)
    away = poses[:, :3, 3] - center
    distance = float(np.sqrt((away**2).sum(1).mean()))
    middle = away.mean(0)
    if not float(np.linalg.norm(middle)) > 1e-6 * distance:
        raise DuplexError("spherify: its cameras stand in one place or all around: expected them on one side")
    z = middle / np.linalg.norm(middle)
    x = np.cross((0.1, 0.2, 0.3), z)
    x /= np.linalg.norm(x)
    moved = np.eye(4)
    moved[:3, :3] = np.stack([x, np.cross(z, x), z]) / distance
    moved[:3, 3] = -moved[:3, :3] @ center
    return moved


NDC_BOUNDS = ((-1.5, -1.67, -1.0), (1.5, 1.67, 1.0))  # the view of the cameras of LLFF captures, after TensoRF
