"""Training the network of the NeRF paper: Mildenhall et al., ECCV 2020, coarse and fine, section 5.2."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from duplex.baking.checkpoints import note
from duplex.baking.checkpoints.families.mlp import nerf_pytorch
from duplex.baking.fields import rendering
from duplex.baking.fields.encoding import Encoding
from duplex.baking.fields.field import Overrides, RadianceField, SceneInfo, Teacher
from duplex.baking.fields.mlp import NerfMlp
from duplex.baking.settings import setting
from duplex.baking.training.photos import PhotoSet

FREQUENCIES = (10, 4)  # of positions and of directions, as in the paper
SKIP = 5  # the layer that gets the encoded position again
START_DENSITY = 0.5  # so that no network starts, and stays, empty
FOCUS_SHARE = 0.1  # share of the training on foreground pixels only, for the same reason
FOCUS = 0.5  # share of rays through foreground pixels afterwards
DIFFERENT = 4  # of 255
FIRST = {"trunk": "pts_linears", "views": "views_linears"}
NAMES = {"alpha": "alpha_linear", "feature": "feature_linear", "rgb": "rgb_linear"}


@dataclass(frozen=True)
class MlpConfig:
    """The network of the NeRF paper (--field mlp) and its training."""

    layers: int = setting(4, "layers of the trunk", low=1, high=32)
    hidden: int = setting(96, "width of the trunk; the view layer is half as wide", low=4, high=1024)
    coarse: int = setting(32, "samples of a ray that the coarse network takes", low=4, high=1024)
    fine: int = setting(32, "and those that the fine network takes beside them", low=0, high=1024)
    rays: int = setting(512, "rays in a step", low=16, high=1 << 20)
    mlp_rate: float = setting(0.002, "Adam's learning rate at the start", low=1e-6, high=1)


class MlpModel:
    """Coarse and fine networks in training."""

    def __init__(self, photos: PhotoSet, scene: SceneInfo, config: MlpConfig, steps: int):
        self.photos = photos
        self.config = config
        device = photos.rgba.device
        coarse, fine = (new_network(config).to(device) for _ in range(2))
        self.teacher = Teacher(coarse, fine, scene, nerf_pytorch.NAME, Path(), "", device=device)
        self.background = torch.tensor(scene.background, device=device)
        self.steps = steps
        self.share = 0.0
        color = photos.rgba[:, :3].float() + (255.0 - photos.rgba[:, 3:]) * self.background
        different = ((color - 255 * self.background).abs() > DIFFERENT).any(-1)
        self.focus = photos.usable[different[photos.usable]]
        self.networks = {nerf_pytorch.COARSE: coarse, nerf_pytorch.FINE: fine}

    def groups(self) -> list[dict[str, Any]]:
        """The parameters with their learning rate at the start, for an optimiser."""
        parameters = [p for network in self.networks.values() for p in network.parameters()]
        return [{"params": parameters, "initial": self.config.mlp_rate}]

    def prepare(self, step: int) -> bool:
        """Update the progress; there are never new parameters."""
        self.share = step / self.steps
        return False

    def loss(self, generator: torch.Generator) -> tuple[Tensor, float]:
        """The loss of a batch of rays, to be differentiated, and the fine network's mean squared error."""
        index = self._pixels(generator)
        wanted = self.photos.colors(index)
        color = wanted[:, :3] + (1 - wanted[:, 3:]) * self.background
        coarse, fine = self._render(*self.photos.rays(index), generator)
        errors = [((c[:, :3] + (1 - c[:, 3:]) * self.background - color) ** 2).mean() for c in (coarse, fine)]
        return errors[0] + errors[1], float(errors[1].detach())

    def _pixels(self, generator: torch.Generator) -> Tensor:
        """The pixels of a batch."""
        chosen = []
        count = self.config.rays
        focused = count if self.share < FOCUS_SHARE else int(FOCUS * count)
        parts = ((self.focus, focused), (self.photos.usable, count - focused)) if len(self.focus) else ()
        for pixels, number in parts or ((self.photos.usable, count),):
            chosen.append(pixels[torch.randint(len(pixels), (number,), generator=generator, device=pixels.device)])
        return torch.cat(chosen)

    def regularize(self) -> None:
        """No regularisation beside the loss."""

    def _render(self, origins: Tensor, directions: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Premultiplied colour and opacity (n, 4) by the coarse and by the fine network, samples jittered."""
        scene = self.teacher.scene
        space = self.teacher.scene.space
        o, d = space.rays(origins, directions)
        length = d.norm(dim=-1, keepdim=True)
        views = F.normalize(space.view_directions(directions, d), dim=-1)
        t = space.distances(scene.near, scene.far, scene.coarse_samples).to(o.device).expand(len(o), -1)
        middles = 0.5 * (t[:, 1:] + t[:, :-1])
        low = torch.cat([t[:, :1], middles], -1)
        high = torch.cat([middles, t[:, -1:]], -1)
        t = low + (high - low) * torch.rand(t.shape, generator=generator, device=o.device)
        coarse, weights = self._through(self.teacher.coarse, o, d, views, t, length)
        middles = 0.5 * (t[:, 1:] + t[:, :-1])
        more = rendering.sample_pdf(middles, weights.detach()[:, 1:-1], scene.fine_samples)
        t = torch.sort(torch.cat([t, more], -1), -1).values
        return coarse, self._through(self.teacher.fine, o, d, views, t, length)[0]

    def _through(
        self, network: RadianceField, o: Tensor, d: Tensor, views: Tensor, t: Tensor, length: Tensor
    ) -> tuple[Tensor, Tensor]:
        points = (o[:, None] + t[..., None] * d[:, None]).view(-1, 3)
        sigma, latent = network.density(points)
        rgb = network.color(latent, views[:, None].expand(-1, t.shape[1], -1).reshape(-1, 3)).view(*t.shape, 3)
        weights = rendering.volume_weights(sigma.view_as(t), t, length)
        return torch.cat([(weights[..., None] * rgb).sum(1), weights.sum(1, keepdim=True)], -1), weights

    def render_rays(self, origins: Tensor, directions: Tensor) -> Tensor:
        """Premultiplied colour and opacity (n, 4) of world rays (n, 3), by the standard renderer."""
        return rendering.render_rays(self.teacher, origins, directions)

    def tensors(self) -> dict[str, Tensor]:
        """The state, without the optimiser's, for :meth:`restore`."""
        return {f"{k}.{name}": v for k, network in self.networks.items() for name, v in network.state_dict().items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Restore the state from :meth:`tensors`."""
        for key, network in self.networks.items():
            state = {name.removeprefix(f"{key}."): v for name, v in tensors.items() if name.startswith(f"{key}.")}
            network.load_state_dict(state)

    def checkpoint(self) -> bytes:
        """The networks as a file of yenchenlin/nerf-pytorch, with duplex's note as an additional member."""
        content: dict[str, Any] = {key: named(network) for key, network in self.networks.items()}
        stream = io.BytesIO()
        torch.save({"global_step": 0, **content, note.MEMBER: note.write(self.teacher.scene)}, stream)
        return stream.getvalue()

    def describe(self) -> str:
        """A short description for reports."""
        return self.teacher.fine.describe()["network"]


def new_network(config: MlpConfig) -> NerfMlp:
    """A random network as yenchenlin/nerf-pytorch makes it."""
    points, directions = (Encoding.powers(count).width() for count in FREQUENCIES)
    hidden = config.hidden
    half = config.hidden // 2
    shapes = {"pts_linears.0": (points, hidden)}
    for i in range(1, config.layers):
        shapes[f"pts_linears.{i}"] = (hidden + points * (i == SKIP), hidden)
    shapes |= {"feature_linear": (hidden, hidden), "alpha_linear": (hidden, 1)}
    shapes |= {"views_linears.0": (hidden + directions, half), "rgb_linear": (half, 3)}
    weights: dict[str, Tensor] = {}
    for name, (inputs, outputs) in shapes.items():
        layer = nn.Linear(inputs, outputs)
        weights |= {f"{name}.weight": layer.weight.detach(), f"{name}.bias": layer.bias.detach()}
    weights["alpha_linear.bias"] += START_DENSITY
    return nerf_pytorch.network(weights, Overrides()).requires_grad_(True)


def named(network: NerfMlp) -> dict[str, Tensor]:
    """The network's weights under the names of yenchenlin/nerf-pytorch."""
    state = {}
    for key, value in network.state_dict().items():
        first, rest = key.split(".", 1)
        state[f"{FIRST.get(first) or NAMES[first]}.{rest}"] = value.detach().cpu().contiguous()
    return state
