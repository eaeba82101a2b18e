"""Where every command starts: nothing of the current folder is run, and signals are answered from the beginning."""

from __future__ import annotations

import os
import sys


def viewer() -> int:
    """``duplex-viewer``."""
    return run("duplex.app.tools.cli")


def run(module: str, extra: str = "") -> int:
    """Load a command's module and call its ``main``; returns the exit status.

    ``extra``: of this package, which holds what the module imports; one sentence says so where it is missing.
    """
    leave_out_current_folder()  # before anything is imported
    import importlib
    import warnings

    from duplex.app.core import interrupts

    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # those of libraries tell users nothing; python -W shows them
    interrupts.install()
    try:
        main = importlib.import_module(module).main
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not extra or missing in ("", "duplex"):
            raise
        from duplex.app.core.package import installing_extra

        remedy = installing_extra(extra)
        print(f"error: {missing} is not installed, which this command needs: {remedy}", file=sys.stderr)
        return 2
    return interrupts.interruptible(main)


def leave_out_current_folder() -> None:
    """Search no modules and no programs in the current folder, here and in what this process starts.

    It may hold a stranger's files. ``python -m`` names it, and so do relative or empty entries of ``PYTHONPATH``.
    """
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    strange = {_real(x) for x in (os.curdir, *(x for x in named if not os.path.isabs(x)))}
    installed = sys.prefix, sys.base_prefix  # no stranger's, wherever the user is
    sys.path[:] = [x for x in sys.path if x.startswith(installed) or _real(x) not in strange]
    os.environ["PYTHONPATH"] = os.pathsep.join(x for x in named if _real(x) not in strange)
    os.environ["PYTHONSAFEPATH"] = "1"
    if "PATH" in os.environ:
        programs = os.environ["PATH"].split(os.pathsep)
        os.environ["PATH"] = os.pathsep.join(x for x in programs if os.path.isabs(x.strip('"')))
    os.environ["NODEFAULTCURRENTDIRECTORYINEXEPATH"] = "1"  # Windows knows names of variables in any case


def _real(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except OSError:  # the current folder is gone
        return folder


if __name__ == "__main__":
    sys.exit(viewer())
