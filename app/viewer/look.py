"""How the scene is shown: what the panel's sections *View* and *Inspect* set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from duplex.app.render.display import Display
from duplex.app.render.passes.screen import PATTERNS, Backdrop
from duplex.app.render.views import FINAL, Unseen, View, ViewKind

Box = tuple[tuple[float, float, float], tuple[float, float, float]]  # low and high corner
NETWORK_INPUT = View(ViewKind.FEATURES)  # shown in place of the picture where the network is switched off

ONLY_SHELLS = {(True, False): "outer shell only", (False, True): "inner shell only"}


@dataclass(frozen=True)
class SecondView:
    """What the right part of a split window shows; ``str()`` is its name in the panel.

    ``shells``: the shells whose features are seen, None: those of the left part; ``backend``: None: that of the left
    part.
    """

    view: View = FINAL
    shells: tuple[bool, bool] | None = None
    backend: str | None = None

    def __str__(self) -> str:
        if self.backend:
            return f"backend {self.backend}"
        return ONLY_SHELLS[self.shells] if self.shells else str(self.view)


@dataclass(frozen=True)
class Look:
    """What is shown, and on what background.

    ``background``: RGB in [0, 1], drawn in a ``pattern`` of :data:`PATTERNS`; ``exposure``: stops, -3 to 3;
    ``scale``: resolution relative to the window, 0.1 to 1; ``smooth``: whether the resolution may fall while the camera
    moves, to reach ``frame_rate`` frames a second, 10 to 120; ``show_cameras``: whether the bundle's cameras are drawn
    over the scene; ``unseen``: what becomes of parts that no camera of the bake saw; ``limited``: whether the orbit
    resists where it leaves the elevations of these cameras; ``crop``: a box in the dataset's frame that is outlined.
    """

    view: View = FINAL
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    pattern: str = PATTERNS[0]
    exposure: float = 0.0
    scale: float = 1.0
    smooth: bool = True
    frame_rate: int = 30
    show_cameras: bool = False
    unseen: Unseen = Unseen.FADE
    limited: bool = False
    crop: Box | None = None

    @property
    def backdrop(self) -> Backdrop:
        """What is drawn behind the scene."""
        return Backdrop(self.background, self.pattern, self.exposure)

    def plain(self) -> Look:
        """The same, but with the final picture on a plain background, which every driver can draw."""
        return replace(self, view=FINAL, pattern=PATTERNS[0], exposure=0.0)


@dataclass(frozen=True)
class PictureSettings:
    """How a picture of the scene is saved.

    ``size``: width and height in pixels, None for the window's; ``transparent``: whether it has no background, and
    shows the final picture alone; ``samples``: along each side of a pixel.
    """

    size: tuple[int, int] | None = None
    transparent: bool = False
    samples: int = 1


@dataclass(frozen=True)
class Inspection:
    """What the panel's instruments show.

    ``shells``: whether the features of the outer and the inner shell are seen; ``network``: False shows the network's
    input in place of the picture; ``edges``: whether the triangles of the outer and the inner shell are outlined;
    ``display``: how targets become colours; ``second``: what the right part of a split window shows, None: not split;
    ``split``: where that part begins, in (0, 1) of the scene's width; ``probing``: whether the pixel under the mouse is
    probed; ``measuring``: whether two clicks measure a distance.
    """

    shells: tuple[bool, bool] = (True, True)
    network: bool = True
    edges: tuple[bool, bool] = (False, False)
    display: Display = field(default_factory=Display)
    second: SecondView | None = None
    split: float = 0.5
    probing: bool = False
    measuring: bool = False

    def plain(self) -> Inspection:
        """The same, but without a second view and without edges, and with the network."""
        return replace(self, second=None, edges=(False, False), network=True)

    def drawn_view(self, view: View) -> View:
        """The view that is drawn where the panel shows ``view``."""
        return view if self.network or view != FINAL else NETWORK_INPUT
