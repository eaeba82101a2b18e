"""``duplex-viewer --info``: the contents of a bundle as a table, or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from duplex.app.core.errors import in_short, printable
from duplex.app.scene.archive import Archive, sizes_by_kind
from duplex.app.scene.bundle_reader import read_bundle

MEGABYTE = 10**6
NAME_WIDTH = 26  # characters
MAX_TEXT = 300  # characters of a value that a bundle states
MAX_DEPTH = 4  # of what it states
LONGEST_LIST = 12


def bundle_facts(path: Path) -> dict[str, Any]:
    """What the bundle at ``path`` holds, for machines; raises :class:`~duplex.app.core.errors.DuplexError`."""
    bundle = read_bundle(path)
    with Archive(path) as archive:
        parts = archive.packed_sizes()
    total = path.stat().st_size
    _, height, width, _ = bundle.outer.texels.shape
    return {
        "bundle": str(path),
        "bytes": total,
        "sizes": sizes_by_kind(path, total),
        "parts": parts,
        "faces": {"outer": len(bundle.outer.mesh.faces), "inner": len(bundle.inner.mesh.faces)},
        "features": {"channels": bundle.network.feature_channels, "texels": [width, height]},
        "network": {
            "layers": len(bundle.network.layers),
            "multiply_adds_per_pixel": float(bundle.network.macs_per_pixel),
        },
        "bounds": [[float(x) for x in corner] for corner in bundle.bounds],
        "cameras": len(bundle.cameras),
        "references": len(bundle.references),
        "teacher": bundle.teacher,
        "report": bundle.report,
    }


def bundle_info(path: Path) -> str:
    """:func:`bundle_facts` as a table to read."""
    facts = bundle_facts(path)
    channels, (width, height) = facts["features"]["channels"], facts["features"]["texels"]
    low, high = (" ".join(f"{x:.3f}" for x in corner) for corner in facts["bounds"])
    network = facts["network"]
    rows = [
        ("bundle", printable(str(path))),
        ("size", _size(facts["bytes"])),
        *((f"  {kind}", _size(size)) for kind, size in facts["sizes"].items()),
        ("parts", ""),
        *((f"  {name}", _size(size)) for name, size in facts["parts"].items()),
        ("faces", f"{facts['faces']['outer']} outer, {facts['faces']['inner']} inner"),
        ("features", f"{channels} channels a shell, {width} x {height} texels"),
        ("network", f"{network['layers']} layers, {network['multiply_adds_per_pixel']:.0f} multiply-adds a pixel"),
        ("bounds", f"{low} to {high}"),
        ("cameras", str(facts["cameras"])),
        ("references", str(facts["references"])),
        ("teacher", ""),
        *_rows(facts["teacher"]),
        ("report", ""),
        *_rows(facts["report"]),
    ]
    return "\n".join(f"{name:{NAME_WIDTH}} {value}".rstrip() for name, value in rows)


def _rows(values: Mapping[str, Any], depth: int = 1) -> list[tuple[str, str]]:
    """A row for each of the ``values``, those of a dictionary indented below its name; long lists are counted."""
    rows = []
    for name, value in values.items():
        label = in_short(printable("  " * depth + str(name)), MAX_TEXT)
        if isinstance(value, Mapping) and depth < MAX_DEPTH:
            rows += [(label, ""), *_rows(value, depth + 1)]
        elif isinstance(value, list) and len(value) > LONGEST_LIST:
            rows.append((label, f"{len(value)} values"))
        else:
            text = f"{value:g}" if isinstance(value, float) else "not stated" if value is None else str(value)
            rows.append((label, in_short(printable(text), MAX_TEXT)))
    return rows


def _size(count: int) -> str:
    return f"{count / 1e6:.2f} MB" if count >= MEGABYTE else f"{count / 1e3:.1f} kB"
