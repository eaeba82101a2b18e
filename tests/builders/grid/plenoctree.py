"""svox's trees, whole and quantised."""

from __future__ import annotations

import math

import numpy as np

from builders.grid.voxels import Content, rng


def plenoctree(form: str = "SH9", branches: int = 2) -> Content:
    """What ``np.savez`` gets from svox: a random tree of five levels."""
    random, cells = rng(5), branches**3
    basis = 1 if form == "RGBA" else int(form.lstrip("ASGH"))
    parents = [(0, 1), (0, cells - 2), (0, 4), (1, 3), (1, 6), (2, 5), (4, 2), (4, 0), (7, 1)]
    nodes = len(parents) + 1
    child, link = np.zeros((nodes, cells), np.int32), np.zeros((nodes, 2), np.int32)
    for new, (node, cell) in enumerate(parents, 1):
        child[node, cell], link[new] = new - node, (node * cells + cell, 1)
    data = random.normal(size=(nodes, cells, 3 * basis + 1))
    data[..., -1] *= 20
    content = {
        "data_dim": np.array(3 * basis + 1), "child": child.reshape(nodes, *[branches] * 3), "parent_depth": link,
        "n_internal": np.array(nodes), "n_free": np.array(0), "depth_limit": np.array(10),
        "invradius3": np.array([0.4, 0.3, 0.5], np.float32), "offset": np.array([0.4, 0.5, 0.6], np.float32),
        "geom_resize_fact": np.array(1.0), "data": data.astype(np.float16).reshape(nodes, *[branches] * 3, -1),
        "data_format": np.array(form),
    }  # fmt: skip
    if form.startswith("SG"):
        axes = random.normal(size=(basis, 3))
        axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
        content["extra_data"] = np.concatenate([random.uniform(0.5, 3, (basis, 1)), axes], 1).astype(np.float32)
    return content


def quantised(content: Content, retained: int) -> Content:
    """The same tree as volrend's compression writes it; here with every colour in the list, so that nothing is lost."""
    data = content["data"]
    small = {k: v for k, v in content.items() if k in ("data_dim", "child", "invradius3", "offset", "data_format")}
    colors = data[..., :-1].reshape(*data.shape[:-1], 3, -1)
    kept = [colors[..., j] for j in range(colors.shape[-1])]
    shape, lists, maps = data.shape[:-1], [], []
    for j, values in enumerate(kept[retained:]):
        order = rng(j).permutation(math.prod(shape))
        lists.append(np.zeros((50000, 3), np.float16))
        lists[-1][49999 - order] = values.reshape(-1, 3)
        maps.append((49999 - order).astype(np.uint16).reshape(shape))
    small |= {"quant_colors": np.stack(lists), "quant_map": np.stack(maps), "sigma": data[..., -1]}
    return small | ({"data_retained": np.stack(kept[:retained])} if retained else {})
