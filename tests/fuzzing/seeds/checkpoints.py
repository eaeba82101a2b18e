"""Checkpoints of all seventeen families, with the files that lie beside them."""

from __future__ import annotations

import argparse
import gzip
import json
import zlib
from pathlib import Path

import msgpack
import numpy as np
import safetensors.torch
import torch

from builders import synthetic
from builders.grid import dvgo, plenoctree, plenoxels, tensorf
from builders.hash import instant_ngp, naive_ngp, nerfacto, nerfstudio_run
from builders.hash.vanilla import VANILLA
from builders.mlp import fastnerf, flax, keras, kilo_nodes, kilonerf, layernorm, nerf_pl, tinynerf_slang
from builders.mlp.naive import classes, random_state

Shapes = dict[str, tuple[int, ...]]
OPTIONS = (
    "expname = lego\ndataset_type = blender\nwhite_bkgd = True\nN_samples = 32\nN_importance = 48\nno_ndc = False\n"
)


def write(folder: Path) -> None:
    """The seeds."""
    torch.manual_seed(0)
    for writer in (_nerf_pytorch, _keras, _jaxnerf, _nerf_pl, _others, _kilonerf, _voxels, _trees, _ngp, _nerfstudio):
        writer(folder / "small")
    large = folder / "large"
    torch.save(layernorm.layernorm_state(), _new(large / "layernorm") / "nerf.pth")
    torch.save(kilonerf.as_finetuned(kilonerf.kilo_state()), _new(large / "kilonerf") / "checkpoint.pth")
    (large / "kilonerf" / "bbox.txt").write_text(kilonerf.BOX_FILE)
    nerfstudio_run.save_run(
        large / "nerfacto",
        nerfacto.nerfacto_state(),
        nerfstudio_run.config_text("nerfacto", nerfacto.nerfacto_options()),
    )
    grid = {"density_grid_binary": naive_ngp.density_grid(1)}
    instant_ngp.save_snapshot(large / "ngp", instant_ngp.snapshot(extra=grid, aabb_scale=1))


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def narrow(shapes: Shapes, sides: dict[int, int]) -> Shapes:
    """The shapes of a network with fewer neurons: each side as ``sides`` says."""
    return {name: tuple(sides.get(side, side) for side in shape) for name, shape in shapes.items()}


def _nerf_pytorch(folder: Path) -> None:
    synthetic.write_flexible(folder / "flexible")
    synthetic.write_nerf_pytorch(_new(folder / "nerf-pytorch") / "000007.tar")
    (folder / "nerf-pytorch" / "args.txt").write_text(OPTIONS)
    state = {f"module.{k}": v.half() for k, v in synthetic.nerf_pytorch_state().items()}
    torch.save({"network_fn_state_dict": state}, _new(folder / "nerf-pytorch-llff") / "1.tar")
    (folder / "nerf-pytorch-llff" / "config.txt").write_text(OPTIONS.replace("blender", "llff"))


def _keras(folder: Path) -> None:
    shapes = narrow(keras.KERAS, {24: 8, 12: 4, 24 + 63: 8 + 63, 24 + 27: 8 + 27})
    for i, name in enumerate(("model_000200.npy", "model_fine_000200.npy")):
        keras.write_keras(_new(folder / "nerf-tensorflow") / name, shapes, i)
    (folder / "nerf-tensorflow" / "args.txt").write_text(OPTIONS)
    keras.write_keras(
        _new(folder / "nerf-tensorflow-alone") / "weights.npy", {"pts.0": (8, 39), "pts.1": (8, 8), "output": (4, 8)}, 3
    )


def _jaxnerf(folder: Path) -> None:
    shapes = narrow(flax.JAX, {24: 8, 12: 4, 24 + 63: 8 + 63, 24 + 27: 8 + 27})
    sides = {"config.yaml": "dataset: blender\nwhite_bkgd: false\nlegacy_posenc_order: True\n"}
    sides |= {
        "config.gin": 'Config.dataset = "blender"\nConfig.legacy_posenc_order = True\n',
        "args.txt": "tf_posenc_order = True\n",
    }
    for (name, text), wrapped, cut in zip(sides.items(), ("old", "new", "new"), (0, 0, 50), strict=True):
        networks = {f"MLP_{i}": flax.flax_network(random_state(shapes, i), cut) for i in range(2)}
        place = _new(folder / f"jaxnerf-{name.rpartition('.')[2]}")
        flax.write_flax(place / "checkpoint_1000", networks, wrapped)
        (place / name).write_text(text)


class AttributeDict(dict[str, object]):
    """As Lightning keeps hyperparameters."""


def _nerf_pl(folder: Path) -> None:
    shapes = narrow(nerf_pl.PL, {24: 2, 12: 2, 24 + 63: 2 + 63, 24 + 27: 2 + 27})
    coarse, fine = nerf_pl.pl_states(shapes)
    given = {
        "dict": nerf_pl.HPARAMS,
        "namespace": argparse.Namespace(**nerf_pl.HPARAMS),
        "attributes": AttributeDict(nerf_pl.HPARAMS),
    }
    for kind, hparams in given.items():
        content = nerf_pl.pl_content(coarse, fine, hparams, "hparams" if kind == "dict" else "hyper_parameters")
        with classes("pytorch_lightning.utilities.parsing", AttributeDict):
            torch.save(content, _new(folder / f"nerf-pl-{kind}") / "epoch=15.ckpt")


def _others(folder: Path) -> None:
    """FastNeRF, brandontrabucco/nerf and tinynerf-slang."""
    module = fastnerf.fast_module()
    with classes("__main__", fastnerf.FastNerf):
        torch.save(module, _new(folder / "fastnerf") / "model.pth")
        torch.save(
            module.state_dict(), _new(folder / "fastnerf-old") / "model.pth", _use_new_zipfile_serialization=False
        )
    blocks = layernorm.layernorm_state()
    torch.save({k: _cut(v, 24, 6) for k, v in blocks.items()}, _new(folder / "layernorm") / "nerf.pth")
    features, sigma, rgb = "feature_module.net.net", "sigma_decoder.net.net", "rgb_decoder.net.net"
    slang = {f"{features}.0": (4, 60), f"{features}.2.0": (4, 4), f"{features}.3.0": (4, 4), f"{features}.4": (5, 4)}
    slang |= {f"{sigma}.0": (4, 5), f"{sigma}.2": (1, 4)}
    slang |= {f"{rgb}.0": (4, 24 + 3 + 5), f"{rgb}.2.0": (4, 4), f"{rgb}.3": (3, 4)}
    torch.save(tinynerf_slang.slang_state(slang), _new(folder / "tinynerf") / "model.pt")
    safetensors.torch.save_file(tinynerf_slang.slang_state(slang), _new(folder / "safetensors") / "model.pt")


def _cut(weight: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """A weight or bias of a layer with ``new`` neurons in the place of ``old``, inputs that are encodings kept."""
    for axis in range(weight.ndim):
        side = weight.shape[axis]
        if side == old or (axis == 1 and side > 60):
            weight = weight.narrow(axis, 0, side - old + new)
    return weight.clone()


def _kilonerf(folder: Path) -> None:
    shapes = narrow(kilonerf.KILO, {24: 2, 16: 4, 12: 4, 16 + 63: 4 + 63, 16 + 27: 4 + 27})
    state = random_state(shapes)
    box = "-0.9 -1.2 -0.3 0.9 2.4 1.5 1.8\n"
    sides = {
        "bbox": {"bbox.txt": box},
        "log": {},
        "yaml": {"bbox.txt": box, "distill.yaml": "fixed_resolution:\n- 1\n- 2\n- 1\n"},
    }
    line = "global_domain_min: [-0.9 -1.2 -0.3], global_domain_max: [0.9 2.4 1.5], near: 1.5, far: 5.5, "
    line += "background_color: None"
    sides["log"] = {"log.txt": f"Loading x\n{line}\nIter: 3\n"}
    sides["yaml"]["near_and_far.txt"] = "2.5 6.5"
    content = kilonerf.as_finetuned(state) | dict.fromkeys(("torch_rng_state", "torch_cuda_rng_state"), torch.zeros(3))
    for told, files in sides.items():
        place = _new(folder / f"kilonerf-{told}")
        torch.save(content, place / "checkpoint_0000010.pth")
        for name, text in files.items():
            (place / name).write_text(text)
    torch.save(torch.rand(2, 4, 2) < 0.5, folder / "kilonerf-bbox" / "occupancy.pth")
    kilo_nodes.save_nodes(kilo_nodes.kilo_nodes(state, (1, 2, 1)), _new(folder / "kilonerf-nodes") / "checkpoint.pth")
    teacher = {"pts_linears.0": (4, 63), "pts_linears.1": (4, 4), "feature_linear": (4, 4), "alpha_linear": (1, 4)}
    teacher |= {"views_linears.0": (4, 4 + 27), "rgb_linear": (3, 4)}
    content = {"global_step": 6, "model_state_dict": random_state(teacher)}
    torch.save(content, _new(folder / "kilonerf-teacher") / "checkpoint_0600000.pth")
    torch.save({"epoch": 6, "model": random_state(teacher)}, _new(folder / "renamed") / "nerf.pth")


def _voxels(folder: Path) -> None:
    """TensoRF and DirectVoxGO."""
    for kind, mode in (("split", "MLP_Fea"), ("split", "SH"), ("vm", "MLP_PE"), ("cp", "MLP"), ("cp", "RGB")):
        torch.save(tensorf.checkpoint(kind, mode), _new(folder / f"tensorf-{kind}-{mode}") / "scene.th")
    torch.save(tensorf.with_mask(tensorf.checkpoint("split")), _new(folder / "tensorf-mask") / "scene.th")
    for kind in (*dvgo.DVGO_KINDS, "planes"):
        place = _new(folder / f"dvgo-{kind.replace(' ', '-')}")
        dvgo.write_dvgo(place / "fine_last.tar", dvgo.dvgo(kind), legacy="release" in kind)
        if kind in ("direct", "planes"):
            (place / "config.py").write_text(
                "expname = 'dvgo'\ndata = dict(\n    datadir='./data', dataset_type='llff', white_bkgd=False,\n"
                "    movie_render_kwargs=dict(scale=1.0), inverse_y=True)\ncoarse_train = dict(N_iters=5000)\n"
            )


def _trees(folder: Path) -> None:
    """Plenoxels and PlenOctrees."""
    for count in (1, 9):
        plenoxels.write_npz(_new(folder / f"plenoxels-{count}") / "ckpt.npz", plenoxels.plenoxels(count))
    first = plenoxels.plenoxels(4)
    del first["basis_type"]
    first["data"] = np.concatenate([first.pop("density_data"), first.pop("sh_data")], 1, dtype=np.float32)
    plenoxels.write_npz(_new(folder / "plenoxels-first") / "ckpt.npz", first)
    for form in ("SH4", "SG5", "RGBA"):
        plenoxels.write_npz(_new(folder / f"plenoctree-{form}") / "tree.npz", plenoctree.plenoctree(form))
    for retained in (0, 4):
        content = plenoctree.quantised(plenoctree.plenoctree(), retained)
        content["quant_colors"] = content["quant_colors"][:, :9]
        content["quant_map"] = content["quant_map"] % 9
        plenoxels.write_npz(_new(folder / f"plenoctree-quantised-{retained}") / "tree.npz", content)


def _ngp(folder: Path) -> None:
    cases = {"two": {}, "wide": {"levels": 8, "features": 4, "growth": 0.0}, "float": {"wide": True, "aabb_scale": 1}}
    cases |= {"smooth": {"smooth": True, "mitsuba": True}, "hdr": {"hdr": True, "rgb": "CutlassMLP", "outputs": 8}}
    for name, change in cases.items():
        instant_ngp.save_snapshot(folder / f"ngp-{name}", instant_ngp.snapshot(**change, log2=5))
    data = msgpack.packb(instant_ngp.snapshot(log2=5), use_single_float=True)
    (_new(folder / "ngp-gzip") / "base.ingp").write_bytes(gzip.compress(data, mtime=0))
    (_new(folder / "ngp-zlib") / "base.ingp").write_bytes(zlib.compress(data))


def _nerfstudio(folder: Path) -> None:
    sides = {16: 2, 16 + 63: 2 + 63, 12: 2, 27 + 16: 27 + 2}
    shapes = narrow(VANILLA, sides)
    state = {
        f"{part}.{k}": v
        for i, part in enumerate(("field_coarse", "field_fine"))
        for k, v in random_state(shapes, i).items()
    }
    options = "    background_color: white\n    collider_params: {near_plane: 1.5, far_plane: 7.0}\n"
    options += "    num_coarse_samples: 48"
    nerfstudio_run.save_run(folder / "vanilla", state, nerfstudio_run.config_text("vanilla-nerf", options))
    transforms = {"transform": [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3]], "scale": 0.5}
    (folder / "vanilla" / "dataparser_transforms.json").write_text(json.dumps(transforms))
    for i, layout in enumerate(nerfacto.LAYOUTS):
        state = nerfacto.nerfacto_state(layout)
        state[f"field.{layout[0]}"] = state[f"field.{layout[0]}"][: nerfacto.LEVELS << 5].clone()
        state["field.log2_hashmap_size"] = torch.tensor(5)
        options = nerfacto.nerfacto_options(near_plane=0.1, far_plane=500.0, disable_scene_contraction=i == 2)
        nerfstudio_run.save_run(folder / f"nerfacto-{i}", state, nerfstudio_run.config_text("nerfacto", options))
