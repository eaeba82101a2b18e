"""This package: its version, and the command that installs what it lacks, with the interpreter that runs."""

from __future__ import annotations

import re
import shlex
import sys
from importlib import metadata

PACKAGE = "duplex-radiance"
EXTRA = re.compile(r"""extra == ["']([\w-]+)["']""")
PLATFORM = re.compile(r"""sys_platform (==|!=) ["'](\w+)["']""")


def version() -> str:
    """The version that is installed, "unknown" where that is not recorded."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"


def installing(*names: str) -> str:
    """The command that installs the packages of these ``names``."""
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", *names])


def installing_extra(extra: str) -> str:
    """The command that installs what an ``extra`` of this package needs on this system."""
    try:
        stated = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        stated = []
    return installing(*(requirements(stated, extra) or [f"{PACKAGE}[{extra}]"]))


def requirements(stated: list[str], extra: str) -> list[str]:
    """Those of the requirements ``stated`` in a package's metadata which ``extra`` adds on this system."""
    found = []
    for line in stated:
        requirement, _, marker = line.partition(";")
        platform = PLATFORM.search(marker)
        fits = platform is None or (sys.platform == platform[2]) == (platform[1] == "==")
        if fits and extra in EXTRA.findall(marker):
            found.append(requirement.strip())
    return found
