"""Snapshots of NVlabs/instant-ngp: ``.ingp`` (compressed) and ``.msgpack`` files, weights in tiny-cuda-nn's layout.

Müller et al., "Instant Neural Graphics Primitives with a Multiresolution Hash Encoding", ACM Transactions on
Graphics 2022. The world is that of the dataset's ``transforms.json``; instant-ngp scales it towards the unit cube
and, but for scenes from Mitsuba, cycles its axes: x, y, z of its own frame are y, z, x of the world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.coordinates.ngp_frame import CYCLED, UNCYCLED, NgpFrame
from duplex.baking.checkpoints.families.hash.instant_ngp_file import Networks, occupancy, read_networks
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.fields.field import MAX_DISTANCE, Overrides, SceneInfo
from duplex.baking.fields.hash_grid import HARMONICS, HashField
from duplex.baking.fields.spherical_harmonics import spherical_harmonics

NAME = "instant-ngp"
CELLS = 128  # of the occupancy grid, along an axis
NEAR = 0.05  # in instant-ngp's own frame
COARSE_SAMPLES, FINE_SAMPLES = 256, 128
MIN_SCALE, MAX_SCALE = 1e-6, 1e6
MAX_CROP = 1e38  # a side that is not cropped may lie anywhere
MAX_PHOTOS = 100_000
MAX_EYE = 1e5


class InstantNgpFamily(Family):
    """Snapshots of NVlabs/instant-ngp."""

    name = NAME

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint is a snapshot of instant-ngp, for any kind of scene."""
        root = checkpoint.root
        return checkpoint.kind == "msgpack" and root.at("snapshot").is_object and "encoding" in root

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The one field, and the scene from the snapshot."""
        snapshot = checkpoint.root.section("snapshot")
        mode = snapshot.said("mode", "nerf")
        if mode.lower() != "nerf":
            raise DuplexError(f"a snapshot of mode {mode}: duplex bakes those of mode nerf")
        traits = _traits(snapshot)
        networks = read_networks(checkpoint.root, traits.aabb_scale)
        field = InstantNgp(networks, traits, _cropped(snapshot, traits.aabb_scale), overrides.activation or "exp")
        field.occupied = torch.from_numpy(occupancy(snapshot, traits.aabb_scale.bit_length(), CELLS))
        return LoadedFields.single(field, _scene(snapshot, traits, field))


@dataclass(frozen=True)
class NgpTraits:
    """The settings of the field, from the snapshot's dataset.

    ``frame``: the field's coordinates; ``aabb_scale``: side of the cube around (0.5, 0.5, 0.5), in that frame, which
    the hash grid covers; ``hdr``: colours are exponentials, not sigmoids; ``assumed``: what the snapshot leaves out.
    """

    frame: NgpFrame
    aabb_scale: int
    hdr: bool
    assumed: tuple[str, ...]


class InstantNgp(HashField):
    """instant-ngp's field in the world's frame. ``box``: corners (2, 3), in its own frame, of what it draws.

    ``occupied`` (cascades, 128, 128, 128) bool: where it looks for matter at all; cascade ``c`` is a cube of side
    ``2^c`` around (0.5, 0.5, 0.5), axes in order x, y, z. No cascades: everywhere.
    """

    offset: Tensor
    box: Tensor
    occupied: Tensor

    def __init__(self, networks: Networks, traits: NgpTraits, box: Array, activation: str):
        frame = traits.frame
        super().__init__(networks.grid, networks.density, networks.color, activation, frame.scale)
        self.traits = traits
        self.axes = list(frame.axes)
        self.register_buffer("offset", torch.tensor(frame.offset)[self.axes])
        self.register_buffer("box", torch.from_numpy(box).float())
        self.register_buffer("occupied", torch.zeros(0, CELLS, CELLS, CELLS, dtype=torch.bool))

    def place(self, points: Tensor) -> tuple[Tensor, Tensor]:  # noqa: D102
        own = points[:, self.axes] * self.traits.frame.scale + self.offset
        inside = ((own >= self.box[0]) & (own <= self.box[1])).all(-1)
        if len(self.occupied):
            inside &= self._occupied_at(own)
        return (own - 0.5) / self.traits.aabb_scale + 0.5, inside

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:  # noqa: D102
        harmonics = spherical_harmonics(directions[:, self.axes], HARMONICS)
        raw = self.head(torch.cat([latent, harmonics], -1))[:, :3]
        return raw.clamp(-10, 10).exp().clamp(max=1) if self.traits.hdr else torch.sigmoid(raw)

    def _occupied_at(self, own: Tensor) -> Tensor:
        """Whether the cells (n,) around points (n, 3) of instant-ngp's frame are occupied in their finest cascade."""
        middle = own - 0.5
        cascade = torch.frexp(middle.abs().amax(-1)).exponent.add(1).clamp(0, len(self.occupied) - 1).long()
        cell = (torch.ldexp(middle, -cascade[:, None]) + 0.5).mul(CELLS).long().clamp_(0, CELLS - 1)
        return self.occupied[cascade, cell[:, 0], cell[:, 1], cell[:, 2]]

    def describe(self) -> dict[str, str]:  # noqa: D102
        share = f"{float(self.occupied.float().mean()):.1%} of its cells" if len(self.occupied) else "no mask"
        return {**super().describe(), "occupied": share}


def _traits(snapshot: CheckpointNode) -> NgpTraits:
    """The traits as the snapshot's dataset has them; raises :class:`DuplexError` for values that no field has."""
    nerf = snapshot.at("nerf")
    dataset = nerf.at("dataset")
    size = (nerf if "aabb_scale" in nerf else dataset).whole("aabb_scale", 1, 128, 1)
    if size & (size - 1):
        raise DuplexError(f"aabb_scale is {size}: expected a power of two")
    if dataset.whole("n_extra_learnable_dims", 0, 1024, 0):
        raise DuplexError("it learned the light of each photo (n_extra_learnable_dims): train again without")
    scale = dataset.number("scale", MIN_SCALE, MAX_SCALE, 0.33)
    x, y, z = dataset.numbers("offset", 3, [0.5] * 3, MAX_DISTANCE).tolist()
    axes = UNCYCLED if dataset.flag("from_mitsuba", False) else CYCLED
    missing = "instant-ngp's usual scale 0.33 and offset 0.5: the snapshot names no dataset"
    assumed = () if dataset.exists else (missing,)
    return NgpTraits(NgpFrame(scale, (x, y, z), axes), size, dataset.flag("is_hdr", False), assumed)


def _cropped(snapshot: CheckpointNode, aabb_scale: int) -> Array:
    """Corners (2, 3) of the box that instant-ngp draws, in its own frame; without a crop that is turned."""
    half = 0.5 * aabb_scale
    whole_box = np.array([[0.5 - half] * 3, [0.5 + half] * 3])
    crop = snapshot.at("render_aabb")
    turn = snapshot.numbers("render_aabb_to_local", 9, np.eye(3).reshape(-1))
    if not crop.exists or not np.allclose(turn, np.eye(3).reshape(-1), atol=1e-5):
        return whole_box
    low, high = (crop.numbers(name, 3, whole_box[i], MAX_CROP) for i, name in enumerate(("min", "max")))
    box = np.stack([np.maximum(low, whole_box[0]), np.minimum(high, whole_box[1])])
    if not (box[1] > box[0]).all():
        raise DuplexError("its render_aabb is empty: crop the scene anew in instant-ngp and save it again")
    return box


def _scene(snapshot: CheckpointNode, traits: NgpTraits, field: InstantNgp) -> SceneInfo:
    frame = traits.frame
    assumed = traits.assumed
    box = field.box.double().numpy()
    corners = np.sort(frame.world(box), 0)
    color = snapshot.numbers("background_color", 4, [0.0, 0.0, 0.0, 1.0]).clip(0, 1)
    if "background_color" not in snapshot:
        assumed = (*assumed, "a black background: --background")
    diagonal = float(np.linalg.norm(box[1] - box[0]))
    eyes = _eyes(snapshot.at("nerf", "dataset"))
    if eyes is None:
        nearest = NEAR
        farthest = 2 * diagonal
        assumed = (*assumed, "near and far by the size of the box, as no photos are named: --near, --far")
    else:
        away = np.linalg.norm(eyes - box.mean(0), axis=-1)
        nearest = max(NEAR, float(away.min()) - diagonal / 2)
        farthest = float(away.max()) + diagonal / 2
    return SceneInfo(
        near=nearest / frame.scale,
        far=max(farthest, 2 * nearest) / frame.scale,
        background=(float(color[0] * color[3]), float(color[1] * color[3]), float(color[2] * color[3])),
        coarse_samples=COARSE_SAMPLES,
        fine_samples=FINE_SAMPLES,
        principal_shift=0.0,
        bounds=tuple(tuple(float(x) for x in corner) for corner in corners),  # type: ignore[arg-type]
        to_checkpoint=tuple(float(x) for x in frame.matrix().reshape(-1)),
        assumed=assumed,
    )


def _eyes(dataset: CheckpointNode) -> Array | None:
    """The camera positions (n, 3) in instant-ngp's frame; None where the snapshot does not state them."""
    try:
        poses = [pose.at("start") if "start" in pose else pose for pose in dataset.elements("xforms", MAX_PHOTOS, 1)]
        return np.array([[pose.at(row).number(3, -MAX_EYE, MAX_EYE) for row in range(3)] for pose in poses])
    except DuplexError:
        return None
