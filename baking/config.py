"""All settings of a bake: one dataclass per stage, and three presets. The command-line flags follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.baking.compression.packing import StorageConfig
from duplex.baking.compression.tuning import TuningConfig
from duplex.baking.distill.trainer import DistillConfig
from duplex.baking.distill.views import ViewConfig
from duplex.baking.geometry.atlas import AtlasConfig
from duplex.baking.geometry.density import DensityConfig
from duplex.baking.geometry.shells import ShellConfig
from duplex.baking.settings import Presets, check_ranges, checked_presets, configured


@dataclass(frozen=True)
class BakeConfig:
    """The settings of all stages, in the order of the pipeline."""

    density: DensityConfig = field(default_factory=DensityConfig)
    shells: ShellConfig = field(default_factory=ShellConfig)
    atlas: AtlasConfig = field(default_factory=AtlasConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)


PRESETS: Presets = checked_presets(
    BakeConfig,
    {
        "draft": {},
        "standard": {
            "grid": 320,
            "sub_steps": 2,
            "faces": 80000,
            "texels": 1024,
            "views": 1280,
            "view_size": 400,
            "width": 32,
            "steps": 8000,
            "rate_steps": 2400,
        },
        "high": {
            "grid": 448,
            "sub_steps": 2,
            "faces": 160000,
            "texels": 2048,
            "views": 6400,
            "view_size": 800,
            "width": 32,
            "steps": 60000,
            "rate_steps": 6000,
            "crop_size": 64,
        },
    },
)


def bake_config(quality: str, given: Mapping[str, Any]) -> BakeConfig:
    """The preset ``quality`` with the ``given`` settings on top; raises :class:`DuplexError`."""
    config = configured(BakeConfig, PRESETS, quality, given)
    check(config)
    return config


def check(config: BakeConfig) -> None:
    """Raise :class:`DuplexError` for settings out of range or in conflict."""
    check_ranges(config)
    outer = config.shells.outer_opacity
    inner = config.shells.inner_opacity
    if inner and not outer < inner < 1:
        raise DuplexError(
            f"--inner-opacity {inner}: expected more than --outer-opacity {outer:g} and less than 1, or 0"
        )
    views = config.views
    if not (0 < views.window <= 1 and views.window_size >= 16):
        raise DuplexError(f"--window {views.window}: expected at most 1, and 16 pixels of --view-size or more")
