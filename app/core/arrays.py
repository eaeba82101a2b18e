"""The numpy array type that signatures use. Docstrings give shape and dtype."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
