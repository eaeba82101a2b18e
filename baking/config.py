"""All settings of a bake: each stage's own dataclass, three presets, from which the command line is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.baking.distill.trainer import DistillConfig
from duplex.baking.distill.views import ViewConfig
from duplex.baking.geometry.atlas import AtlasConfig
from duplex.baking.geometry.density import DensityConfig
from duplex.baking.geometry.shells import ShellConfig
from duplex.baking.settings import filled


@dataclass(frozen=True)
class BakeConfig:
    """The settings of every stage, in the order in which they run."""

    density: DensityConfig = field(default_factory=DensityConfig)
    shells: ShellConfig = field(default_factory=ShellConfig)
    atlas: AtlasConfig = field(default_factory=AtlasConfig)
    views: ViewConfig = field(default_factory=ViewConfig)
    distill: DistillConfig = field(default_factory=DistillConfig)


PRESETS: dict[str, dict[str, Any]] = {
    "draft": {},
    "standard": {
        "grid": 256,
        "faces": 80000,
        "texels": 1024,
        "views": 1280,
        "view_size": 400,
        "width": 32,
        "steps": 8000,
    },
    "high": {
        "grid": 448,
        "faces": 160000,
        "texels": 2048,
        "views": 6400,
        "view_size": 800,
        "width": 32,
        "steps": 60000,
        "crop": 64,
    },
}


def configured(quality: str, given: Mapping[str, Any]) -> BakeConfig:
    """The preset ``quality`` with the ``given`` settings on top; raises :class:`DuplexError`."""
    if quality not in PRESETS:
        raise DuplexError(f"quality {quality!r:.40}: expected {', '.join(PRESETS)}")
    config = filled(BakeConfig, PRESETS[quality], given)
    check(config)
    return config


def check(config: BakeConfig) -> None:
    """Raise :class:`DuplexError` for what no bake can be done with."""
    texels = config.atlas.texels
    rules: list[tuple[bool, str, float | str, str]] = [
        (16 <= config.density.grid <= 1024, "--grid", config.density.grid, "16 to 1024"),
        (16 <= config.density.scan <= 256, "--scan", config.density.scan, "16 to 256"),
        (0 < config.shells.outer_opacity < 0.6, "--outer-opacity", config.shells.outer_opacity, "0 to 0.6"),
        (
            config.shells.inner_opacity == 0 or config.shells.outer_opacity < config.shells.inner_opacity < 1,
            "--inner-opacity",
            config.shells.inner_opacity,
            f"more than --outer-opacity {config.shells.outer_opacity:g} and less than 1, or 0",
        ),
        (0 < config.shells.bracketing < 1, "--bracketing", config.shells.bracketing, "more than 0, less than 1"),
        (100 <= config.shells.faces <= 2_000_000, "--faces", config.shells.faces, "100 to 2000000"),
        (0 <= config.shells.floater < 1, "--floater", config.shells.floater, "0 to 1"),
        (64 <= texels <= 8192 and texels & (texels - 1) == 0, "--texels", texels, "a power of two from 64 to 8192"),
        (0 <= config.atlas.padding <= 16, "--padding", config.atlas.padding, "0 to 16"),
        (2 <= config.views.views <= 100_000, "--views", config.views.views, "2 to 100000"),
        (32 <= config.views.view_size <= 2048, "--view-size", config.views.view_size, "32 to 2048"),
        (
            0 < config.views.window <= 1 and config.views.window_size >= 16,
            "--window",
            config.views.window,
            "at most 1, and 16 pixels of --view-size or more",
        ),
        (0 <= config.views.near_share <= 1, "--near-share", config.views.near_share, "0 to 1"),
        (1 <= config.views.sub_steps <= 16, "--sub-steps", config.views.sub_steps, "1 to 16"),
        (config.distill.features in (4, 8, 12), "--features", config.distill.features, "4, 8 or 12"),
        (
            4 <= config.distill.width <= 64 and config.distill.width % 4 == 0,
            "--width",
            config.distill.width,
            "a multiple of 4 from 4 to 64",
        ),
        (config.distill.steps >= 1, "--steps", config.distill.steps, "at least 1"),
        (1 <= config.distill.batch <= 4096, "--batch", config.distill.batch, "1 to 4096"),
        (16 <= config.distill.crop <= 1024, "--crop", config.distill.crop, "16 to 1024"),
        (
            0 < config.distill.feature_rate < 1,
            "--feature-rate",
            config.distill.feature_rate,
            "more than 0, less than 1",
        ),
        (
            0 < config.distill.network_rate < 1,
            "--network-rate",
            config.distill.network_rate,
            "more than 0, less than 1",
        ),
        (0 <= config.distill.photo_steps <= 1, "--photo-steps", config.distill.photo_steps, "0 to 1"),
        (0 <= config.distill.photo_share <= 1, "--photo-share", config.distill.photo_share, "0 to 1"),
        (0 <= config.distill.alpha_weight <= 10, "--alpha-weight", config.distill.alpha_weight, "0 to 10"),
        (0 <= config.distill.structure_weight <= 10, "--structure-weight", config.distill.structure_weight, "0 to 10"),
    ]
    for holds, flag, value, expected in rules:
        if not holds:
            raise DuplexError(f"{flag} {value}: expected {expected}")
