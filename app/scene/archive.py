"""The bundle's container: a ZIP file, which is untrusted, so every size is bounded before memory is allocated."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node, parse_json, shown
from duplex.app.core.zip_directory import directory_bytes

MAX_PARTS = 64
MAX_PART_BYTES = 1 << 30
MAX_JSON_BYTES = 4 << 20
FREE_BYTES = 1 << 20  # that a part may hold whatever it takes in the file
MAX_EXPANSION = 100  # bytes of a part for each byte that it takes in the file
MAX_DIRECTORY_BYTES = 1 << 18
MANIFEST = "manifest.json"
STORED = (".png", ".webp", ".coarse", ".fine")  # ends of the names of parts that deflate no more
REMEDY = "a damaged or forged bundle; bake again"
KINDS = {
    "meshes": (".glb", ".charts"),
    "features": ("features0.png", "features1.png", "features2.png", ".model", ".coarse", ".fine"),
    "network": (".safetensors", ".onnx"),
    "pictures": (".png", ".webp"),
    "facts": (".json",),
}
OTHER = "container"


class Archive:
    """An open bundle file; a context manager. Call :meth:`manifest` first, then :meth:`read` and :meth:`json`.

    Raises :class:`DuplexError` if the file is not a ZIP, is truncated, has more than 64 parts or parts that share
    bytes, or has part names with folders or duplicates.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            if (directory_bytes(path) or 0) > MAX_DIRECTORY_BYTES:
                raise ValueError("a list of more parts than a bundle has")
            self._zip = zipfile.ZipFile(path)
            self._entries = self._zip.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError):
            raise DuplexError(f"{path}: not a bundle, or a truncated one: copy it again or bake again") from None
        names = [entry.filename for entry in self._entries]
        if len(names) > MAX_PARTS:
            raise DuplexError(f"{path}: {len(names)} parts: a bundle has at most {MAX_PARTS}")
        for name in names:
            if "/" in name or "\\" in name or ":" in name or name.startswith("."):
                raise DuplexError(
                    f"{path}: part {shown(name)!r}: a bundle's parts have plain names without folders; "
                    "do not trust this file"
                )
        if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in self._entries):
            raise DuplexError(f"{path}: a part is neither stored nor deflated: not a bundle")
        if len(set(names)) != len(names):
            raise DuplexError(f"{path}: two parts have the same name: a damaged or forged bundle")
        if sum(entry.compress_size for entry in self._entries) > path.stat().st_size:
            raise DuplexError(f"{path}: parts that share their bytes: {REMEDY}")
        self.sizes: dict[str, int] = {}

    def manifest(self) -> Node:
        """The manifest, an object. Its part sizes are the expected sizes of all later :meth:`read` calls."""
        manifest = self._parse(MANIFEST, self._read(MANIFEST, None, MAX_JSON_BYTES))
        if not isinstance(manifest.value, dict) or manifest.value.get("format") != "duplex":
            raise DuplexError(f"{self.path}: {MANIFEST} does not say format duplex: not a bundle")
        parts = manifest.child("parts")
        names = parts.keys()
        self.sizes = {str(name): parts.whole(name, 0, MAX_PART_BYTES) for name in names}
        return manifest

    def read(self, name: str, limit: int = MAX_PART_BYTES) -> bytes:
        """The bytes of the part ``name``.

        Raises :class:`DuplexError` if the manifest does not list the part, if its length differs from the manifest,
        or if it exceeds ``limit`` bytes.
        """
        if name not in self.sizes:
            raise DuplexError(f"{self.path}: {MANIFEST} does not list the part {shown(name)!r}: a damaged bundle")
        return self._read(name, self.sizes[name], limit)

    def packed_size(self, name: str) -> int:
        """How many bytes of the file the part ``name`` takes; 0 if it is missing."""
        return next((entry.compress_size for entry in self._entries if entry.filename == name), 0)

    def packed_sizes(self) -> dict[str, int]:
        """How many bytes of the file each part takes, in their order."""
        return {entry.filename: entry.compress_size for entry in self._entries}

    def json(self, name: str) -> Node:
        """The parsed JSON part ``name``; raises :class:`DuplexError` as :meth:`read` does, or above 4 MiB."""
        if self.sizes.get(name, 0) > MAX_JSON_BYTES:
            raise DuplexError(f"{self.path}: {name} states {self.sizes[name]} bytes: expected at most {MAX_JSON_BYTES}")
        return self._parse(name, self.read(name))

    def _parse(self, name: str, content: bytes) -> Node:
        try:
            return Node(parse_json(content), f"{self.path}: {name}", REMEDY)
        except ValueError as error:
            raise DuplexError(f"{self.path}: {name} is not JSON ({shown(error)}): {REMEDY}") from None

    def _read(self, name: str, stated: int | None, limit: int) -> bytes:
        entry = next((e for e in self._entries if e.filename == name), None)
        if entry is None:
            raise DuplexError(f"{self.path}: the part {name!r} is missing: not a bundle, or a damaged one")
        expected = entry.file_size if stated is None else stated
        if expected != entry.file_size or expected > limit:
            raise DuplexError(
                f"{self.path}: {name} holds {entry.file_size} bytes where its manifest states "
                f"{expected} (at most {limit}): {REMEDY}"
            )
        if expected > FREE_BYTES + MAX_EXPANSION * entry.compress_size:
            raise DuplexError(
                f"{self.path}: {name} unpacks {entry.compress_size} bytes to {expected}: expected at most "
                f"{MAX_EXPANSION} times as many: {REMEDY}"
            )
        try:
            with self._zip.open(entry) as stream:
                content = stream.read(expected + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
            content = b""
        if len(content) != expected:
            raise DuplexError(f"{self.path}: {name} cannot be unpacked: a damaged bundle; copy it again")
        return content

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pack(manifest: dict[str, Any], parts: dict[str, bytes]) -> bytes:
    """The bytes of a ZIP file of ``parts`` and ``manifest``.

    The manifest, which comes first, gets members ``parts``, with their sizes, and ``offsets``: where the entry of each
    part begins, in bytes after the end of the manifest's own.
    """
    _, offsets = _zip(parts)
    sizes = {name: len(content) for name, content in parts.items()}
    content = json.dumps({**manifest, "parts": sizes, "offsets": offsets}, indent=1).encode()
    return _zip({MANIFEST: content, **parts})[0]


def _zip(parts: dict[str, bytes]) -> tuple[bytes, dict[str, int]]:
    """The bytes of a ZIP file of ``parts``, and where each one's entry begins."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # a fixed date: equal input gives equal bytes
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
        offsets = {entry.filename: entry.header_offset for entry in archive.infolist()}
    return buffer.getvalue(), offsets


def sizes_by_kind(file: Path | IO[bytes], total: int) -> dict[str, int]:
    """The bytes of each of :data:`KINDS`, and of all else, in the bundle ``file`` of ``total`` bytes.

    Nothing for a file that is no bundle any more.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            parts = [(entry.filename, entry.compress_size) for entry in archive.infolist()]
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return {}
    found = dict.fromkeys(KINDS, 0)
    for name, size in parts:
        kind = next((kind for kind, endings in KINDS.items() if name.endswith(endings)), None)
        if kind:
            found[kind] += size
    return found | {OTHER: total - sum(found.values())}
