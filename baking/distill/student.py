"""The student of the distillation: feature textures of both shells, and the shading network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.app.scene.network import VIEW_CHANNELS, NetworkSpec
from duplex.baking.distill.crops import Crops
from duplex.baking.distill.features import FeatureTexture
from duplex.baking.distill.shading import ShadingNetwork


class Student(nn.Module):
    """Both shells' feature textures and the shading network, with the forward pass for training.

    ``opaque``: whether all that the shells cover is; ``view_channels``: number of channels of encoded view directions
    that the network gets; the others are 0.
    """

    view_channels = VIEW_CHANNELS

    def __init__(self, spec: NetworkSpec, texels: int, opaque: bool = False):
        super().__init__()
        self.outer, self.inner = (FeatureTexture(texels, spec.feature_channels, spec.mip_levels) for _ in range(2))
        self.network = ShadingNetwork(spec, opaque)

    @property
    def textures(self) -> tuple[FeatureTexture, FeatureTexture]:
        """The outer shell's and the inner shell's."""
        return self.outer, self.inner

    def shade(self, crops: Crops) -> Tensor:
        """Straight RGBA (b, 4, h, w) of the G-buffers of ``crops``."""
        if crops.pyramid is None or crops.pyramid.dim() > 1:
            (inputs,) = self._inputs([crops])
            return self.network(inputs, crops.pyramid)  # type: ignore[no-any-return]
        levels, parts = zip(*crops.by_level(), strict=True)
        return torch.cat(
            [self.network.on_level(inputs, k) for k, inputs in zip(levels, self._inputs(parts), strict=True)]
        )

    def _inputs(self, parts: Sequence[Crops]) -> list[Tensor]:
        """The network's inputs (b, c, H, W) of each of ``parts``; each texture is looked up once for all of them."""
        planes: list[list[Tensor]] = [[] for _ in parts]
        for layer, texture in enumerate(self.textures):
            hits = [torch.nonzero(part.mask[layer].reshape(-1))[:, 0] for part in parts]
            uv = torch.cat([p.uv[layer].reshape(-1, 2)[hit] for p, hit in zip(parts, hits, strict=True)])
            level = torch.cat([p.level[layer].reshape(-1)[hit] for p, hit in zip(parts, hits, strict=True)])
            dithers = [p.dither.reshape(-1)[hit] for p, hit in zip(parts, hits, strict=True) if p.dither is not None]
            values = texture(uv, level, torch.cat(dithers) if dithers else None)
            for plane, part, hit, found in zip(planes, parts, hits, values.split([len(x) for x in hits]), strict=True):
                shape = part.mask[layer].shape
                empty = found.new_zeros(part.mask[layer].numel(), found.shape[1])
                plane.append(empty.index_copy(0, hit, found).view(*shape, -1))
        return [self._joined(part, plane) for part, plane in zip(parts, planes, strict=True)]

    def _joined(self, part: Crops, planes: list[Tensor]) -> Tensor:
        directions = part.directions * part.mask[0][..., None]
        seen = F.pad(directions[..., : self.view_channels], (0, VIEW_CHANNELS - self.view_channels))
        inputs = torch.cat([*planes, seen], -1).permute(0, 3, 1, 2)
        return inputs.contiguous(memory_format=torch.channels_last)

    def refine(self) -> None:
        """Double the resolution of both textures by bilinear interpolation."""
        for texture in self.textures:
            plane = texture.texels.detach().T.reshape(1, -1, texture.side, texture.side)
            larger = F.interpolate(plane, scale_factor=2, mode="bilinear", align_corners=False)
            texture.texels = nn.Parameter(larger[0].flatten(1).T.contiguous())
            texture.side *= 2
