"""What is fuzzed: for each kind of input the public functions that a command uses on it.

Imports are inside the functions: the process that only counts needs neither torch nor the readers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzzing.mutators.formats import TEXTS


@dataclass(frozen=True)
class Target:
    """A kind of input.

    ``use``: reads the input in a folder to its last value; ``share``: of the time or the inputs of a run of all
    targets; ``seeds``: the folder of seeds; ``only``: ends of the names of the files that are mutated, all if empty.
    """

    name: str
    use: Callable[[Path], None]
    share: float
    seeds: str
    only: tuple[str, ...] = ()


def use_checkpoint(folder: Path) -> None:
    """What ``duplex-bake inspect`` does before it draws, and the field at a few points."""
    import torch

    from duplex.baking.checkpoints.loading import load_teacher
    from duplex.baking.geometry.density import search_box

    teacher = load_teacher(folder)
    box = torch.from_numpy(search_box(teacher.scene)).float()
    shares = torch.tensor([[0.5, 0.5, 0.5], [0, 0, 0], [1, 1, 1], [0.3, 0.6, 0.45], [0.7, 0.2, 0.9], [1.2, 0.5, -0.3]])
    points = box[0] + (box[1] - box[0]) * shares
    directions = torch.nn.functional.normalize(shares - 0.4, dim=-1)
    for field in (teacher.coarse, teacher.fine)[0 if teacher.coarse is not teacher.fine else 1 :]:
        with torch.no_grad():
            _, latent = field.density(points)
            field.color(latent, directions)
        field.describe()


def use_bundle(folder: Path) -> None:
    """What viewer and evaluation do before they draw."""
    import numpy as np

    from duplex.app.scene import orbits
    from duplex.app.scene.bundle_reader import read_bundle
    from duplex.baking import provenance as from_bake

    bundle = read_bundle(folder / "scene.bundle")
    for shell in (bundle.outer, bundle.inner):
        assert np.isfinite(shell.mesh.positions).all() and np.isfinite(shell.mesh.uvs).all()
        assert shell.mesh.faces.min() >= 0 and shell.mesh.faces.max() < len(shell.mesh.positions)
        assert np.isfinite([shell.scale, shell.offset]).all() and shell.texels.max() >= 0
    assert np.isfinite(bundle.bounds).all() and bundle.faces > 0 and bundle.texels > 0
    assert all(np.isfinite(camera.view_matrix()).all() for camera in bundle.cameras)
    assert all(reference.rgba.shape[2] == 4 for reference in bundle.references)
    with _each_error() as attempt:
        attempt(lambda: orbits.scene_orbit(bundle).camera(0, 64, 64))
        attempt(lambda: orbits.scene_pivot(bundle))
        for name in ("rig", "config", "bounds", "overrides", "space", "dataset_to_world", "principal_shift"):
            attempt(lambda name=name: getattr(from_bake, f"{name}_of")(bundle))


@contextlib.contextmanager
def _each_error() -> Iterator[Callable[[Callable[[], Any]], None]]:
    """Attempts of which each may be refused; the first refusal is raised at the end."""
    from duplex.app.core.errors import DuplexError

    errors = []

    def attempt(action: Callable[[], Any]) -> None:
        try:
            action()
        except DuplexError as error:
            errors.append(error)

    yield attempt
    if errors:
        raise errors[0]


def use_dataset(folder: Path) -> None:
    """What ``duplex-train`` and ``--data`` do: list the photos and read them and their masks."""
    from duplex.app.core.errors import DuplexError
    from duplex.baking.datasets.reading import read_cameras, read_dataset

    with contextlib.suppress(DuplexError):
        read_cameras(folder, "test", 0.0)
    dataset = read_dataset(folder)
    with _each_error() as attempt:
        for photo in {photo.path: photo for photos in dataset.photos.values() for photo in photos}.values():
            attempt(lambda photo=photo: photo.rgba())
            attempt(lambda photo=photo: photo.pixels(4, (1.0, 1.0, 1.0)))


def use_capture(folder: Path) -> None:
    """What ``duplex-train poses`` does before it knows any pose: frames of a video, or photos and their tags."""
    from duplex.app.core.apart import apart
    from duplex.baking.capture import decoding, video
    from duplex.baking.capture.shots import photos_of, read_shots

    with _each_error() as attempt:
        for file in filter(video.is_video, sorted(folder.iterdir())):
            attempt(lambda file=file: video.read_frame(file, video.chosen_times(file)[0]))
        if photos := photos_of(folder):
            attempt(lambda: read_shots(photos))
            attempt(lambda: apart(decoding.upright, str(photos[0]), str(photos[0]), 16))


def use_path(folder: Path) -> None:
    """What the viewer does with a camera path."""
    import numpy as np

    from duplex.app.scene.path_files import read_path

    path = read_path(folder / "path.json", np.eye(4), np.diag([2.0, 2, 2, 1]))
    for share in (0, 0.3, 0.99, 1):
        camera = path.camera(share * path.duration)
        assert np.isfinite(camera.camera_to_world).all() and np.isfinite(camera.view_matrix()).all()
    assert path.frames >= 1 and next(path.cameras()).width >= 1


def use_settings(folder: Path) -> None:
    """What the viewer does at its start and its end."""
    import json
    from dataclasses import asdict

    from duplex.app.viewer.settings import load_settings

    settings = load_settings(folder / "viewer.json")
    settings.opened(folder / "scene.bundle")
    json.dumps(asdict(settings)).encode()


TARGETS = (
    Target("checkpoint", use_checkpoint, 0.32, "checkpoint"),
    Target("bundle", use_bundle, 0.33, "bundle"),
    Target("dataset", use_dataset, 0.08, "dataset"),
    Target("capture", use_capture, 0.04, "capture"),
    Target("yaml", use_checkpoint, 0.04, "checkpoint", TEXTS),
    Target("paths", use_path, 0.12, "paths"),
    Target("settings", use_settings, 0.07, "settings"),
)
BY_NAME = {target.name: target for target in TARGETS}
