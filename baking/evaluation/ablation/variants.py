"""What is trained and judged: a variant of the bake, and the views that it learns from and is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from duplex.app.scene.network import VIEW_CHANNELS, NetworkSpec
from duplex.baking.distill.views import ViewSet


@dataclass(frozen=True)
class Views:
    """The view sets of one scene.

    ``distilled``: the teacher's views for training; ``photos``: for training; ``unseen``: the teacher's held-out views;
    ``test``: test photos. Photos are None without a dataset.
    """

    distilled: ViewSet
    photos: ViewSet | None
    unseen: ViewSet
    test: ViewSet | None

    def each(self, change: Callable[[ViewSet, str], ViewSet]) -> Views:
        """The same views with :data:`VIEW_SETS` replaced by ``change(set, name)``."""
        sets = {name: views for name in VIEW_SETS if (views := getattr(self, name)) is not None}
        return replace(self, **{name: change(views, name) for name, views in sets.items()})


VIEW_SETS = ("distilled", "unseen", "test")  # variants with other shells need other hits for these


@dataclass(frozen=True)
class AblationVariant:
    """One variant of the bake.

    ``sets``: to train on; ``views``: to evaluate on; ``spec``: the network; ``texels``: a side of a texture, None: as
    the job's; ``rounded``: whether training quantises features to 8 bits; ``view_channels``: how many channels of the
    encoded view direction the network reads; ``settings``: of the distillation, override the job's.
    """

    name: str
    sets: list[ViewSet]
    views: Views
    spec: NetworkSpec
    texels: int | None = None
    rounded: bool = True
    view_channels: int = VIEW_CHANNELS
    settings: dict[str, Any] = field(default_factory=dict)
