"""The shading network in torch, built from the same description as the viewer's shaders."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.scene.network import NetworkSpec, NetworkWeights
from duplex.baking.distill.views import REACHES

SATURATED = 16.0  # whose sigmoid is 1


class ShadingNetwork(nn.Module):
    """``spec`` as a torch module: valid convolutions, last channels to space, straight RGBA out.

    ``opaque``: whether A is 1 everywhere, whatever is learned.
    """

    def __init__(self, spec: NetworkSpec, opaque: bool = False):
        super().__init__()
        self.spec = spec
        self.opaque = opaque
        self.convolutions = [nn.Conv2d(x.inputs, x.outputs, x.kernel) for x in spec.layers]
        self.layers = nn.ModuleList(self.convolutions)
        self.taps: Tensor
        self.register_buffer("taps", torch.from_numpy(spec.taps()), persistent=False)
        self.around: Tensor
        self.register_buffer("around", torch.tensor([[1.0, 1, 1], [1, 0, 1], [1, 1, 1]]), persistent=False)
        weight = self.convolutions[0].weight
        with torch.no_grad():
            weight.mul_(self.taps)
        weight.register_hook(lambda gradient: gradient * self.taps)  # type: ignore[no-untyped-call]

    def forward(self, inputs: Tensor, level: Tensor | None = None) -> Tensor:
        """``inputs``: (n, spec.inputs, h + 2 m, w + 2 m). Returns (n, 4, s h, s w) straight RGBA.

        ``level``: (n, h, w), of the feature pyramid in which a network with a reference view finds the neighbours of
        each pixel (:mod:`duplex.app.scene.network_in_numpy`); None counts as 0. ``m`` is the network's margin, or more
        with ``level``: then the pyramid is built from that much more.
        """
        if level is None:
            return self._after_first(self.convolutions[0](inputs))
        height, width = level.shape[1:]
        total = self._centre(inputs, height, width)
        for k in range(int(level.min()), int(level.max().ceil()) + 1):
            share = (1 - (level - k).abs()).clamp(min=0)
            if share.any():
                total = total + self._neighbours(inputs, k, height, width) * share[:, None]
        return self._after_first(total)

    def on_level(self, inputs: Tensor, level: int) -> Tensor:
        """As :meth:`forward`, with the neighbours of all pixels on one whole ``level``, whose reach is the margin.

        Higher levels than those of :data:`~duplex.baking.distill.views.REACHES` repeat the edge.
        """
        if level == 0:
            return self.forward(inputs)
        margin = REACHES[min(level, len(REACHES) - 1)]
        height, width = (side - 2 * margin for side in inputs.shape[2:])
        total = self._centre(inputs, height, width) + self._neighbours(inputs, level, height, width)
        return self._after_first(total)

    def _centre(self, x: Tensor, height: int, width: int) -> Tensor:
        """The tap in the middle of the first layer's kernel at ``height`` x ``width`` pixels in the middle of ``x``."""
        first = self.convolutions[0]
        return F.conv2d(_middle(x, height, width), first.weight[:, :, 1:2, 1:2], first.bias)

    def _neighbours(self, x: Tensor, k: int, height: int, width: int) -> Tensor:
        """The sums of the other taps on level ``k`` of the feature pyramid at the same pixels."""
        count = self.spec.neighbour_inputs
        taps = self.convolutions[0].weight[:, :count] * self.around
        if k == 0:
            return F.conv2d(_middle(x[:, :count], height + 2, width + 2), taps)
        return _middle(self._sums(x[:, :count], taps, k), height, width)

    def _after_first(self, x: Tensor) -> Tensor:
        """All that follows the sums of the first layer."""
        for i, (layer, description) in enumerate(zip(self.convolutions, self.spec.layers, strict=True)):
            x = layer(x) if i else x
            if description.activation == "relu":
                x = torch.relu(x)
            elif description.activation == "sigmoid":
                x = torch.sigmoid(x)
        rgba = channels_to_space(x, self.spec.channels_to_space)
        return torch.cat([rgba[:, :3], torch.ones_like(rgba[:, 3:])], 1) if self.opaque else rgba

    def _sums(self, features: Tensor, taps: Tensor, k: int) -> Tensor:
        """The sums of ``taps`` on level ``k``, 1 or more, of the pyramid, interpolated at all pixels."""
        above, right = (-side % (1 << k) for side in features.shape[2:])  # levels begin at the bottom left
        mean = F.avg_pool2d(F.pad(features, (0, right, above, 0), mode="replicate"), 1 << k)
        sums = F.conv2d(F.pad(mean, (1, 1, 1, 1), mode="replicate"), taps)
        large = F.interpolate(sums, scale_factor=float(1 << k), mode="bilinear", align_corners=False)
        return large[:, :, above:, : features.shape[3]]

    def exported(self) -> NetworkWeights:
        """The weights as numpy arrays."""

        def numpy(parameter: Tensor | None) -> Array:
            assert parameter is not None
            return parameter.detach().cpu().float().contiguous().numpy()

        weights = [numpy(layer.weight) for layer in self.convolutions]
        biases = [numpy(layer.bias) for layer in self.convolutions]
        if self.opaque:
            weights[-1], biases[-1] = weights[-1].copy(), biases[-1].copy()
            weights[-1][3::4], biases[-1][3::4] = 0, SATURATED
        return NetworkWeights(tuple(weights), tuple(biases))

    def load(self, weights: NetworkWeights) -> ShadingNetwork:
        """Load exported ``weights``; returns itself."""
        state: dict[str, Tensor] = {}
        for i, (weight, bias) in enumerate(zip(weights.weights, weights.biases, strict=True)):
            state |= {f"{i}.weight": torch.from_numpy(weight), f"{i}.bias": torch.from_numpy(bias)}
        self.layers.load_state_dict(state)
        return self


def _middle(x: Tensor, height: int, width: int) -> Tensor:
    top, left = (x.shape[2] - height) // 2, (x.shape[3] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def channels_to_space(x: Tensor, scale: int) -> Tensor:
    """(n, 4 s s, h, w) to (n, 4, s h, s w): channel ``4 (s i + j) + c`` becomes pixel (i, j) of its block."""
    if scale == 1:
        return x
    n, _, h, w = x.shape
    blocks = x.view(n, scale, scale, 4, h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, 4, h * scale, w * scale)
