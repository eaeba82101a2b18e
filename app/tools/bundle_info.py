"""``duplex-viewer --info``: the contents of a bundle as text."""

from __future__ import annotations

from pathlib import Path

from duplex.app.core.errors import in_short, printable
from duplex.app.scene.archive import Archive, sizes_by_kind
from duplex.app.scene.bundle_reader import read_bundle

MAX_LINE = 10_000  # characters


def bundle_info(path: Path) -> str:
    """One line for each fact about the bundle at ``path``; raises :class:`~duplex.app.core.errors.DuplexError`."""
    bundle = read_bundle(path)
    with Archive(path) as archive:
        parts = archive.packed_sizes()
    low, high = bundle.bounds
    total = path.stat().st_size
    texture = bundle.outer.texels.shape
    lines = {
        "bundle": f"{path}, {total} bytes",
        "sizes": ", ".join(f"{kind} {size}" for kind, size in sizes_by_kind(path, total).items()),
        "faces": f"{len(bundle.outer.mesh.faces)} outer, {len(bundle.inner.mesh.faces)} inner",
        "features": f"{bundle.network.feature_channels} a shell, {texture[2]} x {texture[1]} texels",
        "network": f"{len(bundle.network.layers)} layers, {bundle.network.macs_per_pixel:.0f} multiply-adds a pixel",
        "parts": ", ".join(f"{name} {size}" for name, size in parts.items()),
        "bounds": " to ".join(" ".join(f"{x:.3f}" for x in corner) for corner in (low, high)),
        "cameras": str(len(bundle.cameras)),
        "teacher": ", ".join(f"{key} {value}" for key, value in bundle.teacher.items()),
        "report": ", ".join(f"{key} {value}" for key, value in bundle.report.items() if not isinstance(value, dict)),
    }
    text = "\n".join(f"{name:10}{in_short(value, MAX_LINE)}" for name, value in lines.items())
    return printable(text)
