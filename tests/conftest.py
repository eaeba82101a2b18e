"""Fixtures: where the real data is, an OpenGL context, a hand-made teacher, a small bundle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import moderngl
import numpy as np
import pytest
import torch

from builders import synthetic
from duplex.app.render.gpu import create_headless_context
from duplex.app.scene.bundle import Bundle
from duplex.app.scene.bundle_reader import read_bundle
from duplex.app.scene.bundle_writer import write_bundle
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.assets import DEMO_BUNDLE
from duplex.baking.compression.packing import expanded

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(max(os.cpu_count() or 1, 1))


if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)
for hangup in (getattr(signal, "SIGHUP", signal.SIGINT), signal.SIGTERM):  # tests start programs and signal them
    if signal.getsignal(hangup) == signal.SIG_IGN:
        signal.signal(hangup, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden``: what is drawn now becomes what is expected."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden images in tests/golden")


SYSTEM_FIXTURES = {"baked", "around_photos", "data", "display", "photos_folder"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a bake, photos, real data or a screen."""
    for item in items:
        if SYSTEM_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("system")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real checkpoints and pictures that DUPLEX_DATA names."""
    folder = Path(os.environ.get("DUPLEX_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"NO REAL DATA: {folder} is missing; set DUPLEX_DATA to test against real checkpoints")
    return folder


SHARED_CONTEXT: list[moderngl.Context] = []


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Make the shared context current again: a test that draws or bakes through the Python API leaves its own."""
    for context in SHARED_CONTEXT:
        context.__enter__()


@pytest.fixture(scope="session")
def ctx() -> moderngl.Context:
    SHARED_CONTEXT.append(create_headless_context())
    return SHARED_CONTEXT[0]


@pytest.fixture(scope="session")
def octahedron(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a hand-made checkpoint."""
    return synthetic.write_flexible(tmp_path_factory.mktemp("octahedron"))


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Small tensors cost more to share between threads than to compute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def demo() -> Bundle:
    return read_bundle(DEMO_BUNDLE)


@pytest.fixture(scope="session")
def standard_parts(demo: Bundle) -> bytes:
    """The demo's file as ``duplex-bake expand`` writes it."""
    return write_bundle(expanded(demo))


@pytest.fixture
def demo_file(standard_parts: bytes, tmp_path: Path) -> Path:
    """The demo in standard parts, which a test may damage."""
    file = tmp_path / "scene.bundle"
    file.write_bytes(standard_parts)
    return file


@pytest.fixture
def random_weights() -> object:
    """A function that gives a network description random weights."""

    def make(spec: NetworkSpec, seed: int = 0) -> NetworkWeights:
        rng = np.random.default_rng(seed)
        shapes = [(x.outputs, x.inputs, x.kernel, x.kernel) for x in spec.layers]
        weights = tuple((rng.normal(size=s) * np.sqrt(2 / np.prod(s[1:]))).astype(np.float32) for s in shapes)
        weights = (weights[0] * spec.taps(), *weights[1:])
        return NetworkWeights(weights, tuple(rng.normal(size=s[0]).astype(np.float32) * 0.1 for s in shapes))

    return make


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """A virtual screen of 1280 x 1024."""
    if not shutil.which("Xvfb"):
        pytest.skip("NO XVFB: install xvfb to test the window")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
    command.append("-noreset")  # else it begins anew behind its last window, and may refuse the next one meanwhile
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as stream:
        number = stream.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait(10)


@pytest.fixture
def write_scene(tmp_path: Path) -> object:
    """A function that writes a bundle to a new file."""

    def write(bundle: Bundle, name: str = "scene.bundle") -> Path:
        file = tmp_path / name
        file.write_bytes(write_bundle(bundle))
        return file

    return write
