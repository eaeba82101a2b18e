"""Settings know their ranges; presets and flags are made from them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import pytest

from duplex.app.core.errors import DuplexError
from duplex.baking.config import PRESETS, BakeConfig, bake_config
from duplex.baking.settings import add_flags, checked_presets, given_settings, setting
from duplex.baking.training import config as training


@dataclass(frozen=True)
class Stage:
    """A stage."""

    sides: int = setting(4, "how many sides", low=4, high=64, multiple_of=4)
    share: float = setting(0.5, "a share", low=0, high=1, is_open=True)


@dataclass(frozen=True)
class Everything:
    """All stages."""

    stage: Stage = field(default_factory=Stage)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("grid", 8, "--grid 8: expected 16 to 1024"),
        ("texels", 500, "--texels 500: expected a power of two from 64 to 4096"),
        ("features", 6, "--features 6: expected 4, 8 or 12"),
        ("width", 6, "--width 6: expected a multiple of 4 from 4 to 64"),
        ("steps", 0, "--steps 0: expected at least 1"),
        ("bracketing", 1.0, "--bracketing 1.0: expected more than 0, less than 1"),
        ("bracketing", float("nan"), "--bracketing nan: expected more than 0, less than 1"),
        ("inner_opacity", 0.02, "--inner-opacity 0.02: expected more than --outer-opacity 0.03"),
        ("window", 0.01, "--window 0.01: expected at most 1, and 16 pixels"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_flag(name: str, value: float, words: str) -> None:
    with pytest.raises(DuplexError) as error:
        bake_config("draft", {name: value})
    assert str(error.value).startswith(words)


def test_settings_lie_on_top_of_the_preset() -> None:
    high = bake_config("high", {"grid": 64})
    assert high.density.grid == 64 and high.atlas.texels == PRESETS["high"]["texels"]
    assert bake_config("draft", {}) == BakeConfig()
    with pytest.raises(DuplexError, match="expected draft, standard, high"):
        bake_config("best", {})


def test_the_first_grid_is_no_finer_than_the_last() -> None:
    with pytest.raises(DuplexError, match="--first-voxels 65: expected 8 to 64"):
        training.train_config("draft", {"voxels": 64, "first_voxels": 65})


def test_a_misspelt_preset_is_an_error() -> None:
    with pytest.raises(ValueError, match="preset quick: shares: no such setting"):
        checked_presets(Everything, {"quick": {"shares": 0.5}})


def test_flags_carry_help_and_give_what_was_typed() -> None:
    parser = argparse.ArgumentParser()
    add_flags(parser, Everything, "draft")
    assert "how many sides [draft: 4]" in parser.format_help()
    assert given_settings(parser.parse_args(["--share", "0.25"]), Everything) == {"share": 0.25}
