"""Makes a backend by name, and imports what it needs only then."""

from __future__ import annotations

import moderngl

from duplex.app.render.backends.protocol import Backend
from duplex.app.render.passes.features import FeaturePass
from duplex.app.scene.bundle import Bundle


def make_backend(name: str, ctx: moderngl.Context, bundle: Bundle, features: FeaturePass) -> Backend:
    """The backend ``name`` for the network of ``bundle``; ``auto`` gives the one that runs on every OpenGL 3.3.

    Raises :class:`~duplex.app.core.errors.DuplexError` where it cannot run.
    """
    if name == "onnx":
        from duplex.app.render.backends.onnx import OnnxBackend

        return OnnxBackend(ctx, bundle.network, bundle.weights, features)
    if name == "compute":
        from duplex.app.render.backends.compute import ComputeBackend

        return ComputeBackend(ctx, bundle.network, bundle.weights, features)
    from duplex.app.render.backends.fragment import FragmentBackend

    return FragmentBackend(ctx, bundle.network, bundle.weights, features)
