"""Fixtures of the bake: one small bundle for all, photos of the octahedron."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from builders.commands import BAKE, SMALL, run
from builders.training import write_dataset


@pytest.fixture(scope="session")
def baked(octahedron: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("bake") / "scene.bundle"
    result = run(BAKE, octahedron, "-o", output, *SMALL)
    assert result.returncode == 0, result.stderr
    assert "bracketing" in result.stdout
    return output


@pytest.fixture(scope="session")
def photos_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as one_thread, which comes later than a fixture of the session
    try:
        return write_dataset(tmp_path_factory.mktemp("photos") / "octahedron")
    finally:
        torch.set_num_threads(threads)
