"""Reads the open bundle again when its file changes, and compiles the shaders again when theirs change."""

from __future__ import annotations

import moderngl

from duplex import shaders
from duplex.app.core.errors import DuplexError, sentence_of
from duplex.app.viewer.open_scene import OpenScene
from duplex.app.viewer.scene_painter import ScenePainter
from duplex.app.viewer.workspace import Workspace

WATCH_SECONDS = 0.5  # between two looks at the files


class HotReload:
    """Watches the files that a workspace shows."""

    def __init__(self) -> None:
        self._looked = 0.0
        self._shader_stamp = shaders.stamp()

    def check(self, workspace: Workspace, now: float) -> None:
        """Reload what has changed; what cannot be reloaded stays as it was, and a notice says why.

        ``now``: seconds of a monotonic clock.
        """
        if not workspace.scene or now - self._looked < WATCH_SECONDS:
            return
        self._looked = now
        try:
            self._reload(workspace, workspace.scene)
        except (DuplexError, OSError, moderngl.Error) as error:
            workspace.notices.error(sentence_of(error))

    def _reload(self, workspace: Workspace, scene: OpenScene) -> None:
        old = self._shader_stamp
        self._shader_stamp = shaders.stamp()
        if scene.file_changed():
            workspace.enter(scene.reread())
            workspace.notices.note(f"{scene.path.name} has changed: read again")
        elif self._shader_stamp != old:
            self._compile_again(workspace, scene)
            workspace.notices.note("shaders have changed: built again")

    def _compile_again(self, workspace: Workspace, scene: OpenScene) -> None:
        painter = ScenePainter(workspace.ctx, workspace.timers)
        made = scene.rebuilt()
        if min(workspace.drawn_size) > 0:  # also compiles what the present view needs: a broken shader changes nothing
            made.renderer.draw(workspace.drawn_camera(made), workspace.appearance.options(workspace.timers))
        workspace.painter = painter
        workspace.enter(made)
