"""Bundle reader: checks every value of the file before use (docs/bundle.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from duplex.app.core.apart import apart, trusting
from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.file_kinds import BUNDLE, wrong_kind
from duplex.app.core.tree import Node
from duplex.app.scene import glb
from duplex.app.scene.archive import Archive
from duplex.app.scene.bundle import MAX_TEXTURE_SIDE, SHELLS, VERSION, WEIGHTS, Bundle, BundleShell
from duplex.app.scene.camera import Camera
from duplex.app.scene.codec import shell_mesh
from duplex.app.scene.codec.features import read_texels
from duplex.app.scene.codec.mesh_space import MeshSpace
from duplex.app.scene.coordinates.reference_view import reference_of_version_1
from duplex.app.scene.mesh import Mesh
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.app.scene.pictures import Size, read_rgba, read_webp
from duplex.app.scene.reference import MAX_REFERENCE_SIDE, PHOTO, TEACHER, Reference

MAX_CAMERAS = 4096
MAX_REFERENCES = 16
MAX_NETWORKS = 16
MAX_MESH_BYTES = 1 << 28
MAX_PACKED_BYTES = 1 << 27  # of each part of a shell's packed features
UNPACKING_SECONDS = 20  # of processor time for a shell's features
MAX_WEIGHTS_BYTES = 1 << 23  # of the safetensors part and of the ONNX part
MAX_THUMBNAIL_BYTES = 1 << 22
MAX_STATED = 1 << 40  # of any count in the manifest
MIN_VOLUME = 1e-18  # absolute determinant of an invertible map
IDENTITY = np.eye(4).reshape(-1).tolist()


def load(path: str | Path, *, trusted: bool = False) -> Bundle:
    """Read the bundle at ``path``.

    Args:
        path: The bundle's file.
        trusted: Decode its pictures in this process, not in one of its own that may crash without harm.

    Raises:
        DuplexError: The file is missing, or no valid bundle.
    """
    return read_bundle(path, trusted=trusted)


def read_bundle(path: str | Path, trusted: bool = True) -> Bundle:
    """Read and validate the bundle at ``path``; raises :class:`DuplexError` for a missing file or an invalid bundle.

    Unless ``trusted``, its pictures are decoded :func:`~duplex.app.core.apart.apart`.
    """
    path = Path(path)
    if path.is_dir():
        raise DuplexError(f"{path}: a folder: expected a bundle, the file that duplex-bake writes: give that file")
    if not path.is_file():
        raise DuplexError(f"{path}: no such file: expected a bundle made by duplex-bake")
    with _told_by_kind(path):
        opened = Archive(path)
    with opened as archive:
        with _told_by_kind(path):
            manifest = archive.manifest()
        version = manifest.whole("version", 0, MAX_STATED)
        if not 1 <= version <= VERSION:
            raise DuplexError(
                f"{path}: format {version}, this viewer reads 1 to {VERSION}: update duplex or bake again"
            )
        with trusting(trusted):
            return _read(archive, manifest, str(path))


@contextmanager
def _told_by_kind(path: Path) -> Iterator[None]:
    """Errors inside the ``with`` block say what the file is, if that is something else than a bundle."""
    try:
        yield
    except DuplexError as error:
        raise wrong_kind(path, "a bundle", (BUNDLE,)) or error from None


def _read(archive: Archive, manifest: Node, name: str) -> Bundle:
    """Build the bundle from an open archive, what is small first; messages start with ``name``."""
    described = _network(manifest)
    network = NetworkSpec.from_json(described)
    weights = _weights(archive, network, described.text("weights", default=WEIGHTS), name)
    scene = manifest.child("scene")
    if abs(float(np.linalg.norm(scene.numbers("up", 3))) - 1) > 1e-3:
        raise scene.wrong("up", "a unit vector")
    cameras = archive.json("cameras.json")
    poses = tuple(Camera.from_json(each) for each in cameras.elements("cameras", MAX_CAMERAS))
    to_checkpoint, to_dataset = _frame(scene, "to_checkpoint"), _frame(scene, "to_dataset", IDENTITY)
    report = archive.json("report.json")
    onnx = archive.read("shading.onnx", MAX_WEIGHTS_BYTES) if "shading.onnx" in archive.sizes else b""
    if manifest.whole("version", 1, VERSION) == 1 and network.can_be_scaled:
        network = replace(network, reference=reference_of_version_1(cameras.child("rig"), report))
        onnx = b"" if network.scaled else onnx  # which has no feature pyramid
    if "bracketing" in report:
        report.number("bracketing", 0, 1)
    shells = manifest.child("shells")
    jobs = [copy_context() for _ in SHELLS]  # each knows whether the file is trusted
    with ThreadPoolExecutor(len(jobs)) as pool:
        outer, inner = pool.map(
            lambda job, shell: job.run(_shell, archive, shells.child(shell), network, f"{name}: {shell}"), jobs, SHELLS
        )
    return Bundle(
        outer,
        inner,
        network,
        weights,
        double_sided=manifest.flag("double_sided", True),
        background=_triple(scene, "background"),
        up=_triple(scene, "up"),
        to_checkpoint=to_checkpoint,
        to_dataset=to_dataset,
        cameras=poses,
        rig=cameras.members("rig"),
        teacher=manifest.members("teacher"),
        report=report.as_members(),
        thumbnail=archive.read(manifest.text("thumbnail", default="thumbnail.png"), MAX_THUMBNAIL_BYTES),
        onnx=onnx,
        references=_references(archive, manifest, name),
    )


def _network(manifest: Node) -> Node:
    """The description of the shading network: the first of ``networks``, or the only one of earlier files."""
    if "networks" not in manifest:
        return manifest.child("network")
    return manifest.elements("networks", MAX_NETWORKS, least=1)[0]


def _triple(holder: Node, key: str) -> tuple[float, float, float]:
    x, y, z = holder.numbers(key, 3)
    return float(x), float(y), float(z)


def _frame(scene: Node, key: str, default: Iterable[float] | None = None) -> Array:
    """An invertible affine map of points, (4, 4) float64, from 16 numbers in row-major order."""
    matrix = scene.numbers(key, 16, default).reshape(4, 4)
    if not np.allclose(matrix[3], [0, 0, 0, 1], rtol=0, atol=1e-9):
        raise scene.wrong(key, "a frame: a map of points whose last row is 0 0 0 1")
    if not abs(np.linalg.det(matrix[:3, :3])) > MIN_VOLUME:
        raise scene.wrong(key, "a frame, but it is without volume")
    matrix[3] = 0, 0, 0, 1  # remove rounding errors of the product that gave this matrix
    return matrix


def _references(archive: Archive, manifest: Node, name: str) -> tuple[Reference, ...]:
    entries = manifest.elements("references", MAX_STATED)
    if len(entries) > MAX_REFERENCES:
        raise DuplexError(f"{name}: {len(entries)} reference pictures: at most {MAX_REFERENCES}")
    references = []
    for i, entry in enumerate(entries):
        camera = Camera.from_json(entry.child("camera"))
        size = (camera.width, camera.height)
        if max(size) > MAX_REFERENCE_SIDE:
            raise DuplexError(f"{name}: reference {i}: {size[0]} x {size[1]}: at most {MAX_REFERENCE_SIDE} a side")
        part = entry.text("picture")
        rgba = (_webp if part.endswith(".webp") else _rgba)(archive, part, size, name)
        references.append(Reference(entry.text("kind", (TEACHER, PHOTO)), camera, rgba))
    return tuple(references)


def _shell(archive: Archive, entry: Node, network: NetworkSpec, name: str) -> BundleShell:
    mesh = _mesh(archive, entry, name)
    size = entry.child("texture_size")
    width, height = (size.whole(i, 1, MAX_TEXTURE_SIDE) for i in range(2))
    count = network.feature_channels // 4
    return BundleShell(
        mesh,
        _packed_texels(archive, entry, (width, height), 4 * count, name)
        if "features" in entry
        else _pictures(archive, entry, (width, height), count, name),
        entry.numbers("scale", 4 * count).astype(np.float32),
        entry.numbers("offset", 4 * count).astype(np.float32),
    )


def _pictures(archive: Archive, entry: Node, size: Size, count: int, name: str) -> Array:
    """The texels (count, height, width, 4) of a shell whose features are pictures."""
    textures = entry.child("textures")
    names = [textures.text(i) for i in range(len(entry.elements("textures", MAX_STATED)))]
    if len(names) != count:
        raise DuplexError(f"{name}: {len(names)} feature textures: the network takes {count}")
    return np.stack([_rgba(archive, texture, size, name) for texture in names])


def _packed_texels(archive: Archive, entry: Node, size: Size, channels: int, name: str) -> Array:
    """The texels (channels / 4, height, width, 4) of a shell whose features are packed."""
    features = entry.child("features")
    features.text("codec", ("wavelet",))
    names = [features.text(key) for key in ("model", "coarse", "fine")]
    parts = [archive.read(part, MAX_PACKED_BYTES) for part in names]
    where = f"{name}: {names[0]}"
    lengths = [len(part) for part in parts[:2]]
    width, height = size
    texels = apart(
        read_texels,
        where,
        lengths,
        [height, width, channels],
        where,
        content=b"".join(parts),
        seconds=UNPACKING_SECONDS,
    )
    return np.ascontiguousarray(texels.reshape(height, width, channels // 4, 4).transpose(2, 0, 1, 3))


def _mesh(archive: Archive, entry: Node, name: str) -> Mesh:
    part = entry.text("mesh")
    content = archive.read(part, MAX_MESH_BYTES)
    if "charts" in entry:
        space = MeshSpace.from_json(entry.child("space")) if "space" in entry else MeshSpace()
        charts = archive.read(entry.text("charts"), MAX_MESH_BYTES)
        mesh = shell_mesh.read(content, charts, space, f"{name}: {part}")
    else:
        mesh = glb.read(content, f"{name}: {part}")
    vertices, faces = (entry.whole(key, 0, MAX_STATED) for key in ("vertices", "faces"))
    if (len(mesh.positions), len(mesh.faces)) != (vertices, faces):
        raise DuplexError(
            f"{name}: {len(mesh.positions)} vertices and {len(mesh.faces)} faces where the manifest states "
            f"{vertices} and {faces}: a damaged or forged bundle"
        )
    elsewhere = mesh.positions[(mesh.positions != mesh.positions[0]).any(1)]
    if not len(elsewhere) or (elsewhere == elsewhere[0]).all():  # fewer than three points
        raise DuplexError(f"{name}: the shell has no extent: a damaged bundle; bake again")
    return mesh


def _rgba(archive: Archive, part: str, size: Size, name: str) -> Array:
    """The PNG ``part`` of the bundle as (height, width, 4) uint8; ``size`` is the (width, height) of the manifest."""
    limit = 5 * size[0] * size[1] + (1 << 20)  # of a file that does not compress
    where = f"{name}: {part}"
    return apart(read_rgba, where, size, archive.packed_size(part), where, content=archive.read(part, limit))  # type: ignore[no-any-return]


def _webp(archive: Archive, part: str, size: Size, name: str) -> Array:
    """The WebP ``part`` of the bundle; otherwise as for :func:`_rgba`."""
    where = f"{name}: {part}"
    limit = 5 * size[0] * size[1] + (1 << 20)
    return apart(read_webp, where, size, where, content=archive.read(part, limit))  # type: ignore[no-any-return]


def _weight(tensors: dict[str, Array], layer: str) -> Array:
    """A layer's weights, float32; whole numbers are in units of a scale for each output."""
    weight = tensors[f"{layer}.weight"]
    if weight.dtype != np.int16:
        return weight.astype(np.float32)
    return (weight * tensors[f"{layer}.scale"].reshape(-1, 1, 1, 1)).astype(np.float32)


def _weights(archive: Archive, network: NetworkSpec, part: str, name: str) -> NetworkWeights:
    name = f"{name}: {part}"
    try:
        tensors = safetensors.load(archive.read(part, MAX_WEIGHTS_BYTES))
        layers = range(len(network.layers))
        weights = NetworkWeights(
            tuple(_weight(tensors, f"layers.{i}") for i in layers),
            tuple(tensors[f"layers.{i}.bias"].astype(np.float32) for i in layers),
        )
    except (SafetensorError, KeyError, ValueError, TypeError):
        raise DuplexError(f"{name}: not the weights of this network: a damaged bundle; bake again") from None
    weights.check(network, name)
    return weights
