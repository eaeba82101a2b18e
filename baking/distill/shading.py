"""The shading network in torch, built from the same description as the viewer's shaders."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from duplex.app.core.arrays import Array
from duplex.app.scene.network import NetworkSpec, NetworkWeights


class ShadingNetwork(nn.Module):
    """``spec`` as a torch module: valid convolutions, last channels to space, straight RGBA out."""

    def __init__(self, spec: NetworkSpec):
        super().__init__()
        self.spec = spec
        self.convolutions = [nn.Conv2d(x.inputs, x.outputs, x.kernel) for x in spec.layers]
        self.layers = nn.ModuleList(self.convolutions)
        self.taps: Tensor
        self.register_buffer("taps", torch.from_numpy(spec.taps()), persistent=False)
        weight = self.convolutions[0].weight
        with torch.no_grad():
            weight.mul_(self.taps)
        weight.register_hook(lambda gradient: gradient * self.taps)  # type: ignore[no-untyped-call]

    def forward(self, inputs: Tensor) -> Tensor:
        """``inputs``: (n, spec.inputs, h + 2 margin, w + 2 margin). Returns (n, 4, s h, s w) straight RGBA."""
        x = inputs
        for layer, description in zip(self.convolutions, self.spec.layers, strict=True):
            x = layer(x)
            if description.activation == "relu":
                x = torch.relu(x)
            elif description.activation == "sigmoid":
                x = torch.sigmoid(x)
        return channels_to_space(x, self.spec.channels_to_space)

    def exported(self) -> NetworkWeights:
        """The weights as numpy arrays."""

        def numpy(parameter: Tensor | None) -> Array:
            assert parameter is not None
            return parameter.detach().cpu().float().contiguous().numpy()

        return NetworkWeights(
            tuple(numpy(layer.weight) for layer in self.convolutions),
            tuple(numpy(layer.bias) for layer in self.convolutions),
        )

    def load(self, weights: NetworkWeights) -> ShadingNetwork:
        """Load exported ``weights``; returns itself."""
        state: dict[str, Tensor] = {}
        for i, (weight, bias) in enumerate(zip(weights.weights, weights.biases, strict=True)):
            state |= {f"{i}.weight": torch.from_numpy(weight), f"{i}.bias": torch.from_numpy(bias)}
        self.layers.load_state_dict(state)
        return self


def channels_to_space(x: Tensor, scale: int) -> Tensor:
    """(n, 4 s s, h, w) to (n, 4, s h, s w): channel ``4 (s i + j) + c`` becomes pixel (i, j) of its block."""
    if scale == 1:
        return x
    n, _, h, w = x.shape
    blocks = x.view(n, scale, scale, 4, h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, 4, h * scale, w * scale)
