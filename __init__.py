"""duplex bakes a trained NeRF into a duplex mesh and draws it in real time.

The Python API (docs/api.md). Each name is imported at its first use, so rendering never imports torch, and
``import duplex`` alone imports no other module.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would take longer to load than this one
    from typing import Any

    from duplex.app.core.errors import DuplexError, NoDisplayError
    from duplex.app.render.context import RenderContext
    from duplex.app.render.offscreen import Rendering, render
    from duplex.app.scene.bundle import Bundle
    from duplex.app.scene.bundle_reader import load
    from duplex.app.scene.camera import Camera
    from duplex.app.scene.orbits import scene_orbit
    from duplex.app.viewer.launch import view
    from duplex.baking.api import bake, evaluate, open_checkpoint, train
    from duplex.baking.bundles.recompression import compress
    from duplex.baking.capture.posing import pose
    from duplex.baking.checkpoints.registry import register

__all__ = [
    "Bundle",
    "Camera",
    "DuplexError",
    "NoDisplayError",
    "RenderContext",
    "Rendering",
    "bake",
    "compress",
    "evaluate",
    "load",
    "open_checkpoint",
    "pose",
    "register",
    "render",
    "scene_orbit",
    "train",
    "view",
]

_HOMES = {  # public name: module and the name in that module
    "Bundle": ("duplex.app.scene.bundle", "Bundle"),
    "Camera": ("duplex.app.scene.camera", "Camera"),
    "DuplexError": ("duplex.app.core.errors", "DuplexError"),
    "NoDisplayError": ("duplex.app.core.errors", "NoDisplayError"),
    "RenderContext": ("duplex.app.render.context", "RenderContext"),
    "Rendering": ("duplex.app.render.offscreen", "Rendering"),
    "bake": ("duplex.baking.api", "bake"),
    "compress": ("duplex.baking.bundles.recompression", "compress"),
    "evaluate": ("duplex.baking.api", "evaluate"),
    "load": ("duplex.app.scene.bundle_reader", "load"),
    "open_checkpoint": ("duplex.baking.api", "open_checkpoint"),
    "pose": ("duplex.baking.capture.posing", "pose"),
    "register": ("duplex.baking.checkpoints.registry", "register"),
    "render": ("duplex.app.render.offscreen", "render"),
    "scene_orbit": ("duplex.app.scene.orbits", "scene_orbit"),
    "train": ("duplex.baking.api", "train"),
    "view": ("duplex.app.viewer.launch", "view"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'duplex' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value  # later uses skip this function
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
