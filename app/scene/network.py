"""The shading network: the description from which the torch, GLSL and ONNX implementations are built.

Inputs per pixel, in this order: the features at the outer shell's hit, the features at the inner shell's hit, the
encoded view direction. Convolutions are "valid": they use no padding, because the G-buffer is
:attr:`NetworkSpec.margin` pixels larger on every side than the image. Outputs per pixel: red, green, blue and alpha in
[0, 1], straight; the presenting pass multiplies colour by alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import Node, shown
from duplex.app.scene.coordinates.reference_view import ReferenceView

VIEW_CHANNELS = 8  # of the encoded view direction
TAP_SPACING = 0.85  # distance of the kernel's taps on the surface, in pixels of the reference view
MAX_LEVEL = 5  # of the feature pyramid, on which the taps are 32 pixels apart
ACTIVATIONS = ("relu", "sigmoid", "none")
MAX_CHANNELS = 64
MAX_STATED = 1 << 20  # of any number that a file states, before it is checked
MAX_LAYERS = 8
MAX_MIP_LEVELS = 14
MIP_LEVELS = 5  # of new bakes: texels of coarser levels average over several charts of the atlas


@dataclass(frozen=True)
class ConvLayer:
    """A valid convolution with a square ``kernel`` of side 1 or 3, then an activation.

    ``inputs``, ``outputs``: channels; ``activation``: one of :data:`ACTIVATIONS`.
    """

    kernel: int
    inputs: int
    outputs: int
    activation: str


@dataclass(frozen=True)
class NetworkSpec:
    """Architecture of a shading network.

    * ``feature_channels``: features of each shell: 4, 8 or 12.
    * ``layers``: the convolutions, first to last.
    * ``channels_to_space``: upscaling factor ``s``: 1, 2 or 4. One G-buffer pixel becomes a block of ``s * s`` image
      pixels; the last layer outputs 4 channels for each, in row-major order from the top left.
    * ``view_kernel``: 1 or 3; with 1, the first layer's weights for the view direction are 0 outside the kernel centre.
    * ``mip_levels``: number of mip levels of the feature textures, the finest included.
    * ``reference``: the view from which the first layer learned what its neighbours mean. Where a pixel covers less of
      the surface than it did there, its neighbours are taken as far away on the surface as they were then, from a
      feature pyramid (:mod:`duplex.app.scene.network_in_numpy`). None: always neighbouring pixels.
    """

    feature_channels: int
    layers: tuple[ConvLayer, ...]
    channels_to_space: int = 1
    view_kernel: int = 3
    mip_levels: int = 1
    reference: ReferenceView | None = None

    @property
    def scaled(self) -> bool:
        """Whether the first layer's kernel has a size on the object instead of a size in pixels."""
        return self.reference is not None

    @property
    def can_be_scaled(self) -> bool:
        """Whether the first layer alone reads neighbouring pixels."""
        return [layer.kernel for layer in self.layers] == [3] + [1] * (len(self.layers) - 1)

    @property
    def neighbour_inputs(self) -> int:
        """Number of input channels, the first ones, that the first layer reads at neighbouring pixels."""
        return self.inputs if self.view_kernel > 1 else 2 * self.feature_channels

    @property
    def inputs(self) -> int:
        """Input channels of the first layer."""
        return 2 * self.feature_channels + VIEW_CHANNELS

    @property
    def margin(self) -> int:
        """Width of the border, in G-buffer pixels on each side of the image, that the convolutions read."""
        return sum(layer.kernel // 2 for layer in self.layers)

    @property
    def macs_per_pixel(self) -> float:
        """Multiply-adds per pixel of the final image."""
        macs = sum(layer.kernel**2 * layer.inputs * layer.outputs for layer in self.layers)
        first = self.layers[0]
        zeros = max(first.kernel**2 - self.view_kernel**2, 0) * VIEW_CHANNELS * first.outputs
        return (macs - zeros) / self.channels_to_space**2

    @classmethod
    def shallow(cls, feature_channels: int, width: int, channels_to_space: int = 1) -> NetworkSpec:
        """The network of new bakes: 3x3 to ``width`` channels, 1x1 to ``2 * width`` channels, 1x1 to RGBA.

        The view direction varies little between neighbouring pixels, so it enters at the centre of the 3x3 kernel only.
        """
        inputs = 2 * feature_channels + VIEW_CHANNELS
        hidden = min(2 * width, MAX_CHANNELS)
        layers = (
            ConvLayer(3, inputs, width, "relu"),
            ConvLayer(1, width, hidden, "relu"),
            ConvLayer(1, hidden, 4 * channels_to_space**2, "sigmoid"),
        )
        return cls(feature_channels, layers, channels_to_space, view_kernel=1, mip_levels=MIP_LEVELS)

    def taps(self) -> Array:
        """Mask of the first layer's weights: 1 where a weight may be nonzero, else 0.

        (outputs, inputs, kernel, kernel) float32.
        """
        first = self.layers[0]
        taps = np.ones((first.outputs, first.inputs, first.kernel, first.kernel), np.float32)
        if first.kernel > self.view_kernel:
            taps[:, 2 * self.feature_channels :] = 0
            taps[:, 2 * self.feature_channels :, first.kernel // 2, first.kernel // 2] = 1
        return taps

    def to_json(self) -> dict[str, Any]:
        """The network object of the manifest."""
        layers = [
            {"kernel": x.kernel, "inputs": x.inputs, "outputs": x.outputs, "activation": x.activation}
            for x in self.layers
        ]
        return {
            "feature_channels": self.feature_channels,
            "view_encoding": "sh2",
            "view_kernel": self.view_kernel,
            "mip_levels": self.mip_levels,
            "layers": layers,
            "channels_to_space": self.channels_to_space,
            "reference": self.reference.to_json() if self.reference else None,
        }

    @classmethod
    def from_json(cls, data: Node) -> NetworkSpec:
        """Read the object of :meth:`to_json`; raises :class:`DuplexError`, which starts with the name of ``data``."""
        layers = []
        for layer in data.elements("layers", MAX_STATED):
            kernel, inputs, outputs = (layer.whole(key, 0, MAX_STATED) for key in ("kernel", "inputs", "outputs"))
            layers.append(ConvLayer(kernel, inputs, outputs, layer.text("activation")))
        spec = cls(
            data.whole("feature_channels", 0, MAX_STATED),
            tuple(layers),
            data.whole("channels_to_space", 0, MAX_STATED),
            data.whole("view_kernel", 0, MAX_STATED, 3),
            data.whole("mip_levels", 0, MAX_STATED, 1),
            ReferenceView.from_json(data.child("reference")) if "reference" in data else None,
        )
        encoding = data.text("view_encoding")
        if encoding != "sh2":
            raise DuplexError(f"{data.name}: view_encoding {shown(encoding)}: this version draws sh2; update duplex")
        spec._check(data.name)
        return spec

    def _check(self, name: str) -> None:
        if self.feature_channels not in (4, 8, 12):
            raise DuplexError(f"{name}: feature_channels {self.feature_channels}: expected 4, 8 or 12")
        if self.channels_to_space not in (1, 2, 4):
            raise DuplexError(f"{name}: channels_to_space {self.channels_to_space}: expected 1, 2 or 4")
        if self.view_kernel not in (1, 3):
            raise DuplexError(f"{name}: view_kernel {self.view_kernel}: expected 1 or 3")
        if not 1 <= self.mip_levels <= MAX_MIP_LEVELS:
            raise DuplexError(f"{name}: mip_levels {self.mip_levels}: expected 1 to {MAX_MIP_LEVELS}")
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise DuplexError(f"{name}: {len(self.layers)} layers: expected 1 to {MAX_LAYERS}")
        previous = self.inputs
        for i, layer in enumerate(self.layers):
            if layer.kernel not in (1, 3) or layer.activation not in ACTIVATIONS:
                raise DuplexError(
                    f"{name}: layer {i}: kernel {layer.kernel} with {shown(layer.activation)}: "
                    f"expected kernel 1 or 3 and one of {', '.join(ACTIVATIONS)}"
                )
            if layer.inputs != previous or not 4 <= layer.outputs <= MAX_CHANNELS or layer.outputs % 4:
                raise DuplexError(
                    f"{name}: layer {i}: {layer.inputs} to {layer.outputs} channels: expected {previous} "
                    f"to a multiple of 4 up to {MAX_CHANNELS}"
                )
            previous = layer.outputs
        if previous != 4 * self.channels_to_space**2:
            raise DuplexError(
                f"{name}: the last layer gives {previous} channels: expected {4 * self.channels_to_space**2}"
            )
        if self.scaled and not self.can_be_scaled:
            raise DuplexError(f"{name}: a reference view goes with one layer of kernel 3, the first: bake again")


@dataclass(frozen=True)
class NetworkWeights:
    """The weights of all layers: (outputs, inputs, kernel, kernel) and biases (outputs,), float32."""

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]

    def check(self, spec: NetworkSpec, name: str) -> None:
        """Raise :class:`DuplexError`, which starts with ``name``, unless the weights are finite and fit ``spec``."""
        for i, (layer, weight, bias) in enumerate(zip(spec.layers, self.weights, self.biases, strict=True)):
            shape = (layer.outputs, layer.inputs, layer.kernel, layer.kernel)
            if weight.shape != shape or bias.shape != (layer.outputs,):
                raise DuplexError(
                    f"{name}: layer {i} has weights {weight.shape} and biases {bias.shape}: "
                    f"expected {shape} and ({layer.outputs},)"
                )
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise DuplexError(f"{name}: layer {i} holds NaN or infinity: bake again")
        if (self.weights[0] * (1 - spec.taps())).any():
            raise DuplexError(f"{name}: layer 0 sees the view direction beyond the view_kernel of {spec.view_kernel}")


def encode_view(directions: Array) -> Array:
    """The view encoding of unit ``directions`` (..., 3): :func:`view_bands` as (..., 8) float32."""
    return np.stack(view_bands(*np.moveaxis(directions, -1, 0)), -1).astype(np.float32)


def view_bands(x: Any, y: Any, z: Any) -> list[Any]:
    """Degrees 1 and 2 of the real spherical harmonics of unit vectors: eight values of the arguments' shape.

    ``x``, ``y``, ``z`` are arrays or tensors of one shape. ``shaders/include/view_encoding.glsl`` has the same
    coefficients.
    """
    return [
        0.4886025 * y,
        0.4886025 * z,
        0.4886025 * x,
        1.0925484 * x * y,
        1.0925484 * y * z,
        0.3153916 * (3 * z * z - 1),
        1.0925484 * x * z,
        0.5462742 * (x * x - y * y),
    ]
