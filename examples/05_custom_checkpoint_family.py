"""Read checkpoints of a family that duplex does not know: here, coloured balls with soft edges.

python examples/05_custom_checkpoint_family.py [balls.pt]

An installed package offers its family by an entry point instead, which the command line finds too:

    [project.entry-points."duplex.families"]
    balls = "my_package:FAMILY"
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

import duplex
from duplex.baking.checkpoints.family import Family, LoadedFields
from duplex.baking.checkpoints.files import Checkpoint
from duplex.baking.fields.field import Overrides, RadianceField, SceneInfo, Teacher


class Balls(RadianceField):
    """Balls with ``centers`` (n, 3), ``radii`` (n,) and ``colors`` (n, 3)."""

    def __init__(self, centers: Tensor, radii: Tensor, colors: Tensor):
        super().__init__()
        self.register_buffer("centers", centers)
        self.register_buffer("radii", radii)
        self.register_buffer("colors", colors)

    def density(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Density (n,) of points (n, 3), and the colour of the nearest ball as the latent."""
        depth = self.radii - torch.cdist(points, self.centers)  # positive inside
        nearest = depth.argmax(1)
        inside = depth.gather(1, nearest[:, None])[:, 0]
        return 50 * torch.sigmoid(40 * inside), self.colors[nearest]

    def color(self, latent: Tensor, directions: Tensor) -> Tensor:
        """The balls look the same from everywhere."""
        return latent


class BallsFamily(Family):
    """Files of ``torch.save({"balls": {"centers": ..., "radii": ..., "colors": ...}})``."""

    name = "balls"
    state_classes = ()

    def matches(self, checkpoint: Checkpoint) -> bool:
        """Narrow and without exceptions: files of every kind are asked."""
        return checkpoint.kind == "torch" and "balls" in checkpoint.root

    def load(self, checkpoint: Checkpoint, overrides: Overrides) -> LoadedFields:
        """The field, and where to look at it from."""
        balls = checkpoint.root.at("balls")
        centers = balls.tensor("centers", (None, 3))
        field = Balls(centers, balls.tensor("radii", (len(centers),)), balls.tensor("colors", (len(centers), 3)))
        return LoadedFields.single(field, SceneInfo(near=2.0, far=6.0, bounds=((-1, -1, -1), (1, 1, 1))))


def write_balls(file: Path) -> Path:
    """Three balls beside one another."""
    centers = torch.tensor([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.0, 0.5]])
    colors = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.4, 0.9], [0.2, 0.8, 0.2]])
    torch.save({"balls": {"centers": centers, "radii": torch.tensor([0.4, 0.3, 0.2]), "colors": colors}}, file)
    return file


def main(file: Path = Path("balls.pt")) -> Teacher:
    """Register the family and open a checkpoint of it; ``duplex.bake`` reads it from now on too."""
    duplex.register(BallsFamily())
    teacher = duplex.open_checkpoint(write_balls(file))
    sigma, _ = teacher.fine.density(torch.tensor([[-0.5, 0.0, 0.0], [0.0, 0.9, 0.0]]))
    print(f"{file}: family {teacher.family}; density inside a ball {sigma[0]:.1f}, outside {sigma[1]:.1e}")
    return teacher


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
