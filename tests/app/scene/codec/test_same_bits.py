"""A small bundle is decoded to the same bits everywhere: the golden file, and processors with fewer features."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from duplex.app.scene.bundle_reader import read_bundle

GOLDEN = Path(__file__).parents[3] / "golden" / "small.bundle"
SHA = "28cededdbd606db3f74d2d9b9effe6eccf208ae3efe2cbcfa2f6351f17dc3c6a"


def digest(file: Path) -> str:
    """Of all that the shells and the network hold."""
    found = read_bundle(file)
    total = hashlib.sha256()
    for shell in (found.outer, found.inner):
        assert shell.mesh.seen is not None
        for array in (shell.texels, shell.mesh.positions, shell.mesh.uvs, shell.mesh.faces, shell.mesh.seen):
            total.update(np.ascontiguousarray(array).tobytes())
    for weight in (*found.weights.weights, *found.weights.biases):
        total.update(np.ascontiguousarray(weight).tobytes())
    return total.hexdigest()


def test_the_golden_file_has_the_bits_that_it_had() -> None:
    assert digest(GOLDEN) == SHA


@pytest.mark.parametrize(
    "environment",
    [
        {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
        {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX", "OPENBLAS_CORETYPE": "Prescott"},
    ],
)
def test_threads_and_processors_make_no_difference(environment: dict[str, str]) -> None:
    program = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location('same_bits', {str(Path(__file__))!r})\n"
        "module = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(module)\n"
        "from duplex.app.core.apart import trusting\n"
        "with trusting(True):\n    print(module.digest(module.GOLDEN))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, env=os.environ | environment
    )
    assert done.stdout.strip() == SHA, done.stderr
