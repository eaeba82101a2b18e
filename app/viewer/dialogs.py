"""Questions to the user, in a small window over the scene that blocks nothing."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from imgui_bundle import imgui

from duplex.app.core.errors import printable
from duplex.app.scene.camera_path import CameraPath
from duplex.app.viewer.actions import Action, CloseDialog, CopyText
from duplex.app.viewer.path_actions import SetPath

WIDTH = 420


@dataclass(frozen=True)
class Dialog:
    """A question with a ``title`` and a ``text``.

    ``choices``: labels of buttons and what they do, None for nothing; ``command``: a line to copy, if any.
    """

    title: str
    text: str
    choices: tuple[tuple[str, Action | None], ...]
    command: str = ""


def about_checkpoint(path: Path) -> Dialog:
    """What to do with a checkpoint that was opened."""
    command = shlex.join(["duplex-bake", str(path), "-o", str(path.with_suffix(".bundle"))])
    text = f"{path.name} is a checkpoint that is not baked yet. This command bakes it; then open what it writes."
    return Dialog("A checkpoint", text, (("copy the command", CopyText(command)), ("close", None)), command)


def about_kept_path(path: CameraPath) -> Dialog:
    """Whether to take the keyframes that were left the last time."""
    text = f"Last time this scene had {len(path.keyframes)} keyframes."
    return Dialog("Keyframes", text, (("take them", SetPath(path)), ("leave them", None)))


def draw_dialog(dialog: Dialog, left: float) -> list[Action]:
    """Declare ``dialog`` beside a panel that is ``left`` wide; what is chosen comes with :class:`CloseDialog`."""
    size, scale = imgui.get_io().display_size, imgui.get_style().font_scale_dpi
    width = min(WIDTH * scale, size.x - left - 16)
    middle = imgui.ImVec2((left + size.x) / 2, size.y / 2)
    imgui.set_next_window_pos(middle, imgui.Cond_.always, imgui.ImVec2(0.5, 0.5))
    imgui.set_next_window_size(imgui.ImVec2(width, 0), imgui.Cond_.always)
    flags = imgui.WindowFlags_.no_collapse | imgui.WindowFlags_.no_move | imgui.WindowFlags_.no_resize
    _, stays = imgui.begin(f"{dialog.title}###dialog", True, flags)
    imgui.text_wrapped(printable(dialog.text))
    if dialog.command:
        imgui.set_next_item_width(-1)
        imgui.input_text("##command", printable(dialog.command), imgui.InputTextFlags_.read_only)
    actions: list[Action] = []
    for i, (label, action) in enumerate(dialog.choices):
        if i:
            imgui.same_line()
        if imgui.button(label):
            actions = [*([action] if action else []), CloseDialog()]
    imgui.end()
    return actions or ([] if stays else [CloseDialog()])
