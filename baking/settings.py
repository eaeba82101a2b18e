"""Settings declared once, beside their fields: default, help and range; command lines are made from them.

The command lines stay with argparse: ``--help`` and the viewer start at once, and no library deletes more code than it
costs in start-up time here.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import numbers
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from duplex.app.core.errors import DuplexError

Config = TypeVar("Config")
Presets = Mapping[str, Mapping[str, Any]]
_RANGE, _HELP = "range", "help"


@dataclass(frozen=True)
class Range:
    """The values that a setting takes: from ``low`` to ``high``, without these where ``is_open``.

    ``choices``: the only values; ``multiple_of``, ``power_of_two``: which of those between.
    """

    low: float | None = None
    high: float | None = None
    is_open: bool = False
    choices: tuple[float, ...] = ()
    multiple_of: int = 1
    power_of_two: bool = False

    def holds(self, value: float) -> bool:
        """Whether ``value`` is one of them; NaN never is."""
        if self.choices:
            return value in self.choices
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        if not (low < value < high if self.is_open else low <= value <= high):
            return False
        if self.power_of_two:
            return int(value) & (int(value) - 1) == 0
        return self.multiple_of == 1 or value % self.multiple_of == 0

    def __str__(self) -> str:
        if self.choices:
            *first, last = self.choices
            return f"{', '.join(map(str, first))} or {last}"
        if self.high is None:
            return f"at least {self.low}"
        if self.is_open:
            return f"more than {self.low}, less than {self.high}"
        span = f"{self.low} to {self.high}"
        if self.power_of_two:
            return f"a power of two from {span}"
        return span if self.multiple_of == 1 else f"a multiple of {self.multiple_of} from {span}"


def setting(default: Any, text: str, **limits: Any) -> Any:
    """A dataclass field with its ``default``, its help ``text`` and, as ``limits``, the members of :class:`Range`."""
    return dataclasses.field(default=default, metadata={_HELP: text, _RANGE: Range(**limits)})


def checked_presets(config_type: type, presets: Presets) -> Presets:
    """``presets``; raises ValueError for a key that is no setting of ``config_type``."""
    names = names_of(config_type)
    for preset, values in presets.items():
        if unknown := set(values) - names:
            raise ValueError(f"preset {preset}: {', '.join(sorted(unknown))}: no such setting")
    return presets


def check_ranges(config: Any) -> None:
    """Raise :class:`DuplexError` for a setting of any stage of ``config`` that is out of its range."""
    for stage in dataclasses.fields(config):
        values = getattr(config, stage.name)
        for field in dataclasses.fields(values):
            value = getattr(values, field.name)
            allowed = field.metadata.get(_RANGE)
            if allowed and not allowed.holds(value):
                raise DuplexError(f"{flag_of(field.name)} {value}: expected {allowed}")


def as_number(name: str, value: Any, kind: type) -> Any:
    """``value`` of the setting ``name`` as ``kind``, int or float; raises :class:`DuplexError` for anything else.

    Command lines give the right type; this is for callers from Python, whose numbers may be those of numpy.
    """
    expected = numbers.Integral if kind is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, expected):
        words = "a whole number" if kind is int else "a number"
        raise DuplexError(f"{flag_of(name)} {value!r:.60}: expected {words}")
    return kind(value)


def flag_of(name: str) -> str:
    """The flag of the setting ``name``."""
    return f"--{name.replace('_', '-')}"


def add_flags(parser: argparse.ArgumentParser, config_type: type, preset: str) -> None:
    """A flag for every setting of every stage of ``config_type``, a dataclass of dataclasses.

    ``preset``: name of the one that the stages' own defaults are.
    """
    for name, config in _stages(config_type):
        group = parser.add_argument_group(name, (type(config).__doc__ or "").strip())
        for field in dataclasses.fields(config):
            if _HELP not in field.metadata:
                continue
            kind = type(field.default)
            text = f"{field.metadata[_HELP]} [{preset}: {field.default}]"
            group.add_argument(flag_of(field.name), type=kind, metavar=kind.__name__, help=text)


def given_settings(arguments: argparse.Namespace, config_type: type) -> dict[str, Any]:
    """The flags of :func:`add_flags` that were given, by the names of their settings."""
    names = names_of(config_type)
    return {name: value for name, value in vars(arguments).items() if name in names and value is not None}


def names_of(config_type: type) -> frozenset[str]:
    """The names of all settings: the fields of every stage of ``config_type`` that :func:`setting` declares."""
    return frozenset(
        field.name
        for _, stage in _stages(config_type)
        for field in dataclasses.fields(stage)
        if _HELP in field.metadata
    )


def check_names(given: Mapping[str, Any], names: frozenset[str]) -> None:
    """Raise :class:`DuplexError` for a setting that is none of ``names``."""
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), 1)
            remedy = f": did you mean {near[0]}?" if near else ": see the settings in docs/api.md"
            raise DuplexError(f"{name}={given[name]!r:.60}: no such setting{remedy}")


def configured(config_type: type[Config], presets: Presets, quality: str, given: Mapping[str, Any]) -> Config:
    """The stages' defaults, the preset ``quality`` on top of them, and on top of that the settings that were ``given``.

    Raises :class:`DuplexError` for an unknown preset and for a value of another type or out of its range.
    """
    if quality not in presets:
        raise DuplexError(f"quality {quality!r:.40}: expected {', '.join(presets)}")
    preset = presets[quality]
    stages = {}
    for stage, config in _stages(config_type):
        kinds = {field.name: type(field.default) for field in dataclasses.fields(config)}
        values = {name: preset[name] for name in kinds if name in preset}
        values |= {name: as_number(name, given[name], kind) for name, kind in kinds.items() if name in given}
        stages[stage] = dataclasses.replace(config, **values)
    config = config_type(**stages)
    check_ranges(config)
    return config


def _stages(config_type: type) -> Iterator[tuple[str, Any]]:
    """The name and the defaults of each stage."""
    for stage in dataclasses.fields(config_type):
        assert stage.default_factory is not dataclasses.MISSING
        yield stage.name, stage.default_factory()
