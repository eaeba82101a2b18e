"""What training sees is what is exported."""

from __future__ import annotations

import numpy as np

from duplex.app.scene.mesh import Mesh
from duplex.baking.distill.export import export_shell
from duplex.baking.distill.features import FeatureTexture


def test_what_training_sees_is_what_is_exported() -> None:
    texture = FeatureTexture(8, 8)
    texture.texels.data.uniform_(-1.5, 1.5)
    shell = Mesh.without_uvs(np.zeros((3, 3), np.float32), np.array([[0, 1, 2]]))
    exported = export_shell(shell, texture)
    values = exported.texels / np.float32(255)
    planes = values.transpose(1, 2, 0, 3).reshape(64, 8) * exported.scale + exported.offset
    assert np.allclose(planes, texture.mipmaps().texels.numpy(), atol=1e-6)
