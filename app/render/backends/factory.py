"""Creates a backend by name and imports its modules only then."""

from __future__ import annotations

import moderngl

from duplex.app.render.backends.protocol import Backend
from duplex.app.render.passes.features import FeaturePass
from duplex.app.scene.bundle import Bundle


def make_backend(name: str, ctx: moderngl.Context, bundle: Bundle, features: FeaturePass) -> Backend:
    """The backend ``name`` for the network of ``bundle``; ``auto`` is the fragment backend, which always runs.

    Raises :class:`~duplex.app.core.errors.DuplexError` if the backend is not available on this machine.
    """
    if name == "onnx":
        from duplex.app.render.backends.onnx import OnnxBackend

        return OnnxBackend(ctx, bundle.network, bundle.weights, features)
    if name == "compute":
        from duplex.app.render.backends.compute import ComputeBackend

        return ComputeBackend(ctx, bundle.network, bundle.weights, features)
    from duplex.app.render.backends.fragment import FragmentBackend

    return FragmentBackend(ctx, bundle.network, bundle.weights, features)
