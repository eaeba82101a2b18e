"""What the viewer remembers of its user: recent files and how the panel was set, in the platform's place for that."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from duplex.app.core.files import write_atomically

MAX_FILE, RECENT = 1 << 16, 8


@dataclass
class Settings:
    """``recent``: bundles, the last one first; ``size``: of the window, None at first; the rest as in the panel."""

    recent: list[str] = field(default_factory=list)
    size: list[int] | None = None
    scale: float = 1.0
    smooth: bool = True
    frame_rate: int = 30

    def opened(self, path: Path) -> None:
        """Note that ``path`` was opened."""
        name = str(path.absolute())
        self.recent = [name, *(x for x in self.recent if x != name)][:RECENT]

    def save(self, file: Path | None = None) -> None:
        """Write them down; where that is not possible they are forgotten."""
        file = file or settings_file()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(asdict(self), indent=1).encode())
        except OSError:
            pass


def settings_file() -> Path:
    """Where they are kept."""
    return user_config_path("duplex", appauthor=False) / "viewer.json"


def load_settings(file: Path | None = None) -> Settings:
    """Those of last time; what is missing or not as expected is as at first."""
    found, file = Settings(), file or settings_file()
    try:
        data = json.loads(file.read_bytes()[:MAX_FILE]) if file.stat().st_size <= MAX_FILE else {}
    except (OSError, ValueError, RecursionError):
        return found
    if not isinstance(data, dict):
        return found
    recent = data.get("recent")
    if isinstance(recent, list):
        found.recent = [x for x in recent if isinstance(x, str) and len(x) < 4096][:RECENT]
    size = data.get("size")
    if isinstance(size, list) and len(size) == 2 and all(_whole(x, 200, 16384) for x in size):
        found.size = size
    if isinstance(data.get("scale"), float) and 0.1 <= data["scale"] <= 1:
        found.scale = data["scale"]
    if isinstance(data.get("smooth"), bool):
        found.smooth = data["smooth"]
    if _whole(data.get("frame_rate"), 10, 120):
        found.frame_rate = data["frame_rate"]
    return found


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
