"""The shading network in torch, built from the description that the viewer also builds its shaders from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from duplex.app.network import NetworkSpec, NetworkWeights


class ShadingNetwork(nn.Module):
    """``spec`` as a torch module: valid convolutions, last channels to space, straight RGBA out."""

    def __init__(self, spec: NetworkSpec):
        super().__init__()
        self.spec = spec
        self.layers = nn.ModuleList(nn.Conv2d(x.inputs, x.outputs, x.kernel) for x in spec.layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """``inputs``: (n, spec.inputs, h + 2 margin, w + 2 margin). Returns (n, 4, s h, s w) straight RGBA."""
        x = inputs
        for layer, description in zip(self.layers, self.spec.layers, strict=True):
            x = layer(x)
            if description.activation == "relu":
                x = torch.relu(x)
            elif description.activation == "sigmoid":
                x = torch.sigmoid(x)
        return channels_to_space(x, self.spec.channels_to_space)

    def exported(self) -> NetworkWeights:
        """The weights as numpy arrays."""
        def numpy(parameter: Tensor) -> object:
            return parameter.detach().cpu().float().contiguous().numpy()

        return NetworkWeights(
            tuple(numpy(layer.weight) for layer in self.layers),  # type: ignore[misc]
            tuple(numpy(layer.bias) for layer in self.layers),  # type: ignore[misc]
        )

    def load(self, weights: NetworkWeights) -> ShadingNetwork:
        """Take over exported ``weights``; returns itself."""
        for layer, weight, bias in zip(self.layers, weights.weights, weights.biases, strict=True):
            layer.weight.data.copy_(torch.from_numpy(weight))  # type: ignore[union-attr]
            layer.bias.data.copy_(torch.from_numpy(bias))  # type: ignore[union-attr]
        return self


def channels_to_space(x: Tensor, scale: int) -> Tensor:
    """(n, 4 s s, h, w) to (n, 4, s h, s w): channel ``4 (s i + j) + c`` becomes pixel (i, j) of its block."""
    if scale == 1:
        return x
    n, _, h, w = x.shape
    blocks = x.view(n, scale, scale, 4, h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, 4, h * scale, w * scale)
