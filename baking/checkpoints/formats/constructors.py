"""What pickles of torch, numpy and Python itself call, as values: tensors and arrays by reference, plain containers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from duplex.baking.checkpoints.formats.values import (
    ARRAY,
    BFLOAT16,
    DTYPES,
    MAX_AXES,
    Broken,
    InMemory,
    Instance,
    Name,
    Numbers,
    Storage,
)

STORAGES = {
    "Half": "f2", "BFloat16": BFLOAT16, "Float": "f4", "Double": "f8", "Char": "i1", "Short": "i2", "Int": "i4",
    "Long": "i8", "Byte": "u1", "Bool": "b1",
}  # fmt: skip
OTHER_SIZES = {"ComplexFloat": 8, "ComplexDouble": 16, "QInt8": 1, "QUInt8": 1, "QInt32": 4}
UNTYPED = "torch.storage.UntypedStorage"
TORCH_DTYPES = {
    "float16": "f2", "half": "f2", "bfloat16": BFLOAT16, "float32": "f4", "float": "f4", "float64": "f8",
    "double": "f8", "int8": "i1", "int16": "i2", "short": "i2", "int32": "i4", "int": "i4", "int64": "i8",
    "long": "i8", "uint8": "u1", "uint16": "u2", "uint32": "u4", "uint64": "u8", "bool": "b1",
}  # fmt: skip
NUMPY_DTYPE = re.compile(r"([<>|=]?)([fiub])(\d)|([<>|=]?)([OUSV])(\d{0,4})")
MAX_TEXT = 4096  # characters of a text in a numpy array
EXACT = frozenset(
    {
        *("collections.OrderedDict", "collections.defaultdict", "collections.Counter", "collections.deque"),
        *("numpy.ndarray", "numpy.dtype", "_codecs.encode", "copyreg._reconstructor", "copy_reg._reconstructor"),
        *("torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer", "torch.Tensor"),
        *("torch.serialization._get_layout", "torch._tensor._rebuild_from_type_v2", UNTYPED),
        *("mmcv.utils.config.ConfigDict", "pytorch_lightning.utilities.parsing.AttributeDict"),
        *("lightning.pytorch.utilities.parsing.AttributeDict", "lightning_fabric.utilities.data.AttributeDict"),
        "lightning.fabric.utilities.data.AttributeDict",
        *("argparse.Namespace", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib.Path"),
        *("pathlib._local.PosixPath", "pathlib._local.WindowsPath"),
    }
)
FAMILIES = re.compile(
    r"torch\.(cuda\.)?\w{1,20}Storage|torch\._utils\._rebuild_\w{1,60}"
    r"|numpy\.(core|_core)\.(multiarray\.(_reconstruct|scalar)|numeric\._frombuffer)"
    r"|numpy\.dtypes\.\w{1,40}|torch\.(float|double|half|bfloat|int|uint|long|short|bool|complex|q|strided|sparse)\w{0,20}"
    r"|(__builtin__|builtins)\.(set|frozenset|list|dict|tuple|complex|bytearray|bytes|slice|object|int|float|str|bool)"
)
CONTAINERS = ("set", "frozenset", "list", "tuple")


def is_known(name: str) -> bool:
    """Whether every file may mention the class or function ``name``, since training code of all kinds does."""
    return name in EXACT or FAMILIES.fullmatch(name) is not None


def made(called: Any, arguments: Any) -> Any:
    """What calling ``called`` with the list ``arguments`` stands for: a value, or the instance of a class."""
    if not isinstance(called, Name) or not isinstance(arguments, list):
        raise Broken("a call of what is no class")
    name = called.text.replace("__builtin__.", "builtins.").replace("numpy._core.", "numpy.core.")
    if name.startswith("torch._utils._rebuild_") and name.removeprefix("torch._utils._rebuild_") in REBUILDERS:
        return REBUILDERS[name.removeprefix("torch._utils._rebuild_")](*arguments)
    if name in MAKERS:
        return MAKERS[name](*arguments)
    return Instance(called.text, arguments)


def set_state(made_of: Any, state: Any) -> None:
    """Give the pickled ``state`` to what :func:`made` returned: an instance's members, an array's numbers."""
    if not isinstance(made_of, Instance):
        if not isinstance(made_of, (dict, list, Numbers)):  # those have attributes, which nobody asks for
            raise Broken("a state for what has none")
    elif made_of.name in (ARRAY, "numpy.dtype"):
        _set_numpy_state(made_of, state)
    else:
        if isinstance(state, list) and len(state) == 2 and isinstance(state[1], dict):  # of __slots__
            state = {**(state[0] if isinstance(state[0], dict) else {}), **state[1]}
        if isinstance(made_of.state, dict) and isinstance(state, dict):
            made_of.state.update(state)
        elif made_of.state is None:
            made_of.state = state


def storage_dtype(name: Name) -> tuple[str, int]:
    """The type and the bytes of an element in torch's storage class ``name``; the type is empty where unreadable."""
    kind = name.text.removeprefix("torch.").removeprefix("cuda.").removesuffix("Storage")
    if kind in STORAGES:
        code = STORAGES[kind]
        return code, 2 if code == BFLOAT16 else int(code[1])
    if name.text == UNTYPED:
        return "u1", 1
    if kind in OTHER_SIZES:
        return kind, OTHER_SIZES[kind]
    raise Broken(f"a storage of {kind}")


class TypedStorage:
    """A storage of torch and the type of its elements."""

    def __init__(self, storage: Storage, dtype: str, big_endian: bool = False):
        self.storage = storage
        self.dtype = dtype
        self.big_endian = big_endian

    def tensor(self, offset: Any, shape: Any, strides: Any, dtype: str | None = None) -> Numbers:
        """A tensor in this storage."""
        if not isinstance(shape, list) or not isinstance(strides, list) or max(len(shape), len(strides)) > MAX_AXES:
            raise Broken("a tensor whose shape is no short list")
        dtype = self.dtype if dtype is None else dtype
        return Numbers(self.storage, dtype, tuple(shape), tuple(strides), offset, self.big_endian)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Numbers:
    if not isinstance(storage, TypedStorage):
        raise Broken("a tensor without a storage")
    return storage.tensor(offset, shape, strides)


def _tensor_of_dtype(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Numbers:
    if not isinstance(storage, TypedStorage) or len(rest) < 3 or not isinstance(rest[2], Name):
        raise Broken("a tensor without a storage or a type")
    return storage.tensor(offset, shape, strides, TORCH_DTYPES.get(rest[2].text.removeprefix("torch."), rest[2].text))


def _parameter(data: Any, *_: Any) -> Any:
    return data


REBUILDERS: dict[str, Callable[..., Any]] = {
    "tensor": _tensor,
    "tensor_v2": _tensor,
    "tensor_v3": _tensor_of_dtype,
    "parameter": _parameter,
    "parameter_with_state": _parameter,
}


def _dictionary(*arguments: Any) -> dict[Any, Any]:
    """An empty dictionary, or one of the pairs that Python 2 gives to its constructor."""
    made_of: dict[Any, Any] = {}
    pairs = arguments[0] if arguments and isinstance(arguments[0], list) else []
    for pair in pairs:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], (str, int)):
            made_of[pair[0]] = pair[1]
    return made_of


def _container(*arguments: Any) -> list[Any]:
    return arguments[0] if arguments and isinstance(arguments[0], list) else []


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """``_codecs.encode``, as pickles of protocol 2 hold bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise Broken("bytes that are no text of latin1")
    return text.encode("latin1")


def _from_type(called: Any, _type: Any, arguments: Any, *_: Any) -> Any:
    return made(called, arguments)


def _array(*_: Any) -> Instance:
    return Instance(ARRAY)


def _dtype(*arguments: Any) -> Instance:
    if not arguments or not isinstance(arguments[0], str) or not NUMPY_DTYPE.fullmatch(arguments[0]):
        raise Broken("a type of numbers that duplex does not read")
    return Instance("numpy.dtype", [arguments[0]])


def _scalar(dtype: Any, content: Any = b"", *_: Any) -> Any:
    """A number of numpy as a number of Python."""
    if _code_of(dtype).startswith("O"):
        return content
    value = array_of(dtype, [], False, content[: 4 * MAX_TEXT] if isinstance(content, (str, bytes)) else content)
    return value.array().item() if isinstance(value, Numbers) else value


def _set_numpy_state(made_of: Instance, state: Any) -> None:
    """Complete a dtype or an array in its place, because the file may name it again."""
    if not isinstance(state, list):
        raise Broken("an array without a state")
    if made_of.name == "numpy.dtype":  # (version, order of bytes, ...)
        order = state[1] if len(state) > 1 and state[1] in ("<", ">", "|", "=") else "|"
        made_of.arguments = [order + _code_of(made_of)]
        return
    if len(state) != 5:
        raise Broken("an array without its five parts")
    _, shape, dtype, fortran, content = state
    made_of.state = array_of(dtype, shape, fortran, content)


def _code_of(dtype: Any) -> str:
    """The code of a pickled numpy dtype, without the order of bytes."""
    if not isinstance(dtype, Instance) or dtype.name != "numpy.dtype":
        raise Broken("an array without a type")
    return str(dtype.arguments[0]).lstrip("<>|=")


def array_of(dtype: Any, shape: Any, fortran: Any, content: Any) -> Any:
    """The array of a pickled dtype, shape and bytes; text and lists of objects come as such.

    An array of objects is a list, whatever its shape.
    """
    code = _code_of(dtype)
    if not isinstance(shape, list) or len(shape) > MAX_AXES:
        raise Broken("an array of impossible shape")
    if not all(type(side) is int and side >= 0 for side in shape):
        raise Broken("an array of impossible shape")
    if code.startswith("O"):
        if not isinstance(content, list) or len(content) != math.prod(shape):
            raise Broken("an array of objects without its objects")
        return content
    content = content.encode("latin1") if isinstance(content, str) else content  # pickled by Python 2
    if not isinstance(content, bytes):
        raise Broken("an array without its bytes")
    big_endian = str(dtype.arguments[0]).startswith(">")
    if code[0] in "US":
        return text_of(code, content, big_endian)
    if code not in DTYPES:
        raise Broken(f"an array of {code}")
    return Numbers.dense(InMemory(content), code, tuple(shape), fortran=fortran is True, big_endian=big_endian)


def text_of(code: str, content: bytes, big_endian: bool) -> str:
    """The text in the bytes of a numpy array of one text, of type U or S; raises :class:`Broken`."""
    if len(content) > 4 * MAX_TEXT:
        raise Broken("a text of too many characters")
    encoding = "latin1" if code.startswith("S") else "utf-32-be" if big_endian else "utf-32-le"
    return content.decode(encoding, errors="replace").rstrip("\0")


MAKERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.defaultdict": lambda *_: {},
    "collections.deque": _container,
    "builtins.dict": _dictionary,
    "torch.Size": _container,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "_codecs.encode": _encoded,
    "copyreg._reconstructor": lambda called, *_: made(called, []),
    "copy_reg._reconstructor": lambda called, *_: made(called, []),
    "numpy.core.multiarray._reconstruct": _array,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": lambda content, dtype, shape, order="C": array_of(
        dtype, shape, order == "F", content
    ),
    "numpy.dtype": _dtype,
    **{f"builtins.{name}": _container for name in CONTAINERS},
    **{name: _dictionary for name in sorted(EXACT) if name.endswith(("AttributeDict", "ConfigDict"))},
}
