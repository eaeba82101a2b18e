"""An OpenGL context without a window, with a small cache of renderers."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from duplex.app.render.backends.names import AUTO
from duplex.app.render.gpu import create_headless_context, describe
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle

MAX_RENDERERS = 4
_of_thread = threading.local()


class RenderContext:
    """An OpenGL context for rendering without a window. It caches the renderers of the last 4 bundles.

    Only the thread that created a context may use it. Use it in a ``with`` block or call :meth:`close`; otherwise it
    lives until the program ends. Raises :class:`~duplex.app.core.errors.DuplexError` if OpenGL 3.3 is not available.
    """

    def __init__(self) -> None:
        self.gl = create_headless_context()
        self._renderers: list[tuple[str, Renderer]] = []

    @property
    def driver(self) -> str:
        """Renderer and version of the OpenGL driver."""
        return describe(self.gl)

    def renderer(self, bundle: Bundle, backend: str = AUTO) -> Renderer:
        """The renderer of ``bundle`` with ``backend``, created at the first request for this :class:`Bundle` object."""
        for i, (name, renderer) in enumerate(self._renderers):
            if renderer.bundle is bundle and name == backend:
                self._renderers.append(self._renderers.pop(i))
                return renderer
        with self.gl:
            renderer = Renderer(self.gl, bundle, backend)
        self._renderers = [*self._renderers, (backend, renderer)][-MAX_RENDERERS:]
        return renderer

    def close(self) -> None:
        """Release the context and all its resources."""
        self._renderers.clear()
        self.gl.gc_mode = None  # type: ignore[assignment]  # objects die with the context and must not be released later
        self.gl.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def default_context() -> RenderContext:
    """The context of the calling thread, created at the first request."""
    if not hasattr(_of_thread, "context"):
        _of_thread.context = RenderContext()
    context: RenderContext = _of_thread.context
    return context
