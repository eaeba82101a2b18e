"""Posed photos, and datasets of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError, sentence_of
from duplex.app.core.tree import shown
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.frames import DatasetFrame, Listing, SparsePoints
from duplex.baking.datasets.lens import doubts
from duplex.baking.datasets.pictures import (
    DYNAMIC_MASK,
    SUFFIXES,
    Size,
    box_filtered,
    find_picture,
    load_mask,
    load_premultiplied,
    upright_size,
)
from duplex.baking.datasets.up_axis import is_forward_facing, same_axis, up_shown_by
from duplex.baking.runtime.progress import say

MAX_NOTES = 5  # about pictures that cannot be read
MAX_LENSES = 64  # that are looked at more closely


@dataclass(frozen=True)
class Photo:
    """A posed picture.

    ``camera``: the pinhole camera at the picture's size, once turned upright; ``path``: the image file;
    ``distortion``: that of the file's lens, None for a pinhole's; ``mask``: an image file, 0 where the
    picture is ignored; ``shift``: pixels by which the camera's principal point was moved from the lens's own;
    ``dynamic_mask``: an image file, 0 where the picture is not ignored; ``crop_radius``: pixels around the lens's
    principal point beyond which the picture is ignored.
    """

    camera: Camera
    path: Path
    distortion: Distortion | None = None
    mask: Path | None = None
    shift: float = 0.0
    dynamic_mask: Path | None = None
    crop_radius: float | None = None

    def camera_at(self, height: int) -> Camera:
        """The pinhole camera of the picture at another ``height``."""
        return self.camera.resized(max(round(self.camera.width * height / self.camera.height), 1), height)

    def shifted(self, share: float) -> Photo:
        """The photo with its camera's principal point moved by this share of the height from the lens's own."""
        return replace(self, camera=_shifted(self._lens(), share), shift=share * self.camera.height)

    def rgba(self, size: int | None = None) -> tuple[Array, Array]:
        """The picture for :meth:`camera_at`, box-filtered to a height of ``size`` (None: its own).

        Returns colour premultiplied by alpha and alpha, (h, w, 4) float32 in [0, 1], and (h, w) bool: false, and the
        colours 0, where any of a pixel lies outside the source picture or where its mask is 0.
        """
        extent = (self.camera.width, self.camera.height)
        size = None if size == self.camera.height else size
        planes = load_premultiplied(self.path, extent)
        kept = self._kept()
        if self.distortion is None and kept.all():
            small = planes if size is None else box_filtered(planes, size)
            return small, np.ones(small.shape[:2], bool)
        planes = np.concatenate([planes, kept[..., None].astype(np.float32)], -1)
        if self.distortion is not None:
            planes, _ = self.distortion.undistort(planes, self._lens())
        small = planes if size is None else box_filtered(planes, size)
        valid = small[..., 4] > 1 - 1e-4
        return np.where(valid[..., None], small[..., :4], np.float32(0)), valid

    def _lens(self) -> Camera:
        """The camera with the lens's own principal point."""
        return replace(self.camera, cx=self.camera.cx - self.shift, cy=self.camera.cy - self.shift)

    def _kept(self) -> Array:
        """(h, w) bool: which pixels of the file are not ignored."""
        extent = (self.camera.width, self.camera.height)
        kept = np.ones(extent[::-1], bool)
        if self.mask is not None:
            kept &= load_mask(self.mask, extent)
        if self.dynamic_mask is not None:
            kept &= ~load_mask(self.dynamic_mask, extent)
        if self.crop_radius is not None:
            lens = self._lens()
            rows = np.arange(extent[1])[:, None] + 0.5 - lens.cy
            kept &= np.hypot(np.arange(extent[0]) + 0.5 - lens.cx, rows) <= self.crop_radius
        return kept

    def rgba_or_unknown(self, size: int | None = None) -> tuple[Array, Array]:
        """:meth:`rgba`, or no known pixel and a note where the picture cannot be read."""
        try:
            return self.rgba(size)
        except DuplexError as error:
            say(left_out(error))
            camera = self.camera if size is None else self.camera_at(size)
            return np.zeros((camera.height, camera.width, 4), np.float32), np.zeros((camera.height, camera.width), bool)

    def pixels(self, size: int | None, background: tuple[float, float, float]) -> Array:
        """The picture on ``background``, its height box-filtered to ``size``: (size, w, 3) float32 in [0, 1].

        NaN where it is not known, as in a picture that cannot be read.
        """
        rgba, valid = self.rgba_or_unknown(size)
        picture = rgba[..., :3] + (1 - rgba[..., 3:]) * np.array(background, np.float32)
        return np.asarray(np.where(valid[..., None], picture, np.float32(np.nan)))


@dataclass(frozen=True)
class Dataset:
    """Posed photos of one scene.

    ``kind``: blender, nerfstudio, llff or colmap; ``photos``: by split (train, val, test), those that exist;
    ``missing``: how many more pictures its files name; ``usual_up``: unit (3,), the up axis of its format;
    ``shown_up``: unit (3,), the one that cameras show which go around, None for others; ``forward_facing``: whether all
    cameras look along about the same direction: the mean of their unit gazes is longer than 0.8; ``near``, ``far``:
    depths between which the files say that the scene lies, world units of these cameras; ``to_original``: (4, 4)
    float64 similarity from the world of these cameras to the frame in which the dataset was first made; ``notes``:
    lines for the user; ``sparse``: points of structure from motion, where the files hold any.
    """

    kind: str
    photos: dict[str, tuple[Photo, ...]]
    missing: int
    usual_up: Array
    shown_up: Array | None
    forward_facing: bool
    near: float | None
    far: float | None
    to_original: Array
    notes: tuple[str, ...] = ()
    sparse: SparsePoints | None = None

    @property
    def up(self) -> Array:
        """Unit (3,): the usual up axis, unless the cameras show one that is more than 10 degrees away."""
        is_usual = self.shown_up is None or same_axis(self.shown_up, self.usual_up)
        return self.usual_up if is_usual else np.asarray(self.shown_up)

    def report(self, name: Path) -> None:
        """Say what the user should know about the dataset called ``name``."""
        if self.missing:
            say(f"note: {self.missing} of the pictures that {name} names are missing")
        for note in self.notes:
            say(note)


def dataset_of(listing: Listing, principal_shift: float) -> Dataset:
    """The dataset with those pictures that can be read; raises :class:`DuplexError` when there is none."""
    frames = listing.unique()
    made = photos_of(frames, listing, principal_shift)
    poses = np.stack([frame.pose for frame in frames])
    forward_facing = is_forward_facing(poses)
    return Dataset(
        kind=listing.kind,
        photos={k: tuple(made[id(frame)] for frame in v if id(frame) in made) for k, v in listing.frames.items()},
        missing=sum(frame.picture is None for frame in frames),
        usual_up=listing.up,
        shown_up=None if forward_facing else up_shown_by(poses, listing.up),
        forward_facing=forward_facing,
        near=listing.near,
        far=listing.far,
        to_original=listing.to_original,
        notes=tuple(_notes(frames, made)),
        sparse=listing.sparse,
    )


def _notes(frames: list[DatasetFrame], made: dict[int, Photo]) -> list[str]:
    """What is unusual about the ``frames`` of a dataset: a line for each kind, which names the first of them."""
    notes = []
    scaled = [frame for frame in frames if frame.scale != 1]
    if scaled:
        notes.append(
            f"note: {scaled[0].name}: the last row of its matrix is 0 0 0 {scaled[0].scale:.4g}, a homogeneous scale: "
            f"{len(scaled)} matrices are divided by it"
        )
    lenses = {frame.lens: frame for frame in reversed(frames) if id(frame) in made}
    for frame in list(lenses.values())[::-1][:MAX_LENSES]:
        photo = made[id(frame)]
        if found := doubts(photo.camera, photo.distortion):
            notes.append(f"note: {frame.name}: an unlikely lens: {', '.join(found)}: calibrate it if photos look wrong")
            break
    return notes


def photos_of(frames: Iterable[DatasetFrame], listing: Listing, principal_shift: float) -> dict[int, Photo]:
    """The photos of those ``frames`` whose pictures can be read, by the frame's id; a note for each other picture.

    Raises :class:`DuplexError` when there is none.
    """
    made, errors = {}, []
    for frame in frames:
        if frame.picture is None:
            continue
        try:
            size = upright_size(frame.picture, frame.lens.size)
        except DuplexError as error:
            errors.append(error)
        else:
            made[id(frame)] = _photo_of(frame, frame.picture, size, listing.folder, principal_shift)
    if not made:
        raise errors[0] if errors else no_pictures(listing)
    for each in errors[:MAX_NOTES]:
        say(left_out(each))
    if len(errors) > MAX_NOTES:
        say(f"note: {len(errors) - MAX_NOTES} more pictures cannot be read")
    return made


def left_out(error: DuplexError) -> str:
    """The note about a picture that cannot be read."""
    return f"note: {sentence_of(error)}: it is left out"


def _photo_of(frame: DatasetFrame, picture: Path, size: Size, folder: Path, principal_shift: float) -> Photo:
    """The photo of a frame whose ``picture`` is of ``size``."""
    camera = frame.lens.camera(frame.pose, size, frame.name)
    mask = None if frame.mask is None else find_picture(folder, frame.mask)
    if frame.mask is not None and mask is None:
        raise DuplexError(
            f"{frame.name}: no mask {shown(frame.mask)!r} inside {folder}: expected a PNG file: restore it, or remove "
            "its mask_path"
        )
    distortion = frame.lens.distortion if frame.lens.distortion and frame.lens.distortion.bends else None
    moving, radius = _dynamic_mask(picture, folder), frame.lens.crop_radius_at(camera.height)
    photo = Photo(camera, picture, distortion, mask, dynamic_mask=moving, crop_radius=radius)
    return photo.shifted(principal_shift)


def _dynamic_mask(picture: Path, folder: Path) -> Path | None:
    """instant-ngp's mask beside the ``picture``."""
    beside = picture.with_name(f"{DYNAMIC_MASK}{picture.stem}").relative_to(folder.resolve())
    return find_picture(folder, str(beside), SUFFIXES)


def camera_of(frame: DatasetFrame, assumed: Size | None, principal_shift: float) -> Camera:
    """The camera of a frame, at the size of its picture, else at the one that its lens names, else ``assumed``."""
    size: Size | None = frame.lens.size or (assumed if frame.lens.in_angles else None)
    if frame.picture is not None:
        try:
            size = upright_size(frame.picture, frame.lens.size)
        except DuplexError:  # as good as absent
            if size is None:
                raise
    if size is None:
        raise DuplexError(f"{frame.name}: neither a picture nor its size: expected one of them: write w and h")
    return _shifted(frame.lens.camera(frame.pose, size, frame.name), principal_shift)


def no_pictures(listing: Listing) -> DuplexError:
    """The error of a dataset without pictures."""
    return DuplexError(
        f"{listing.folder}: none of the pictures in {listing.source} is there: expected PNG, JPEG, WebP or AVIF files "
        "beside it"
    )


def _shifted(camera: Camera, shift: float) -> Camera:
    return replace(camera, cx=camera.cx + shift * camera.height, cy=camera.cy + shift * camera.height)
