"""An OpenGL context without a window, and the renderers that were made in it."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from duplex.app.render.backends.names import AUTO
from duplex.app.render.gpu import create_headless_context, describe
from duplex.app.render.renderer import Renderer
from duplex.app.scene.bundle import Bundle

RENDERERS_KEPT = 4
_of_thread = threading.local()


class RenderContext:
    """Draws bundles without a window; the renderers of the last few bundles are kept between calls.

    A context belongs to the thread that made it. Use it in a ``with`` block or call :meth:`close`; without either it
    lives as long as the program. Raises :class:`~duplex.app.core.errors.DuplexError` where there is no OpenGL 3.3.
    """

    def __init__(self) -> None:
        self.gl = create_headless_context()
        self._renderers: list[tuple[str, Renderer]] = []

    @property
    def driver(self) -> str:
        """Renderer and version of the OpenGL driver."""
        return describe(self.gl)

    def renderer(self, bundle: Bundle, backend: str = AUTO) -> Renderer:
        """The renderer of ``bundle`` with ``backend``; made when this very object is first asked for."""
        for i, (name, renderer) in enumerate(self._renderers):
            if renderer.bundle is bundle and name == backend:
                self._renderers.append(self._renderers.pop(i))
                return renderer
        with self.gl:
            made = Renderer(self.gl, bundle, backend)
        self._renderers = [*self._renderers, (backend, made)][-RENDERERS_KEPT:]
        return made

    def close(self) -> None:
        """Free the context and everything drawn in it."""
        self._renderers.clear()
        self.gl.gc_mode = None  # type: ignore[assignment]  # no context is left to free single objects in
        self.gl.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def default_context() -> RenderContext:
    """This thread's context, made when it is first asked for."""
    if not hasattr(_of_thread, "context"):
        _of_thread.context = RenderContext()
    context: RenderContext = _of_thread.context
    return context
