"""Functions that parse a stranger's file in a Python of its own: whatever such a file does there ends in one sentence.

A function that C code helps (Pillow and its codecs) may crash, hang or fill the memory. :func:`apart` calls it in a
child process with limits, which answers with plain numbers: a JSON header and the bytes of an array. Nothing is
unpickled on either side. Children stay for the next call, end with this process, and are replaced when they die.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from duplex.app.core.errors import DuplexError, in_short

CHILDREN = 4  # at most, for as many threads
CALL_SECONDS = 5  # of processor time for one call
SECONDS = 60.0  # for one call by the clock, since a laptop may sleep meanwhile
MEMORY = 3 << 29  # bytes that a child takes beyond its libraries
MAX_ARRAY = 1 << 30  # bytes of a result
MAX_HEADER = 1 << 16  # bytes of its description
LENGTHS = struct.Struct("<IQ")  # bytes of a message's header and of what follows it
DTYPES = ("|u1", "<u2", "<i4", "|b1")
MAX_AXES = 4
PROGRAM = "import sys; sys.path += sys.argv[1:]; from duplex.app.core.apart_child import serve; serve()"
WATCH_SECONDS = 0.1
WINDOWLESS = 0x08000200 if sys.platform == "win32" else 0  # CREATE_NO_WINDOW and CREATE_NEW_PROCESS_GROUP
HAS_LIMITS = sys.platform.startswith("linux")  # of memory, which the child sets itself

_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


@contextlib.contextmanager
def trusting(trusted: bool) -> Iterator[None]:
    """Inside the ``with`` block, if ``trusted``, :func:`apart` calls its function in this process."""
    token = _trusting.set(_trusting.get() or trusted)
    try:
        yield
    finally:
        _trusting.reset(token)


def apart(
    function: Callable[..., Any],
    name: str,
    *arguments: Any,
    content: bytes | None = None,
    seconds: int = CALL_SECONDS,
) -> Any:
    """The result of ``function(*arguments)`` in another process; ``name``: of the file that it reads.

    ``function``: of a module, which imports no more than numpy, Pillow and PyAV; ``arguments``: JSON values;
    ``content``: bytes that precede them; ``seconds``: of processor time that the call may take, at most 60; the result:
    an array or a JSON value. Raises the :class:`DuplexError` of the function, or one that begins with ``name`` if the
    process dies, takes too long or answers nonsense.
    """
    if _trusting.get():
        return function(*([] if content is None else [content]), *arguments)
    child = _idle.get()
    try:
        child = child or _Child()
        answer = child.call(_call_of(function, arguments, content, seconds), name, content)
    except BaseException:  # an interrupt too leaves half an answer in the pipe
        if child:
            child.end()
        child = None
        raise
    finally:
        _idle.put(child)
    if isinstance(answer, DuplexError):
        raise answer
    return answer


def _call_of(function: Callable[..., Any], arguments: tuple[Any, ...], content: bytes | None, seconds: int) -> bytes:
    call = {"module": function.__module__, "function": function.__name__, "arguments": arguments, "seconds": seconds}
    return json.dumps(call | {"with_content": content is not None}).encode()


class _Child:
    """A process that serves calls one after the other."""

    def __init__(self) -> None:
        self.process = start_python(PROGRAM)

    def call(self, header: bytes, name: str, content: bytes | None) -> Any:
        watch = _Watch(self.process)
        try:
            with watch:
                send(self.process.stdin, header, content or b"")
                return self._answer()
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            self.end()
            status = f"status {self.process.returncode}" if isinstance(error, OSError | EOFError) else "a wrong answer"
            raise DuplexError(
                f"{name}: the process that read it ended ({watch.reason or status}): a damaged or hostile file: "
                "do not use it; or, if you made it, give --trusted"
            ) from None

    def _answer(self) -> Any:
        header, size = receive_header(self.process.stdout)
        if "error" in header:
            return DuplexError(in_short(str(header["error"]), MAX_HEADER))
        if "value" in header:
            return header["value"]
        shape, dtype = header["shape"], header["dtype"]
        if dtype not in DTYPES or not 1 <= len(shape) <= MAX_AXES or not all(type(x) is int and x > 0 for x in shape):
            raise ValueError("no array")
        count = 1
        for side in shape:
            count *= side
        if count * np.dtype(dtype).itemsize != size or size > MAX_ARRAY:
            raise ValueError("an array of another size")
        array = np.empty(shape, dtype)
        receive_into(self.process.stdout, array)
        return array

    def end(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


def start_python(program: str, *arguments: str, stderr: Any = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """A Python that runs ``program``, which gets folders to import from and then ``arguments``; its pipes are bytes.

    ``stderr``: where its errors go. Raises :class:`DuplexError` if it cannot be started.
    """
    folder = Path(__file__).resolve().parents[2]
    folders = [folder.parent] if folder.name == "duplex" else []  # else an editable installation, which site knows
    folders += [Path(module.__file__).parents[1] for module in (np, PIL) if module.__file__]
    try:  # out of the terminal's process group, so that Ctrl-C reaches this process alone
        return subprocess.Popen(
            [sys.executable, "-I", "-c", program, *map(str, folders), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,
            creationflags=WINDOWLESS,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # whose buffers for each core take long to reserve
        )
    except OSError as error:
        raise DuplexError(
            f"{sys.executable}: {error.strerror}: expected a Python to read files of strangers in: give --trusted to "
            "read them without"
        ) from None


class _Watch:
    """Kills a process that takes more than its time or memory inside the ``with`` block; ``reason``: which of them."""

    def __init__(self, process: subprocess.Popen[bytes]):
        self.reason = ""
        self._process = process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        step = SECONDS if HAS_LIMITS else WATCH_SECONDS
        for _ in range(round(SECONDS / step)):
            if self._done.wait(step):
                return
            if not HAS_LIMITS and _memory_of(self._process.pid) > MEMORY:
                self.reason = f"more than {MEMORY / (1 << 30):g} GiB of memory"
                self._process.kill()
                return
        self.reason = f"more than {SECONDS:g} s"
        self._process.kill()


def _memory_of(process: int) -> int:
    """Bytes of memory that the process takes; 0 if it is gone, or without psutil, which only the bake installs."""
    try:
        import psutil

        return int(psutil.Process(process).memory_info().rss)
    except Exception:  # psutil's own errors, and none of its own without it
        return 0


def send(pipe: Any, header: bytes, content: bytes | memoryview) -> None:
    """Write one message."""
    for part in (LENGTHS.pack(len(header), len(content)) + header, content):
        view = memoryview(part)
        while view:
            view = view[pipe.write(view) :]


def receive_header(pipe: Any) -> tuple[dict[str, Any], int]:
    """The header of the next message and the number of bytes that follow; raises EOFError or ValueError."""
    lengths = bytearray(LENGTHS.size)
    receive_into(pipe, lengths)
    length, size = LENGTHS.unpack(lengths)
    if length > MAX_HEADER:
        raise ValueError("too long a header")
    text = bytearray(length)
    receive_into(pipe, text)
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("no header")
    return header, size


def receive_into(pipe: Any, target: Any) -> None:
    """Fill ``target`` from the pipe; raises EOFError where that ends."""
    view = memoryview(target).cast("B")
    while view:
        count = pipe.readinto(view)
        if not count:
            raise EOFError
        view = view[count:]


_idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()  # the child used last comes first
for _ in range(CHILDREN):
    _idle.put(None)


@atexit.register
def _end_all() -> None:
    while not _idle.empty():
        child = _idle.get_nowait()
        if child:
            child.end()
