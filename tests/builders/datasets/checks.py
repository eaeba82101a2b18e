"""What tests ask of a dataset and of its photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from duplex.app.core.errors import DuplexError
from duplex.app.scene.camera import Camera
from duplex.baking.datasets.photos import Dataset, Photo
from duplex.baking.datasets.reading import read_photos

BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def one_sentence(action: Callable[[], object], *words: str) -> None:
    with pytest.raises(DuplexError) as error:
        action()
    assert "\n" not in str(error.value) and all(word in str(error.value) for word in words), str(error.value)
    assert len(str(error.value)) < 1000


def refused(folder: Path, *words: str) -> None:
    one_sentence(lambda: read_photos(folder, "test", 0.0)[0].rgba(4), *words)


def every_photo(dataset: Dataset) -> list[Photo]:
    return sorted({p.path: p for photos in dataset.photos.values() for p in photos}.values(), key=lambda p: p.path)


def projected(camera: Camera, point: np.ndarray) -> np.ndarray:
    x, y, z = (camera.view_matrix() @ [*point, 1])[:3]
    return np.array([camera.cx + camera.fx * x / -z, camera.cy - camera.fy * y / -z])
