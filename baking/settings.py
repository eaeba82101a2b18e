"""Command lines made from dataclasses: a flag for every field, its comment as the flag's help."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
from collections.abc import Mapping
from typing import Any, TypeVar

Config = TypeVar("Config")


def add_flags(parser: argparse.ArgumentParser, config_type: type, preset: str) -> None:
    """A flag for every field of every stage of ``config_type``, a dataclass of dataclasses.

    Fields that are tuples have none. ``preset``: name of the one that the stages' own defaults are.
    """
    for stage in dataclasses.fields(config_type):
        config = _default(stage)
        group = parser.add_argument_group(stage.name, (type(config).__doc__ or "").strip())
        comments = _comments(type(config))
        for setting in dataclasses.fields(config):
            default = getattr(config, setting.name)
            if isinstance(default, tuple):
                continue
            group.add_argument(
                f"--{setting.name.replace('_', '-')}",
                type=type(default),
                metavar=type(default).__name__,
                help=f"{comments.get(setting.name, '')} [{preset}: {default}]",
            )


def given_settings(arguments: argparse.Namespace, config_type: type) -> dict[str, Any]:
    """The flags of :func:`add_flags` that were given, by the names of the stages' fields."""
    names = names_of(config_type)
    return {name: value for name, value in vars(arguments).items() if name in names and value is not None}


def names_of(config_type: type) -> frozenset[str]:
    """The names of all settings: the fields of every stage of ``config_type``."""
    stages = (_default(stage) for stage in dataclasses.fields(config_type))
    return frozenset(setting.name for stage in stages for setting in dataclasses.fields(stage))


def filled(config_type: type[Config], preset: Mapping[str, Any], given: Mapping[str, Any]) -> Config:
    """The stages' defaults, ``preset`` on top of them, and on top of that the settings that were ``given``."""
    stages = {}
    for stage in dataclasses.fields(config_type):  # type: ignore[arg-type]
        config = _default(stage)
        names = [setting.name for setting in dataclasses.fields(config)]
        values = {n: preset[n] for n in names if n in preset} | {n: given[n] for n in names if n in given}
        stages[stage.name] = dataclasses.replace(config, **values)
    return config_type(**stages)


def _default(stage: dataclasses.Field[Any]) -> Any:
    assert stage.default_factory is not dataclasses.MISSING
    return stage.default_factory()


def _comments(config: type) -> dict[str, str]:
    """The comment behind each field of a dataclass, from its source."""
    return dict(re.findall(r"^    (\w+): [^#\n]*?# (.+)$", inspect.getsource(config), re.MULTILINE))
