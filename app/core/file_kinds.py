"""What a file is by its first bytes, for the sentence about a file of the wrong kind."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from duplex.app.core.errors import DuplexError

HEAD_BYTES = 1 << 12
TAIL_BYTES = 1 << 18  # of a ZIP archive, whose list of members is at its end
ZIP = b"PK\x03\x04"
ZIP_END = b"PK\x05\x06"
PACKED = (b".ckpt", b".pth", b".pt", b".th", b".tar", b".npz", b".ingp", b".safetensors", b".bundle", b".ply")
TAR_MAGIC = b"ustar"
TAR_PLACE = 257


@dataclass(frozen=True)
class FileKind:
    """``name``: one word; ``what``: what the user has there; ``remedy``: what to do about it."""

    name: str
    what: str
    remedy: str


LFS = FileKind(
    "lfs",
    "a pointer of Git LFS in the place of the file",
    "fetch the file itself with `git lfs pull`",
)
WEB_PAGE = FileKind(
    "web page",
    "a web page, as a download ends in that wanted a click or a login",
    "download the file again in a browser",
)
ARCHIVE = FileKind("archive", "an archive", "unpack it and give the file that is in it")
TORCHSCRIPT = FileKind(
    "torchscript",
    "a TorchScript program, whose weights belong to its code",
    "save the network's state_dict() instead and give that",
)
HDF5 = FileKind("hdf5", "an HDF5 file, as Keras saves them", "save the weights as .npz or as a state_dict")
SPLATS = FileKind("splats", "Gaussian splats in a .ply", "give a NeRF's checkpoint: splats are not read yet")
POINTS = FileKind("ply", "a mesh or points in a .ply", "give the NeRF's checkpoint, not what was exported from it")
GLTF = FileKind("gltf", "a glTF mesh", "give the NeRF's checkpoint, not what was exported from it")
PICTURE = FileKind("picture", "a picture", "give the folder that holds the photos and their cameras")
VIDEO = FileKind("video", "a video", "give posed photos of it")
JSON = FileKind("json", "a JSON file", "give the folder that it describes, as --data or to duplex-train")
BUNDLE = FileKind("bundle", "a bundle of duplex, baked already", "open it with duplex-viewer FILE")
CHECKPOINT = FileKind("checkpoint", "a checkpoint, not baked yet", "bake it with duplex-bake FILE -o scene.bundle")

BEGINNINGS: tuple[tuple[bytes, FileKind], ...] = (
    (b"version https://git-lfs.github.com/spec/", LFS),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
    (b"\xfd7zXZ\x00", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", ARCHIVE),
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"glTF", GLTF),
    (b"\x89PNG\r\n\x1a\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"\x93NUMPY", CHECKPOINT),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", CHECKPOINT),  # torch.save before torch 1.6
)
PAGE_BEGINNINGS = (b"<!doctype html", b"<html", b"<head", b"<script", b"<body")


def kind_of(path: Path) -> FileKind | None:
    """What the file at ``path`` is; None where that is not known, or the file cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
            if head.startswith(ZIP):
                stream.seek(max(stream.seek(0, io.SEEK_END) - TAIL_BYTES, 0))
                return _zip_kind(stream.read())
    except OSError:
        return None
    return _plain_kind(head)


def _plain_kind(head: bytes) -> FileKind | None:
    known = next((kind for start, kind in BEGINNINGS if head.startswith(start)), None)
    if known is not None:
        return known
    if head[TAR_PLACE : TAR_PLACE + len(TAR_MAGIC)] == TAR_MAGIC:
        return ARCHIVE
    if head.startswith((b"ply\n", b"ply\r")):
        return SPLATS if b"f_dc_0" in head or b"scale_0" in head or b"packed_position" in head else POINTS
    if head[4:8] == b"ftyp":
        return PICTURE if head[8:12] in (b"avif", b"heic", b"mif1") else VIDEO
    if head.startswith(b"RIFF"):
        return PICTURE if head[8:12] == b"WEBP" else VIDEO
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(PAGE_BEGINNINGS) or (text.startswith(b"<?xml") and b"<html" in text):
        return WEB_PAGE
    return JSON if text.startswith(b"{") and text[1:].lstrip()[:1] in (b'"', b"}") else None


def _zip_kind(tail: bytes) -> FileKind | None:
    """What a ZIP archive is by the names of its members; many programs save one."""
    if ZIP_END not in tail:
        return None  # cut off
    if b"manifest.json" in tail and b".glb" in tail:
        return BUNDLE
    if b"/constants.pkl" in tail and b"/code/" in tail:
        return TORCHSCRIPT
    if b"/data.pkl" in tail or b".npyPK" in tail:
        return CHECKPOINT
    return ARCHIVE if any(suffix + b"PK" in tail for suffix in PACKED) else None


def wrong_kind(path: Path, expected: str, fitting: tuple[FileKind, ...] = ()) -> DuplexError | None:
    """The error about a file that is something else than ``expected``.

    None for a file that is one of the ``fitting`` kinds, or of none that is known.
    """
    kind = kind_of(path)
    if kind is None or kind in fitting:
        return None
    return DuplexError(f"{path}: {kind.what}: expected {expected}: {kind.remedy.replace('FILE', path.name)}")
