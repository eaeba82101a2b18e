"""Keeps the scripts of a checkout out of the wheel: the repository's root is the package ``duplex``."""

from __future__ import annotations

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """``build_py`` without the scripts of a checkout."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:  # noqa: D102
        found = super().find_package_modules(package, package_dir)
        return [module for module in found if package != "duplex" or module[1] == "__init__"]


setup(cmdclass={"build_py": BuildPy})
