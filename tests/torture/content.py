"""What is left of an output when durations and memory, which differ from run to run, are taken away."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

VARYING = {"seconds", "peak_memory_gib", "peak_gpu_memory_gib"}


def content_of(file: Path) -> Any:
    """The content that two runs with equal input share; raises ValueError or KeyError for half a file."""
    data = file.read_bytes()
    if file.suffix == ".bundle":
        return _bundle(data)
    if file.suffix == ".html":
        if not data.rstrip().endswith(b"</html>"):
            raise ValueError("half a page")
        return re.findall(rb"data:image/png;base64,[A-Za-z0-9+/=]+", data)
    if file.suffix == ".json":
        return json.loads(data)
    return data


def _bundle(data: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts: dict[str, Any] = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        raise ValueError("half a bundle") from None
    manifest, report = (json.loads(parts[name]) for name in ("manifest.json", "report.json"))
    del manifest["parts"]["report.json"]  # its size
    report = {key: value for key, value in report.items() if key not in VARYING}
    report["curve"] = [[step, psnr] for step, _, psnr in report["curve"]]
    return parts | {"manifest.json": manifest, "report.json": report}
