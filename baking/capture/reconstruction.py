"""Structure from motion by COLMAP (Schoenberger and Frahm, CVPR 2016), in a process of its own.

The process gets a folder with ``task.json`` and grey pictures made by duplex: COLMAP never reads a stranger's file.
It prints one JSON object a line: ``{"stage", "done", "total"}`` as it goes on, at last ``{"facts"}``. Features and
matches stay in ``database.db``, from which a second run goes on. The largest model is written beside it, in pixels of
the upright photos.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pycolmap

from duplex.app.core.arrays import Array
from duplex.baking.capture.pairs import Pair, pairs_to_match
from duplex.baking.capture.world import upright_world

DATABASE = "database.db"
PAIRS = "pairs.txt"
FEATURES_AT_ONCE, PAIRS_AT_ONCE = 4, 100
FEWEST_IN_MODEL = 3
MAX_MODELS = 8
MAX_SHIFT = 0.05  # of the longer side, by which a principal point may leave the middle
FOCAL_RATIOS, MAX_DISTORTION = (0.2, 8.0), 1.0  # of the longer side; of any coefficient
FOCAL_FACTOR = 1.2  # of the longer side: the focal length to begin with, where EXIF has none


def main() -> None:
    """Reconstruct the folder that the last argument names."""
    pycolmap.logging.minloglevel = 4
    folder = Path(sys.argv[-1])
    task = json.loads((folder / "task.json").read_text("utf-8"))
    pycolmap.set_random_seed(task["seed"])
    _extract(folder, task)
    pairs = _match(folder, task)
    print(json.dumps({"facts": _map(folder, task, pairs)}), flush=True)


def _say(stage: str, done: int, total: int) -> None:
    print(json.dumps({"stage": stage, "done": done, "total": total}), flush=True)


def _extract(folder: Path, task: dict[str, Any]) -> None:
    """SIFT features of the pictures that have none yet; one camera for all, or one for each."""
    names = [image["name"] for image in task["images"]]
    done = _stored(folder)
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = task["threads"]
    options.use_gpu = False
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = task["model"]
    reader.default_focal_length_factor = FOCAL_FACTOR
    mode = pycolmap.CameraMode.SINGLE if task["one_camera"] else pycolmap.CameraMode.PER_IMAGE
    left = [name for name in names if name not in done]
    _say("features", len(names) - len(left), len(names))
    for start in range(0, len(left), FEATURES_AT_ONCE):
        part = left[start : start + FEATURES_AT_ONCE]
        if task["one_camera"] and len(left) - start < len(names):
            reader.existing_camera_id = 1
        pycolmap.extract_features(folder / DATABASE, folder, part, mode, reader, options, pycolmap.Device.cpu)
        _say("features", len(names) - len(left) + start + len(part), len(names))
    _set_focal_lengths(folder, task)


def _stored(folder: Path) -> set[str]:
    """The names of the pictures whose features the database holds."""
    with pycolmap.Database.open(folder / DATABASE) as database:
        return {x.name for x in database.read_all_images() if database.exists_descriptors(x.image_id)}


def _set_focal_lengths(folder: Path, task: dict[str, Any]) -> None:
    """Begin with the focal lengths that the photos tell."""
    focal = {image["name"]: image["focal"] for image in task["images"] if image["focal"]}
    with pycolmap.Database.open(folder / DATABASE) as database:
        for image in database.read_all_images():
            if image.name in focal:
                camera = database.read_camera(image.camera_id)
                if not camera.has_prior_focal_length:
                    camera.focal_length = focal[image.name]
                    camera.has_prior_focal_length = True
                    database.update_camera(camera)


def _match(folder: Path, task: dict[str, Any]) -> list[Pair]:
    """Match and verify pairs of pictures that are not matched yet; returns all of them, by the pictures' numbers."""
    names = [image["name"] for image in task["images"]]
    with pycolmap.Database.open(folder / DATABASE) as database:
        ids = {x.name: x.image_id for x in database.read_all_images()}
        features = [_scales_and_descriptors(database, ids[name]) for name in names]
        pairs = pairs_to_match(features, task["of_video"])
        left = [(i, j) for i, j in pairs if not database.exists_two_view_geometry(ids[names[i]], ids[names[j]])]
    del features
    options = pycolmap.FeatureMatchingOptions()
    options.num_threads = task["threads"]
    options.use_gpu = False
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = folder / PAIRS
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = task["seed"]
    _say("matches", len(pairs) - len(left), len(pairs))
    for start in range(0, len(left), PAIRS_AT_ONCE):
        part = left[start : start + PAIRS_AT_ONCE]
        (folder / PAIRS).write_text("".join(f"{names[i]} {names[j]}\n" for i, j in part), "utf-8")
        pycolmap.match_image_pairs(folder / DATABASE, options, pairing, verification, pycolmap.Device.cpu)
        _say("matches", len(pairs) - len(left) + start + len(part), len(pairs))
    return pairs


def _scales_and_descriptors(database: Any, image: int) -> tuple[Array, Array]:
    if not database.exists_descriptors(image):
        return np.zeros(0, np.float32), np.zeros((0, 128), np.uint8)
    descriptors = np.asarray(database.read_descriptors(image).data)
    keypoints = np.asarray(database.read_keypoints(image))
    scale = keypoints[:, 2] if keypoints.shape[1] == 4 else np.hypot(keypoints[:, 2], keypoints[:, 4])
    return scale, descriptors


def _map(folder: Path, task: dict[str, Any], pairs: list[Pair]) -> dict[str, Any]:
    """Reconstruct incrementally, write the largest model, and say what happened."""
    options = pycolmap.IncrementalPipelineOptions()
    options.num_threads = task["threads"]
    options.random_seed = task["seed"]
    options.min_model_size = FEWEST_IN_MODEL
    options.max_num_models = MAX_MODELS
    options.extract_colors = False
    total = len(task["images"])
    placed = Counter[str]()

    def one_more() -> None:
        placed["images"] += 1
        _say("poses", min(placed["images"], total), total)

    _say("poses", 0, total)
    with TemporaryDirectory(dir=folder) as models_folder:  # COLMAP writes what is not needed
        models = pycolmap.incremental_mapping(
            folder / DATABASE,
            folder,
            models_folder,
            options,
            initial_image_pair_callback=one_more,
            next_image_callback=one_more,
        )
    facts = _matching_facts(folder, task)
    if models:
        sizes = {number: model.num_reg_images() for number, model in models.items()}
        best = models[max(sizes, key=lambda number: (sizes[number], -number))]
        facts["others"] = sorted((size for size in sizes.values()), reverse=True)[1:]
        if task["one_camera"]:
            _refine_lens(best)
        _drop_impossible(best)
        facts["error"] = best.compute_mean_reprojection_error()
        _enlarge(best, task)
        facts["placed"] = sorted(image.name for image in best.images.values() if image.has_pose)
        _set_upright(best)
        best.write_binary(folder)
        facts["points"] = best.num_points3D()
    return facts


def _refine_lens(model: Any) -> None:
    """Refine everything with the principal point, which many photos of one lens determine; keep an unlikely one out."""
    before = {number: _principal_point(camera) for number, camera in model.cameras.items()}
    refined = pycolmap.Reconstruction(model)
    options = pycolmap.BundleAdjustmentOptions()
    options.refine_principal_point = True
    options.print_summary = False
    pycolmap.bundle_adjustment(refined, options)
    for number, camera in refined.cameras.items():
        if np.abs(_principal_point(camera) - before[number]).max() > MAX_SHIFT * max(camera.width, camera.height):
            return
    pycolmap.bundle_adjustment(model, options)


def _drop_impossible(model: Any) -> None:
    """Take photos out whose lens came out impossible: too little in them was found again."""
    for image in list(model.images.values()):
        if image.has_pose and model.camera(image.camera_id).has_bogus_params(*FOCAL_RATIOS, MAX_DISTORTION):
            model.deregister_frame(image.frame_id)


def _principal_point(camera: Any) -> Array:
    return np.array([camera.principal_point_x, camera.principal_point_y])


def _matching_facts(folder: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Features of each picture, and how many of the matched pairs there are of each kind of two-view geometry."""
    with pycolmap.Database.open(folder / DATABASE) as database:
        ids = {x.name: x.image_id for x in database.read_all_images()}
        counts = [database.num_keypoints_for_image(ids[x["name"]]) for x in task["images"]]
        _, geometries = database.read_two_view_geometries()
    kinds = Counter(pycolmap.TwoViewGeometryConfiguration(x.config).name for x in geometries)
    return {"features": counts, "kinds": dict(kinds), "placed": [], "others": []}


def _enlarge(model: Any, task: dict[str, Any]) -> None:
    """Turn the grey pictures' names and pixels into those of the upright photos."""
    of_name = {image["name"]: image for image in task["images"]}
    scaled = set[int]()
    for image in model.images.values():
        photo = of_name[image.name]
        camera = model.camera(image.camera_id)
        if image.camera_id not in scaled:
            scaled.add(image.camera_id)
            camera.rescale(photo["width"], photo["height"])
        for point in image.points2D:
            point.xy = point.xy * [photo["width"] / photo["small"][0], photo["height"] / photo["small"][1]]
        image.name = photo["photo"]


def _set_upright(model: Any) -> None:
    """Turn, move and scale the model's arbitrary world into the one that :mod:`world` defines."""
    images = [image for image in model.images.values() if image.has_pose]
    poses = np.tile(np.eye(4), (len(images), 1, 1))
    for pose, image in zip(poses, images, strict=True):
        pose[:3] = image.cam_from_world().inverse().matrix() * [1, -1, -1, 1]
    points = np.array([point.xyz for point in model.points3D.values()]).reshape(-1, 3)
    scale, rotation, translation = upright_world(poses, points)
    model.transform(pycolmap.Sim3d(scale, pycolmap.Rotation3d(rotation), translation))


if __name__ == "__main__":
    main()
