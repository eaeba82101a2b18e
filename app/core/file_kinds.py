"""What a file is by its first bytes, for the sentence about a file of the wrong kind."""

from __future__ import annotations

import codecs
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from duplex.app.core.errors import DuplexError
from duplex.app.core.zip_directory import directory_bytes

HEAD_BYTES = 1 << 12
MAX_DIRECTORY_BYTES = 1_000_000  # of a ZIP archive that is looked into
ZIP = b"PK\x03\x04"
TAR_MAGIC = b"ustar"
TAR_PLACE = 257


@dataclass(frozen=True)
class FileKind:
    """``name``: one word; ``what``: what the user has there; ``remedy``: what to do about it."""

    name: str
    what: str
    remedy: str


EMPTY = FileKind("empty", "an empty file", "copy, save or download it again")
LFS = FileKind(
    "lfs",
    "a pointer of Git LFS in the place of the file",
    "fetch the file itself with `git lfs pull`",
)
ANNEX = FileKind("annex", "a pointer of git-annex in the place of the file", "fetch it with `git annex get FILE`")
COMPANION = FileKind("companion", "what macOS keeps beside a file", "give the file without ._ before its name")
WEB_PAGE = FileKind(
    "web page",
    "a web page or its error, as a download ends in that wanted a click or a login",
    "download the file again in a browser",
)
ARCHIVE = FileKind("archive", "an archive", "unpack it and give what is in it")
TORCHSCRIPT = FileKind(
    "torchscript",
    "a TorchScript program, whose weights belong to its code",
    "save the network's state_dict() instead and give that",
)
HDF5 = FileKind("hdf5", "an HDF5 file, as Keras saves them", "save the weights as .npz or as a state_dict")
GRAPH = FileKind(
    "graph",
    "a network's graph, of ONNX or TensorFlow",
    "give the checkpoint that it was made from, or save its weights as .npz",
)
TENSORFLOW = FileKind("tensorflow", "a part of a TensorFlow checkpoint", "save the weights as .npy or .npz")
MATLAB = FileKind("matlab", "a MATLAB file", "save the weights as .npz")
DATABASE = FileKind(
    "database",
    "an SQLite database, as COLMAP keeps one",
    "give the folder that holds the photos and sparse/, as --data or to duplex-train",
)
SPLATS = FileKind("splats", "Gaussian splats", "give a NeRF's checkpoint: splats are not read yet")
POINTS = FileKind("ply", "a mesh or points in a .ply", "give the NeRF's checkpoint, not what was exported from it")
MESH = FileKind("mesh", "a mesh or another 3D scene", "give the NeRF's checkpoint, not what was exported from it")
PICTURE = FileKind("picture", "a picture", "give the folder that holds the photos and their cameras")
VIDEO = FileKind("video", "a video", "find its cameras with duplex-train poses, or give it to duplex-train")
JSON = FileKind("json", "a JSON file", "give the folder that it describes, as --data or to duplex-train")
DOCUMENT = FileKind("document", "a PDF document", "give the file that it is about")
TEXT = FileKind("text", "a text file", "give the file that it is about, or the folder that holds it")
BUNDLE = FileKind("bundle", "a bundle of duplex, baked already", "open it with duplex-viewer FILE")
CHECKPOINT = FileKind("checkpoint", "a checkpoint, not baked yet", "bake it with duplex-bake FILE -o scene.bundle")

BEGINNINGS: tuple[tuple[bytes, FileKind], ...] = (
    (b"version https://git-lfs.github.com/spec/", LFS),
    (b"version https://hawser.github.com/spec/", LFS),
    (b"/annex/objects/", ANNEX),
    (b"\x00\x05\x16\x07", COMPANION),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
    (b"\xfd7zXZ\x00", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", ARCHIVE),  # zstd
    (b"\x04\x22\x4d\x18", ARCHIVE),  # lz4
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"MATLAB 5.0 MAT-file", MATLAB),
    (b"SQLite format 3\x00", DATABASE),
    (b"%PDF-", DOCUMENT),
    (b"NGSP", SPLATS),
    (b"glTF", MESH),
    (b"BLENDER", MESH),
    (b"Kaydara FBX Binary", MESH),
    (b"PXR-USDC", MESH),
    (b"#usda", MESH),
    (b"solid ", MESH),  # STL
    (b"OFF\n", MESH),
    (b" BDV", MESH),  # OpenVDB
    (b"# .PCD", MESH),
    (b"LASF", MESH),
    (b"\x89PNG\r\n\x1a\n", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"GIF8", PICTURE),
    (b"BM", PICTURE),
    (b"II*\x00", PICTURE),
    (b"MM\x00*", PICTURE),
    (b"v/1\x01", PICTURE),  # OpenEXR
    (b"#?RADIANCE", PICTURE),
    (b"8BPS", PICTURE),
    (b"%!PS", PICTURE),
    (b"\x1aE\xdf\xa3", VIDEO),  # Matroska, WebM
    (b"\x93NUMPY", CHECKPOINT),
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", CHECKPOINT),  # torch.save before torch 1.6
)
PAGE_BEGINNINGS = (
    b"<!doctype html", b"<html", b"<head", b"<script", b"<body",
    b"404: not found", b"not found", b"entry not found", b"invalid username or password", b"access denied",
)  # fmt: skip
BOXES = (b"ftyp", b"moov", b"mdat", b"wide")  # with which MP4 and QuickTime begin, and pictures that follow them
STILL = (b"avif", b"heic", b"heix", b"mif1")
DEFLATED = (b"\x1f\x8b", b"x\x01", b"x\x5e", b"x\x9c", b"x\xda")  # gzip, and the four levels of zlib
MSGPACK = re.compile(rb"([\x81-\x8f]|\xde..)([\xa1-\xbf]|\xd9.)[ -~]", re.DOTALL)  # a map with a text for its first key
ONNX = re.compile(rb"\x08[\x01-\x14][\x12\x3a\x42]")  # a small version, then its maker, a graph or what it imports
TFLITE = b"TFL3"
WAVEFRONT = re.compile(rb"^v +-?[\d.]+(e-?\d+)? +-?[\d.]", re.MULTILINE)  # a vertex of an .obj file
NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")

# For what has no telling first bytes, and for containers whose content only the name tells.
ENDINGS: dict[str, FileKind] = {
    **dict.fromkeys((".splat", ".ksplat", ".spz", ".sog"), SPLATS),
    **dict.fromkeys((".obj", ".stl", ".fbx", ".blend", ".usd", ".usda", ".usdz", ".gltf", ".dae", ".3ds"), MESH),
    **dict.fromkeys((".onnx", ".pb", ".tflite"), GRAPH),
    **dict.fromkeys((".index", ".meta"), TENSORFLOW),
    ".keras": HDF5,
    ".mat": MATLAB,
}


def kind_of(path: Path) -> FileKind | None:
    """What the file at ``path`` is; None where that is not known, or the file cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        kind = _zip_kind(path) if head.startswith(ZIP) else _plain_kind(head)
    except OSError:
        return None
    if kind not in (None, ARCHIVE, TEXT, JSON):
        return kind
    ending = ".index" if path.suffix.startswith(".data-0") else path.suffix.lower()
    return ENDINGS.get(ending, kind)


def _plain_kind(head: bytes) -> FileKind | None:
    known = next((kind for start, kind in BEGINNINGS if head.startswith(start)), None)
    if known is not None:
        return known
    if head.startswith(DEFLATED):
        return _deflated_kind(head)
    if head[TAR_PLACE : TAR_PLACE + len(TAR_MAGIC)] == TAR_MAGIC:
        return ARCHIVE
    if head.startswith((b"ply\n", b"ply\r")):
        return SPLATS if b"f_dc_0" in head or b"scale_0" in head or b"packed_position" in head else POINTS
    if head[4:8] in BOXES:
        return PICTURE if head[8:12] in STILL else VIDEO
    if head.startswith(b"RIFF"):
        return PICTURE if head[8:12] == b"WEBP" else VIDEO
    if head[4:8] == TFLITE or ONNX.match(head):
        return GRAPH
    if (head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 1 << 32) or MSGPACK.match(head):
        return CHECKPOINT  # safetensors, instant-ngp, flax
    return _text_kind(head)


def _deflated_kind(head: bytes) -> FileKind | None:
    """What is inside: instant-ngp compresses its checkpoints, Niantic its splats."""
    try:
        inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(head, HEAD_BYTES)
    except zlib.error:
        return None
    if inner.startswith(b"NGSP"):
        return SPLATS
    return CHECKPOINT if MSGPACK.match(inner) else ARCHIVE


def _text_kind(head: bytes) -> FileKind | None:
    """What a file is that has no telling first bytes: text of some kind, or unknown."""
    if not head:
        return EMPTY
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(PAGE_BEGINNINGS) or (text.startswith(b"<?xml") and (b"<html" in text or b"<error" in text)):
        return WEB_PAGE
    if text.startswith(b"{") and text[1:].lstrip()[:1] in (b'"', b"}"):
        return MESH if b'"asset"' in text and b'"meshes"' in text else JSON
    if NO_TEXT.search(head):
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # which may end within a letter
    except UnicodeDecodeError:
        return None
    return MESH if WAVEFRONT.search(text) else TEXT


def _zip_kind(path: Path) -> FileKind | None:
    """What a ZIP archive is by the names of its members; many programs save one."""
    size = directory_bytes(path)
    if size is None:
        return None  # cut off
    if size > MAX_DIRECTORY_BYTES:
        return ARCHIVE
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
        return None
    last = {name.rpartition("/")[2] for name in names}
    if "manifest.json" in names or any(name.endswith(".glb") for name in names):
        return BUNDLE
    if "constants.pkl" in last and any("/code/" in name for name in names):
        return TORCHSCRIPT
    if any(name.count("/") == 1 and name.endswith(("/data.pkl", "/version")) for name in names):
        return CHECKPOINT
    return CHECKPOINT if names and all(name.endswith(".npy") for name in names) else ARCHIVE


def wrong_kind(path: Path, expected: str, fitting: tuple[FileKind, ...] = ()) -> DuplexError | None:
    """The error about a file that is something else than ``expected``.

    None for a file that is one of the ``fitting`` kinds, or of none that is known.
    """
    kind = kind_of(path)
    if kind is None or kind in fitting:
        return None
    return DuplexError(f"{path}: {kind.what}: expected {expected}: {kind.remedy.replace('FILE', path.name)}")
