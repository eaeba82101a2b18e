"""Reads the open bundle again when its file changes, and compiles the shaders again when theirs change."""

from __future__ import annotations

import moderngl

from duplex import shaders
from duplex.app.core.errors import DuplexError, sentence_of
from duplex.app.viewer.open_scene import OpenScene
from duplex.app.viewer.painting.scene_painter import ScenePainter
from duplex.app.viewer.state import ViewerState

WATCH_SECONDS = 0.5  # between two looks at the files


class HotReload:
    """Watches the open bundle and the shaders."""

    def __init__(self) -> None:
        self._looked = 0.0
        self._shader_stamp = shaders.stamp()

    def check(self, state: ViewerState, now: float) -> None:
        """Reload what has changed; what cannot be reloaded stays as it was, and a notice says why.

        ``now``: seconds of a monotonic clock.
        """
        if not state.scene or now - self._looked < WATCH_SECONDS:
            return
        self._looked = now
        try:
            self._reload(state, state.scene)
        except (DuplexError, OSError, moderngl.Error) as error:
            state.notices.error(sentence_of(error))

    def _reload(self, state: ViewerState, scene: OpenScene) -> None:
        old = self._shader_stamp
        self._shader_stamp = shaders.stamp()
        if scene.file_changed():
            state.enter(scene.reread())
            state.notices.note(f"{scene.path.name} has changed: read again")
        elif self._shader_stamp != old:
            self._compile_again(state, scene)
            state.notices.note("shaders have changed: built again")

    def _compile_again(self, state: ViewerState, scene: OpenScene) -> None:
        painter = ScenePainter(state.ctx, state.timers)
        made = scene.rebuilt()
        if min(state.drawn_size) > 0:  # also compiles what the present view needs: a broken shader changes nothing
            made.renderer.draw(state.drawn_camera(made), state.appearance.options(state.timers))
        state.painter = painter
        state.enter(made)
