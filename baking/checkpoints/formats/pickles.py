"""Pickles as plain data: opcodes are interpreted, and no class or function that a file names is imported or called.

The opcodes are split by :mod:`pickletools`. What calls the constructors of tensors, arrays and containers that
:mod:`duplex.baking.checkpoints.formats.constructors` knows becomes their value; every other call becomes an
:class:`~duplex.baking.checkpoints.formats.values.Instance`, a name and a state.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, Protocol

from duplex.baking.checkpoints.formats import constructors
from duplex.baking.checkpoints.formats.budget import Budget
from duplex.baking.checkpoints.formats.values import Broken, Instance, Name, Refused

MAX_WHOLE_BITS = 512
MAX_NAME = 400
MARK = object()  # lies on the stack below what the next collecting opcode takes

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_TUPLE": list, "EMPTY_DICT": dict, "EMPTY_SET": list}
COLLECTIONS = {"LIST": list, "TUPLE": list, "FROZENSET": list}
SHORT_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IGNORED = ("PROTO", "FRAME", "READONLY_BUFFER")
ARGUMENTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}


class Stream(Protocol):
    """Where pickles come from."""

    def read(self, count: int, /) -> bytes:
        """At most ``count`` bytes."""
        ...

    def readline(self) -> bytes:
        """A line."""
        ...


class Unpickler:
    """Reads one pickle after the other from ``stream``.

    ``allowed``: the names of classes and functions that the file may mention, see :func:`constructors.is_known` for
    those that every file may; ``persistent``: what a persistent id stands for.
    """

    def __init__(
        self,
        stream: Stream | bytes,
        budget: Budget,
        allowed: frozenset[str] = frozenset(),
        persistent: Callable[[Any], Any] | None = None,
    ):
        self.stream = stream
        self.budget = budget
        self.allowed = allowed
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The next pickle's value.

        Raises :class:`Broken`, :class:`Refused` for a name that is not allowed, and :class:`DuplexError` where the
        budget ends.
        """
        self.stack = []
        self.memo = {}
        try:
            for opcode, argument, _ in pickletools.genops(self.stream):  # type: ignore[arg-type]  # needs no more of a file than Stream has
                self.budget.step()
                if opcode.name == "STOP":
                    return self._pop()
                self._run(opcode.name, argument)
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise Broken(str(error)) from None
        raise Broken("a pickle without an end")

    def _run(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ARGUMENTS:
            stack.append(_plain(argument))
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(self.memo[int(argument)])
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self.memo[int(argument)] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name == "MARK":
            stack.append(MARK)
        elif name in SHORT_TUPLES:
            count = SHORT_TUPLES[name]
            stack.append([self._pop() for _ in range(count)][::-1])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name])
        elif name in COLLECTIONS:
            stack.append(COLLECTIONS[name](self._marked()))
        elif name not in IGNORED:
            self._run_other(name, argument)

    def _run_other(self, name: str, argument: Any) -> None:
        """The opcodes that change what is there already, or name something."""
        stack = self.stack
        if name in ("SETITEM", "SETITEMS"):
            items = self._marked() if name == "SETITEMS" else [self._pop() for _ in range(2)][::-1]
            _set_items(stack[-1], items)
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            items = [self._pop()] if name == "APPEND" else self._marked()
            _extend(stack[-1], items)
        elif name == "DICT":
            items = self._marked()
            stack.append({})
            _set_items(stack[-1], items)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            module, called = argument.split(" ", 1) if name == "GLOBAL" else (self._pop() for _ in range(2))
            pair = (module, called) if name == "GLOBAL" else (called, module)
            stack.append(self._name(*pair))
        elif name in ("POP", "DUP", "POP_MARK"):
            self._drop_or_double(name)
        elif name in ("BINPERSID", "PERSID"):
            if self.persistent is None:
                raise Broken("a persistent id")
            stack.append(self.persistent(self._pop() if name == "BINPERSID" else argument))
        else:
            self._run_call(name, argument)

    def _run_call(self, name: str, argument: Any) -> None:
        """The opcodes that would make objects: constructors of known names make values, others instances."""
        stack = self.stack
        if name in ("REDUCE", "NEWOBJ"):
            arguments = self._pop()
            stack.append(self._made(self._pop(), arguments))
        elif name == "NEWOBJ_EX":
            self._pop()  # arguments by keyword
            arguments = self._pop()
            stack.append(self._made(self._pop(), arguments))
        elif name == "OBJ":
            called, *arguments = self._marked()
            stack.append(self._made(called, arguments))
        elif name == "INST":
            arguments = self._marked()
            stack.append(self._made(self._name(*argument.split(" ", 1)), arguments))
        elif name == "BUILD":
            state = self._pop()
            self.budget.step(len(state) if isinstance(state, (dict, list)) else 0)
            constructors.set_state(stack[-1], state)
        else:
            raise Broken(f"the opcode {name}")

    def _made(self, called: Any, arguments: Any) -> Any:
        made = constructors.made(called, arguments)
        if isinstance(made, (bytes, str)):
            self.budget.hand_out(len(made))
        elif isinstance(made, dict):
            self.budget.step(len(made))
        return made

    def _name(self, module: Any, called: Any) -> Name:
        if not isinstance(module, str) or not isinstance(called, str) or len(module) + len(called) > MAX_NAME:
            raise Broken("a class whose name is no short text")
        name = f"{module}.{called}"
        if name not in self.allowed and not constructors.is_known(name):
            raise Refused(name)
        return Name(name)

    def _drop_or_double(self, name: str) -> None:
        if name == "POP":
            self.stack.pop()
        elif name == "POP_MARK":
            self._marked()
        else:
            self.stack.append(self.stack[-1])

    def _pop(self) -> Any:
        value = self.stack.pop()
        if value is MARK:
            raise Broken("a mark in the place of a value")
        return value

    def _marked(self) -> list[Any]:
        """What lies above the topmost mark, which goes too."""
        items = []
        while (value := self.stack.pop()) is not MARK:
            items.append(value)
        return items[::-1]


def _plain(argument: Any) -> Any:
    if isinstance(argument, int) and argument.bit_length() > MAX_WHOLE_BITS:
        raise Broken("a whole number of too many digits")
    return bytes(argument) if isinstance(argument, bytearray) else argument


def _set_items(target: Any, items: list[Any]) -> None:
    """Add keys and values by turns; keys that are neither text nor numbers go by their name, or not at all."""
    if isinstance(target, Instance):  # a class of dictionaries
        target.state = target.state if isinstance(target.state, dict) else {}
        target = target.state
    if not isinstance(target, dict) or len(items) % 2:
        raise Broken("items for what is no dictionary")
    for key, value in zip(items[::2], items[1::2], strict=True):
        key = key.text if isinstance(key, Name) else key
        if isinstance(key, (str, int)):
            target[key] = value


def _extend(target: Any, items: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(items)
    elif not isinstance(target, Instance):
        raise Broken("elements for what is no list")
