"""The viewer's settings file: recent files, window size and quality settings, in the platform's folder for that."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from duplex.app.core.errors import DuplexError
from duplex.app.core.files import write_atomically
from duplex.app.core.tree import parse_json
from duplex.app.render.views import Unseen

MAX_FILE = 1 << 16  # bytes
MAX_RECENT = 8
PANEL_WIDTHS = 200, 1200


@dataclass
class Settings:
    """What the viewer remembers from one start to the next.

    ``recent``: paths of bundles, the last one first; ``size``: of the window, None before the first start; ``scale``,
    ``smooth``, ``frame_rate``, ``unseen`` and ``limited``: as in :class:`~duplex.app.viewer.look.Look`; ``panel``: the
    panel's width at 96 dpi.
    """

    recent: list[str] = field(default_factory=list)
    size: list[int] | None = None
    scale: float = 1.0
    smooth: bool = True
    frame_rate: int = 30
    unseen: str = Unseen.FADE
    limited: bool = False
    panel: int = 300

    def opened(self, path: Path) -> None:
        """Put ``path`` first among the recent files."""
        name = str(path.absolute())
        self.recent = [name, *(x for x in self.recent if x != name)][:MAX_RECENT]

    def save(self, file: Path | None = None) -> None:
        """Write the settings to ``file``, by default :func:`settings_file`; a write error is ignored."""
        file = file or settings_file()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, json.dumps(asdict(self), indent=1).encode())
        except (OSError, DuplexError):
            pass


def settings_file() -> Path:
    """The file in which settings are kept."""
    return user_config_path("duplex", appauthor=False) / "viewer.json"


def load_settings(file: Path | None = None) -> Settings:
    """Read ``file``, by default :func:`settings_file`; missing or invalid entries get their default."""
    found = Settings()
    file = file or settings_file()
    try:
        known = file.is_file() and file.stat().st_size <= MAX_FILE  # a pipe would be waited for
        data = parse_json(file.read_bytes()) if known else {}
    except (OSError, ValueError):
        return found
    if not isinstance(data, dict):
        return found
    recent = data.get("recent")
    if isinstance(recent, list):
        found.recent = [x for x in recent if isinstance(x, str) and len(x) < 4096][:MAX_RECENT]
    size = data.get("size")
    if isinstance(size, list) and len(size) == 2 and all(_whole(x, 200, 16384) for x in size):
        found.size = size
    if isinstance(data.get("scale"), float) and 0.1 <= data["scale"] <= 1:
        found.scale = data["scale"]
    if isinstance(data.get("smooth"), bool):
        found.smooth = data["smooth"]
    if _whole(data.get("frame_rate"), 10, 120):
        found.frame_rate = data["frame_rate"]
    if data.get("unseen") in tuple(Unseen):
        found.unseen = data["unseen"]
    if _whole(data.get("panel"), *PANEL_WIDTHS):
        found.panel = data["panel"]
    if isinstance(data.get("limited"), bool):
        found.limited = data["limited"]
    return found


def _whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
