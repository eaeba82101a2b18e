"""The student of the distillation: feature textures of both shells, and the shading network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.app.scene.network import VIEW_CHANNELS, NetworkSpec
from duplex.baking.distill.crops import Crops
from duplex.baking.distill.features import FeatureTexture
from duplex.baking.distill.shading import ShadingNetwork


class Student(nn.Module):
    """Both shells' feature textures and the shading network, with the forward pass for training.

    ``view_channels``: number of channels of the encoded view directions that the network gets; the others are 0.
    """

    view_channels = VIEW_CHANNELS

    def __init__(self, spec: NetworkSpec, texels: int):
        super().__init__()
        self.outer, self.inner = (FeatureTexture(texels, spec.feature_channels, spec.mip_levels) for _ in range(2))
        self.network = ShadingNetwork(spec)

    @property
    def textures(self) -> tuple[FeatureTexture, FeatureTexture]:
        """The outer shell's and the inner shell's."""
        return self.outer, self.inner

    def shade(self, crops: Crops) -> Tensor:
        """Straight RGBA (b, 4, h, w) of the G-buffers of ``crops``."""
        b, h, w = crops.mask[0].shape
        planes = []
        for texture, uv, level, hit in zip(self.textures, crops.uv, crops.level, crops.mask, strict=True):
            where = torch.nonzero(hit.reshape(-1))[:, 0]
            dither = None if crops.dither is None else crops.dither.reshape(-1)[where]
            values = texture(uv.reshape(-1, 2)[where], level.reshape(-1)[where], dither)
            plane = values.new_zeros(b * h * w, values.shape[1]).index_copy(0, where, values)
            planes.append(plane.view(b, h, w, -1))
        directions = crops.directions * crops.mask[0][..., None]
        planes.append(F.pad(directions[..., : self.view_channels], (0, VIEW_CHANNELS - self.view_channels)))
        inputs = torch.cat(planes, -1).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        return self.network(inputs)  # type: ignore[no-any-return]

    def refine(self) -> None:
        """Double the resolution of both textures by bilinear interpolation."""
        for texture in self.textures:
            plane = texture.texels.detach().T.reshape(1, -1, texture.side, texture.side)
            larger = F.interpolate(plane, scale_factor=2, mode="bilinear", align_corners=False)
            texture.texels = nn.Parameter(larger[0].flatten(1).T.contiguous())
            texture.side *= 2
