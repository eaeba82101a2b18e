"""The standard NeRF renderer: coarse, then fine samples on every ray, every sample through the network.

Alphabet (Mildenhall et al., ECCV 2020, equations 3 and 5): ray ``r(t) = o + t d``; samples ``t_i`` with spacing
``delta_i = (t_{i+1} - t_i) |d|``; density ``sigma_i``; opacity ``alpha_i = 1 - exp(-sigma_i delta_i)``;
transmittance ``T_i = prod_{j<i} (1 - alpha_j)``; weight ``w_i = T_i alpha_i``; colour ``C = sum w_i c_i``;
accumulated opacity ``A = sum w_i``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from duplex.app.scene.camera import Camera
from duplex.baking.fields.field import RadianceField, Teacher
from duplex.baking.runtime.out_of_memory import retry_with_less

POINTS_PER_CHUNK = 1 << 12  # so that activations fit into the CPU caches
NEARLY_ONE = 1 - 1e-5
RAYS_PER_CHUNK = 1 << 12


def rays_of(camera: Camera, device: torch.device) -> tuple[Tensor, Tensor]:
    """Origins and directions, both (height * width, 3) float32, through the pixel centres, row by row."""
    directions = torch.from_numpy(camera.ray_directions().reshape(-1, 3)).to(device)
    origin = torch.tensor(camera.position, dtype=torch.float32, device=device)
    return origin.expand_as(directions), directions


def in_chunks(function: Callable[..., Tensor], size: int, *arguments: Tensor) -> Tensor:
    """``function`` on chunks of at most ``size`` rows of ``arguments``, joined; smaller chunks when memory runs out."""
    parts: list[Tensor] = []
    start = 0
    total = len(arguments[0])
    while start < total or not parts:

        def attempt(rows: int, start: int = start) -> Tensor:
            return function(*(a[start : start + rows] for a in arguments))

        part, size = retry_with_less(attempt, size)
        parts.append(part)
        start += size
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def query(field: RadianceField, points: Tensor, directions: Tensor) -> Tensor:
    """Colour and density at ``points`` (n, 3) seen along unit ``directions`` (n, 3): (n, 4), sigma last."""

    def chunk(p: Tensor, d: Tensor) -> Tensor:
        sigma, latent = field.density(p)
        return torch.cat([field.color(latent, d), sigma[:, None]], -1)

    return in_chunks(chunk, _points_per_chunk(points), points, directions)


def query_density(field: RadianceField, points: Tensor) -> Tensor:
    """Density at ``points`` (n, 3): (n,)."""
    return in_chunks(lambda p: field.density(p)[0], _points_per_chunk(points), points)


def _points_per_chunk(points: Tensor) -> int:
    return POINTS_PER_CHUNK if points.device.type == "cpu" else 1 << 20


def volume_weights(sigma: Tensor, t: Tensor, length: Tensor) -> Tensor:
    """Weights ``w_i`` (rays, samples) of densities ``sigma`` at distances ``t`` (both (rays, samples)).

    ``length``: (rays, 1), the norm of the directions. The last interval is taken as infinite, as in the paper's code.
    """
    delta = torch.cat([t[:, 1:] - t[:, :-1], torch.full_like(t[:, :1], 1e10)], -1) * length
    transparency = torch.exp(-sigma * delta)
    before = torch.cumprod(torch.cat([torch.ones_like(t[:, :1]), transparency[:, :-1] + 1e-10], -1), -1)
    return before * (1 - transparency)


def sample_pdf(edges: Tensor, weights: Tensor, count: int) -> Tensor:
    """``count`` evenly spread quantiles (rays, count) of the piecewise constant density given by ``weights``.

    ``edges``: (rays, bins + 1); ``weights``: (rays, bins), not normalised (NeRF, section 5.2).
    """
    pdf = weights + 1e-5
    cdf = torch.cumsum(pdf / pdf.sum(-1, keepdim=True), -1)
    cdf = torch.cat([torch.zeros_like(cdf[:, :1]), cdf], -1)
    u = torch.linspace(0, 1, count, device=weights.device).expand(len(weights), count).contiguous()
    above = torch.searchsorted(cdf, u, right=True).clamp(max=cdf.shape[-1] - 1)
    below = (above - 1).clamp(min=0)
    low, high = cdf.gather(-1, below), cdf.gather(-1, above)
    share = (u - low) / torch.where(high - low < 1e-5, torch.ones_like(low), high - low)
    start, end = edges.gather(-1, below), edges.gather(-1, above)
    return start + share * (end - start)


@torch.no_grad()
def render_rays(teacher: Teacher, origins: Tensor, directions: Tensor) -> Tensor:
    """Premultiplied colour and opacity (rays, 4) of rays (both (rays, 3)), by the standard renderer."""
    rays_at_once = RAYS_PER_CHUNK if origins.device.type == "cpu" else 1 << 15
    return in_chunks(lambda o, d: _render_chunk(teacher, o, d), rays_at_once, origins, directions)


def _render_chunk(teacher: Teacher, o: Tensor, d: Tensor) -> Tensor:
    t, weights, colors = standard_samples(teacher, o, d)
    del t
    return torch.cat([(weights[..., None] * colors).sum(1), weights.sum(1, keepdim=True)], -1)


@torch.no_grad()
def standard_samples(teacher: Teacher, o: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The standard renderer's fine samples: distances and weights (rays, n), colours (rays, n, 3).

    The distances are parameters of the rays as the field's space maps them (``space.travelled`` tells world units).
    """
    scene = teacher.scene
    space = teacher.scene.space
    world = d
    o, d = space.rays(o, d)
    length = d.norm(dim=-1, keepdim=True)
    t = space.distances(scene.near, scene.far, scene.coarse_samples).to(o.device).expand(len(o), -1)
    sigma = query_density(teacher.coarse, space.warp(_points(o, d, t))).view_as(t)
    weights = volume_weights(sigma, t, length)
    if scene.fine_samples:
        middles = 0.5 * (t[:, 1:] + t[:, :-1])
        t = torch.sort(torch.cat([t, sample_pdf(middles, weights[:, 1:-1], scene.fine_samples)], -1), -1).values
    views = F.normalize(space.view_directions(world, d), dim=-1)[:, None, :].expand(-1, t.shape[1], -1).reshape(-1, 3)
    raw = query(teacher.fine, space.warp(_points(o, d, t)), views).view(*t.shape, 4)
    return t, volume_weights(raw[..., 3], t, length), raw[..., :3]


def _points(o: Tensor, d: Tensor, t: Tensor) -> Tensor:
    return (o[:, None, :] + t[..., None] * d[:, None, :]).reshape(-1, 3)


def render(teacher: Teacher, camera: Camera) -> Tensor:
    """The teacher's picture by the standard renderer: (height, width, 4) float32, premultiplied colour and opacity."""
    return render_rays(teacher, *rays_of(camera, teacher.device)).view(camera.height, camera.width, 4)


def before(depth: Tensor, ray: Tensor, rays: int) -> Tensor:
    """The sum of ``depth`` (s,) over the earlier samples of the same ray, (s,); ``ray`` (s,) is sorted."""
    total = torch.cumsum(depth.double(), 0)
    exclusive = total - depth
    counts = torch.bincount(ray, minlength=rays)
    first = (torch.cumsum(counts, 0) - counts)[ray]
    return (exclusive - exclusive[first]).float()


class Places(NamedTuple):
    """``k`` places on each of ``h`` rays: ``hit``, the rays (h,); of each place (h, k) the step that it lies in, how
    far inside of it, 0 to 1, and the length along the ray that it stands for."""

    hit: Tensor
    step: Tensor
    inside: Tensor
    length: Tensor


def resampled(ray: Tensor, depth: Tensor, length: Tensor, offset: Tensor, count: int, evenly: float) -> Places:
    """``count`` places on each ray, most of them where it becomes opaque (NeRF, section 5.2).

    ``ray``: (m,), sorted, of steps of optical ``depth`` (m,) and of ``length`` (m,); what lies between the steps of a
    ray is empty. ``offset``: (rays,) in [0, 1), of the places; ``evenly``: places that are spread evenly along a ray,
    for each that is not, and twice as many where it stays transparent.
    """
    rays = len(offset)
    first = torch.searchsorted(ray, torch.arange(rays + 1, device=ray.device))
    hit = torch.nonzero(first[1:] > first[:-1])[:, 0]
    if not len(hit):
        none = depth.new_zeros(0, count)
        return Places(hit, none.long(), none, none)
    ranges = first[:-1][hit, None], first[1:][hit, None] - 1
    share = torch.exp(-before(depth, ray, rays)) * -torch.expm1(-depth)
    nowhere = (1 - _sums(share, ray, rays)).clamp(min=0)
    share = share + (evenly * (1 + nowhere) / _sums(length, ray, rays).clamp(min=1e-9))[ray] * length
    share = share / _sums(share, ray, rays)[ray]
    ahead, way = before(share, ray, rays), before(length, ray, rays)
    even = torch.arange(count + 1, device=ray.device) + NEARLY_ONE * (offset[hit, None] - 0.5)
    wanted = (even / count).clamp(0, 1) * NEARLY_ONE
    wanted[:, 0], wanted[:, -1] = 0, NEARLY_ONE
    at = _last_below(ray + ahead.double(), hit[:, None] + wanted.double(), ranges)
    ends = way[at] + ((wanted - ahead[at]) / share[at].clamp(min=1e-9)).clamp(0, 1) * length[at]
    middle = 0.5 * (ends[:, 1:] + ends[:, :-1])
    longest = 1 + float(way.max() + length.max())
    at = _last_below(ray * longest + way.double(), hit[:, None] * longest + middle.double(), ranges)
    return Places(hit, at, ((middle - way[at]) / length[at].clamp(min=1e-9)).clamp(0, 1), ends.diff())


def _last_below(sorted_keys: Tensor, keys: Tensor, ranges: tuple[Tensor, Tensor]) -> Tensor:
    """The last of ``sorted_keys`` (m,) not above each of ``keys`` (n, k), in its row's range of ``ranges`` (n, 1)."""
    at = torch.searchsorted(sorted_keys, keys, right=True) - 1
    return torch.minimum(torch.maximum(at, ranges[0]), ranges[1])


def _sums(values: Tensor, ray: Tensor, rays: int) -> Tensor:
    return values.new_zeros(rays).index_add_(0, ray, values)
