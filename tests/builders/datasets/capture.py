"""Photos of a textured corner of a room, from known positions: what structure from motion gets to see."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.reading import read_dataset

SIDE = 512  # texels of each wall
SIZE = 360, 270
RATE = 10  # frames a second of a video


def textures(seed: int) -> list[Array]:
    """Three walls (SIDE, SIDE, 3) uint8 full of blobs of several sizes."""
    rng = np.random.default_rng(seed)
    walls = []
    for _ in range(3):
        wall = np.zeros((SIDE, SIDE, 3))
        for cells in (16, 48, 128):
            noise = (rng.random((cells, cells, 3)) * 255).astype(np.uint8)
            wall += np.asarray(Image.fromarray(noise).resize((SIDE, SIDE), Image.Resampling.BICUBIC), float)
        wall -= wall.min()
        walls.append((255 * wall / wall.max()).astype(np.uint8))
    return walls


def corner_cameras(count: int, size: tuple[int, int] = SIZE) -> list[Camera]:
    """Cameras along an arc that look into the corner at the origin, whose walls are the coordinate planes."""
    cameras = []
    for turn in np.linspace(0.15, np.pi / 2 - 0.15, count):
        height = 0.6 + 0.25 * np.sin(3 * turn)
        eye = np.array([1.9 * np.cos(turn), 1.9 * np.sin(turn), height])
        cameras.append(Camera.look_at(eye, (0.35, 0.35, 0.35), size=size, fov_y=0.9))
    return cameras


def picture_of(camera: Camera, walls: list[Array]) -> Array:
    """What the camera sees of the corner: (h, w, 3) uint8."""
    rays = camera.ray_directions()
    depths = np.where(rays < -1e-6, -camera.position / np.where(rays < -1e-6, rays, 1), np.inf)
    axis = depths.argmin(-1)
    points = camera.position + rays * np.take_along_axis(depths, axis[..., None], -1)
    picture = np.zeros((*axis.shape, 3), np.uint8)
    for i, wall in enumerate(walls):
        u, v = (points[..., k] for k in range(3) if k != i)
        place = tuple(np.clip((x / 2.2 * SIDE).astype(int), 0, SIDE - 1) for x in (v, u))
        picture = np.where((axis == i)[..., None], wall[place], picture)
    return picture


def write_video(file: Path, frames: list[Array], rate: int = RATE) -> None:
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "g": "8"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())


def write_corner(folder: Path, count: int = 10, seed: int = 0, prefix: str = "") -> list[Camera]:
    """Write ``count`` photos of a corner into ``folder``; returns their cameras in the order of the names."""
    folder.mkdir(parents=True, exist_ok=True)
    cameras, walls = corner_cameras(count), textures(seed)
    for i, camera in enumerate(cameras):
        double = camera.resized(2 * camera.width, 2 * camera.height)
        picture = Image.fromarray(picture_of(double, walls)).resize((camera.width, camera.height), Image.Resampling.BOX)
        picture.save(folder / f"{prefix}{i:03d}.png")
    return cameras


def misplaced(found: list[Camera], true: list[Camera]) -> tuple[float, float]:
    """After the best similarity: the largest error of a position, as a share of the diagonal of all, and of an angle
    in degrees.
    """
    x, y = (np.stack([camera.position for camera in each]) for each in (found, true))
    u, s, v = np.linalg.svd((y - y.mean(0)).T @ (x - x.mean(0)))
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ v))])
    rotation = u @ sign @ v
    scale = np.trace(np.diag(s) @ sign) / ((x - x.mean(0)) ** 2).sum()
    moved = scale * (x - x.mean(0)) @ rotation.T + y.mean(0)
    turned = [
        rotation @ a.camera_to_world[:3, :3] @ b.camera_to_world[:3, :3].T for a, b in zip(found, true, strict=True)
    ]
    angles = [np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))) for turn in turned]
    return float(np.linalg.norm(moved - y, axis=1).max() / np.linalg.norm(np.ptp(y, axis=0))), float(max(angles))


def cameras_in(folder: Path) -> list[Camera]:
    """The cameras of a dataset in the order of the names of its photos."""
    photos = [photo for part in read_dataset(folder).photos.values() for photo in part]
    return [photo.camera for photo in sorted({photo.path: photo for photo in photos}.values(), key=lambda x: x.path)]
