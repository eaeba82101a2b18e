"""How many bytes of a bundle's file are meshes, features, network and the rest."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import IO

KINDS = {
    "meshes": (".glb", ".charts"),
    "features": ("features0.png", "features1.png", "features2.png", ".model", ".coarse", ".fine"),
    "network": (".safetensors", ".onnx"),
    "pictures": (".png", ".webp"),
    "facts": (".json",),
}
OTHER = "container"


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
