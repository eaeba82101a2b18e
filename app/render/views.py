"""Views: a frame shows the final image, an intermediate target or a comparison with a reference image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import SHELLS, Bundle


class ViewKind(StrEnum):
    """Kind of a view; the value is the word in the view's name."""

    FINAL = "final"
    ALPHA = "alpha"
    MASK = "mask"
    DEPTH = "depth"
    NORMAL = "normal"
    UV = "uv"
    FEATURES = "features"
    LAYER = "layer"
    REFERENCE = "reference"
    ERROR = "error"


SURFACE_KINDS = (ViewKind.MASK, ViewKind.DEPTH, ViewKind.NORMAL, ViewKind.UV)
_SURFACE = re.compile(r"(outer|inner) (mask|depth|normal|uv)")
_FEATURES = re.compile(r"(outer|inner) features (\d{1,3})")
_LAYER = re.compile(r"layer (\d{1,3}) channels (\d{1,4})-(\d{1,4})")


class Unseen(StrEnum):
    """What becomes of parts that the cameras of the bake have not seen.

    They fade behind the border of what was seen, are as visible as other parts, or hidden.
    """

    FADE = "fade"
    SHOW = "show"
    HIDE = "hide"

    @classmethod
    def parse(cls, name: str) -> Unseen:
        """The member with this name; raises :class:`DuplexError` for an unknown one."""
        if name not in tuple(cls):
            raise DuplexError(f"unseen {name!r:.60}: expected {', '.join(cls)}")
        return cls(name)


@dataclass(frozen=True)
class View:
    """One entry of the panel's *show* list. ``str(view)`` is its name; :meth:`parse` is the inverse.

    ``shell``: 0 for outer, 1 for inner, if the kind belongs to a shell; ``layer``: index of the network's layer;
    ``texture``: index of a group of 4 channels, of the features or of the layer.
    """

    kind: ViewKind
    shell: int = 0
    layer: int = 0
    texture: int = 0

    def __str__(self) -> str:
        if self.kind in SURFACE_KINDS:
            return f"{SHELLS[self.shell]} {self.kind}"
        if self.kind is ViewKind.FEATURES:
            return f"{SHELLS[self.shell]} features {self.texture}"
        if self.kind is ViewKind.LAYER:
            return f"layer {self.layer + 1} channels {4 * self.texture}-{4 * self.texture + 3}"
        return str(self.kind)

    @classmethod
    def parse(cls, name: str) -> View:
        """The view with this name, for example ``"outer depth"``; raises :class:`DuplexError` for an unknown name."""
        if name in (ViewKind.FINAL, ViewKind.ALPHA, ViewKind.REFERENCE, ViewKind.ERROR):
            return cls(ViewKind(name))
        if match := _SURFACE.fullmatch(name):
            return cls(ViewKind(match[2]), shell=SHELLS.index(match[1]))
        if match := _FEATURES.fullmatch(name):
            return cls(ViewKind.FEATURES, shell=SHELLS.index(match[1]), texture=int(match[2]))
        if match := _LAYER.fullmatch(name):
            view = cls(ViewKind.LAYER, layer=int(match[1]) - 1, texture=int(match[2]) // 4)
            if str(view) == name and view.layer >= 0:
                return view
        raise DuplexError(f"view {name!r:.60}: expected final, alpha, outer depth or another entry of the show list")


FINAL, ALPHA = View(ViewKind.FINAL), View(ViewKind.ALPHA)
REFERENCE, ERROR = View(ViewKind.REFERENCE), View(ViewKind.ERROR)


def views_of(bundle: Bundle) -> list[View]:
    """All views of ``bundle``, in the order of the panel's *show* list."""
    views = [FINAL, ALPHA]
    for shell in range(len(SHELLS)):
        views += [View(kind, shell=shell) for kind in SURFACE_KINDS]
        textures = bundle.network.feature_channels // 4
        views += [View(ViewKind.FEATURES, shell=shell, texture=i) for i in range(textures)]
    for number, layer in enumerate(bundle.network.layers):
        views += [View(ViewKind.LAYER, layer=number, texture=i) for i in range(layer.outputs // 4)]
    return [*views, REFERENCE, ERROR] if bundle.references else views
