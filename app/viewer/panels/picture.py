"""The panel's section *Picture*: how pictures of the scene are saved."""

from __future__ import annotations

from duplex.app.scene.camera import MAX_SIDE
from duplex.app.viewer.actions import Action, SavePicture, SetPictures
from duplex.app.viewer.look import PictureSettings
from duplex.app.viewer.panels import widgets

FIRST_SIZE = (1920, 1080)  # of a picture of its own size, until it is changed
SAMPLES = (1, 2, 3, 4)  # along a pixel's side


def draw_picture(settings: PictureSettings) -> list[Action]:
    """Declare the section."""
    actions: list[Action] = []
    if widgets.button("save a picture (F12)"):
        actions.append(SavePicture())
    _, own = widgets.checkbox("of its own size", settings.size is not None)
    size = settings.size or FIRST_SIZE
    if own:
        _, (width, height) = widgets.input_int2("picture", list(size))
        size = (min(max(width, 16), MAX_SIDE), min(max(height, 16), MAX_SIDE))
    _, transparent = widgets.checkbox("without background", settings.transparent)
    _, index = widgets.combo("samples", SAMPLES.index(settings.samples), [f"{n} x {n} a pixel" for n in SAMPLES])
    changed = PictureSettings(size if own else None, transparent, SAMPLES[index])
    return [*([SetPictures(changed)] if changed != settings else []), *actions]
