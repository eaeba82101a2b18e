"""Rays and colours of photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from duplex.baking.datasets.reading import read_dataset
from duplex.baking.fields import rendering
from duplex.baking.training.photos import PhotoSet

pytestmark = pytest.mark.usefixtures("one_thread")


def test_rays_are_those_of_the_cameras(photos_folder: Path) -> None:
    photo = read_dataset(photos_folder).photos["test"][2]
    photos = PhotoSet.read([read_dataset(photos_folder).photos["test"][0], photo], 16)
    o, d = photos.rays(torch.arange(256, 512))
    wanted = rendering.rays_of(photo.camera.resized(16, 16), torch.device("cpu"))
    assert torch.allclose(o, wanted[0]) and torch.allclose(d, wanted[1], atol=1e-6)
    rgba = photos.colors(torch.arange(256, 512)).view(16, 16, 4).numpy()
    assert np.abs(rgba - photo.rgba(16)[0]).max() <= 0.5 / 255 + 1e-6
