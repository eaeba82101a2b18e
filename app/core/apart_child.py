"""The other end of :mod:`duplex.app.core.apart`: a process that calls functions and answers with plain numbers."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from duplex.app.core.apart import HAS_LIMITS, MEMORY, receive_header, receive_into, send
from duplex.app.core.errors import DuplexError


def serve() -> None:
    """Answer calls until the pipe closes."""
    calls = os.fdopen(os.dup(0), "rb", 0)
    answers = os.fdopen(os.dup(1), "wb", 0)
    for number in (0, 1):  # whatever a library prints goes nowhere
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    _limit_memory()
    try:
        while True:
            _serve_one(calls, answers)
    except (EOFError, BrokenPipeError):
        return


def _serve_one(calls: Any, answers: Any) -> None:
    call, size = receive_header(calls)
    content = bytearray(size)
    receive_into(calls, content)
    _limit_time(call["seconds"])
    arguments = [bytes(content), *call["arguments"]] if call["with_content"] else call["arguments"]
    try:
        function = getattr(importlib.import_module(call["module"]), call["function"])
        result = function(*arguments)
    except DuplexError as error:
        result = error
    if isinstance(result, np.ndarray):
        array = np.ascontiguousarray(result)
        header = {"shape": array.shape, "dtype": array.dtype.str}
        send(answers, json.dumps(header).encode(), array.data.cast("B"))
        return
    header = {"error": str(result)} if isinstance(result, DuplexError) else {"value": result}
    send(answers, json.dumps(header).encode(), b"")


def _limit_memory() -> None:
    """Limit what this process takes beyond its libraries, where the system can; elsewhere the parent watches."""
    if not HAS_LIMITS:
        return
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit if most == resource.RLIM_INFINITY else min(limit, most), most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _limit_time(most_seconds: int) -> None:
    """Set the processor time that the next call may take, where the system counts it; the parent has a clock too."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + most_seconds
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if most == resource.RLIM_INFINITY or seconds < most:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, most))
