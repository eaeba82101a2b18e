"""How the JSON of datasets writes a lens: one spelling for each of its entries, and the others that are read too."""

from __future__ import annotations

import math
from typing import Any

from duplex.app.core.errors import DuplexError
from duplex.app.core.tree import MAX_NUMBER, Node, shown
from duplex.baking.datasets.distortion import Distortion
from duplex.baking.datasets.lens import Lens
from duplex.baking.datasets.pictures import Size

MAX_NAMED_SIDE = 1 << 17
PERSPECTIVE = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
OTHER_MODELS = {
    "PERSPECTIVE": "PINHOLE",
    "BROWN": "OPENCV",
    "RADTAN": "OPENCV",
    "FISHEYE": "OPENCV_FISHEYE",
    "EQUIDISTANT": "OPENCV_FISHEYE",
    "KANNALA_BRANDT": "OPENCV_FISHEYE",
}
OTHER_LENSES = ("ftheta_p0", "latlong", "equirectangular", "orthographic")
FOCAL_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y")
COEFFICIENTS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
CROP = "fisheye_crop_radius"
KEYS = (*FOCAL_KEYS, *COEFFICIENTS, *OTHER_LENSES, CROP, "w", "h", "cx", "cy", "camera_model", "is_fisheye")
SEPARATORS = str.maketrans("", "", "_- ")  # which a spelling leaves out
SPELLINGS = {  # of numbers; letter case and underscores do not matter
    **dict.fromkeys(("fx", "focalx", "focallengthx"), "fl_x"),
    **dict.fromkeys(("fy", "focaly", "focallengthy"), "fl_y"),
    **dict.fromkeys(("ppx", "principalx", "principalpointx"), "cx"),
    **dict.fromkeys(("ppy", "principaly", "principalpointy"), "cy"),
    **dict.fromkeys(("width", "imagewidth"), "w"),
    **dict.fromkeys(("height", "imageheight"), "h"),
    **{key.translate(SEPARATORS): key for key in (*FOCAL_KEYS, *COEFFICIENTS, CROP, "w", "h", "cx", "cy")},
}
DEGREES = {"x_fov": "camera_angle_x", "y_fov": "camera_angle_y"}  # as instant-ngp writes them
MATRICES = ("K", "intrinsics", "intrinsic_matrix", "camera_intrinsics")  # of intrinsics, in pixels
LISTS = tuple(
    [f"distortion{end}" for end in ("params", "parameters", "coefficients", "coeffs", "coefs", "")]
    + [f"dist{end}" for end in ("params", "coefficients", "coeffs", "coefs", "")]
    + ["d"]
)  # spelt as in SPELLINGS
PARTS = {"radialdistortion": ("k1", "k2", "k3"), "tangentialdistortion": ("p1", "p2")}  # as Nerfies writes them
LIST = "a list of distortion"  # its key here; which entry is which depends on the model
RATIONAL = ("k1", "k2", "p1", "p2", "k3", "d1", "d2", "d3")  # as OpenCV orders them; d1: its k4, of the denominator
NERFSTUDIO = ("k1", "k2", "k3", "k4", "p1", "p2")
ORDERS = {1: ("k1",), 2: ("k1", "k2"), 3: ("k1", "k2", "k3"), 6: NERFSTUDIO}
ORDERS |= {count: RATIONAL[:count] for count in (4, 5, 8)}
FISHEYE_ORDERS = {**{count: NERFSTUDIO[:count] for count in (1, 2, 3, 4)}, 6: NERFSTUDIO}
MAX_LIST = 14  # of OpenCV; those beyond the 8th must be 0


def known_lens(holder: Node) -> dict[str, Any]:
    """Those members of a file or of a frame that describe a lens, as :data:`KEYS`; there may be many others."""
    members = holder.as_members()
    known = {key: members[key] for key in KEYS if key in holder}
    plain = {key.translate(SEPARATORS).lower(): key for key in members if key in holder}
    taken = {*known, *(FOCAL_KEYS if has_focal(known) else ())}
    for spelling, key in SPELLINGS.items():
        if key not in taken and spelling in plain:
            known[key] = number_of(holder, plain[spelling])
    for name, key in DEGREES.items():
        if name in holder and key not in known:
            known[key] = math.radians(holder.number(name, 1e-3, 179.999))
    matrix = next((key for key in MATRICES if key in holder), None)
    if matrix is not None and not has_focal(known):
        known = _pinhole_of(holder, matrix) | known
    return known | _listed_distortion(holder, plain)


def has_focal(known: dict[str, Any]) -> bool:
    """Whether a focal length or an angle is among the entries of :func:`known_lens`."""
    return any(key in known for key in FOCAL_KEYS)


def merged(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The entries of a frame: its ``own``, and those that all frames share where it has none of that kind."""
    kinds: list[tuple[str, ...]] = [FOCAL_KEYS] if has_focal(own) else []
    if LIST in own or (LIST in shared and any(key in own for key in COEFFICIENTS)):
        kinds.append((LIST, *COEFFICIENTS))
    replaced = {key for keys in kinds for key in keys}
    return {key: value for key, value in shared.items() if key not in replaced} | own


def lens_of(known: dict[str, Any], name: str) -> Lens:
    """The lens of these entries; errors begin with ``name``."""
    holder = Node(known, name)
    return Lens(
        size=_size(holder),
        fx=number_of(holder, "fl_x"),
        fy=number_of(holder, "fl_y"),
        cx=number_of(holder, "cx"),
        cy=number_of(holder, "cy"),
        angle_x=number_of(holder, "camera_angle_x"),
        angle_y=number_of(holder, "camera_angle_y"),
        distortion=_distortion(holder),
        crop_radius=holder.number(CROP, 1e-6, MAX_NUMBER) if CROP in holder else None,
    )


def number_of(holder: Node, key: str) -> float | None:
    """A finite number, or None without that key."""
    return holder.number(key, -MAX_NUMBER, MAX_NUMBER) if key in holder else None


def _pinhole_of(holder: Node, key: str) -> dict[str, Any]:
    """Focal lengths and principal point: a matrix of 3 x 3, 3 x 4 or 4 x 4, nested or flat, or fx fy cx cy."""
    rows: Any = holder.child(key).value
    if isinstance(rows, dict):
        return {name: value for name, value in known_lens(holder.child(key)).items() if name in KEYS}
    count = len(rows) if isinstance(rows, list) else 0
    if count == 4 and not isinstance(rows[0], list):
        return dict(zip(("fl_x", "fl_y", "cx", "cy"), holder.numbers(key, 4).tolist(), strict=True))
    width = len(rows[0]) if count in (3, 4) and isinstance(rows[0], list) else {9: 3, 12: 4, 16: 4}.get(count, 3)
    height = count if count in (3, 4) else count // width
    k = holder.numbers(key, max(width * height, 9)).reshape(-1, width)
    return {"fl_x": float(k[0, 0]), "fl_y": float(k[1, 1]), "cx": float(k[0, 2]), "cy": float(k[1, 2])}


def _listed_distortion(holder: Node, plain: dict[str, str]) -> dict[str, Any]:
    """The coefficients that are written as lists or as an object; ``plain``: the keys by their plain spelling."""
    found: dict[str, Any] = {}
    for spelling, names in PARTS.items():
        if spelling in plain:
            values = _numbers(holder, plain[spelling], len(names))
            found |= dict(zip(names, values, strict=False))
    for spelling in LISTS:
        key = plain.get(spelling)
        value = None if key is None else holder.child(key).value
        if key is not None and isinstance(value, dict):
            coefficients = known_lens(holder.child(key))
            return found | {name: coefficients[name] for name in COEFFICIENTS if name in coefficients}
        if key is not None and isinstance(value, list) and value:
            return found | {LIST: _numbers(holder, key, MAX_LIST)}
    return found


def _numbers(holder: Node, key: str, most: int) -> list[float]:
    """All numbers of a list, flat or in rows."""
    value: Any = holder.child(key).value
    rows = value if isinstance(value, list) and len(value) <= most else []
    count = sum(len(row) if isinstance(row, list) else 1 for row in rows)
    if not 1 <= count <= most:
        raise holder.wrong(key, f"1 to {most} numbers")
    return [float(x) for x in holder.numbers(key, count)]


def _size(holder: Node) -> Size | None:
    width, height = number_of(holder, "w"), number_of(holder, "h")
    if width is None or height is None:
        return None
    if not (1 <= width <= MAX_NAMED_SIDE and 1 <= height <= MAX_NAMED_SIDE):
        raise DuplexError(
            f"{holder.name}: w {width:g}, h {height:g}: expected the picture's size in pixels: correct it"
        )
    return round(width), round(height)


def _distortion(holder: Node) -> Distortion:
    """OpenCV's k1 k2 k3 p1 p2; k4 is the coefficient of r⁸ as in nerfstudio, of t⁸ for a fisheye."""
    members = holder.as_members()
    written = holder.text("camera_model", default="OPENCV_FISHEYE" if members.get("is_fisheye") else "OPENCV")
    model = OTHER_MODELS.get(written.upper(), written.upper())
    other = next((key for key in OTHER_LENSES if members.get(key)), None)
    if model not in PERSPECTIVE + FISHEYE or other:
        raise DuplexError(
            f"{holder.name}: camera_model {shown(other or written)}: expected one of "
            f"{', '.join(PERSPECTIVE + FISHEYE)}: undistort the pictures to one of them"
        )
    fisheye = model in FISHEYE
    c = _coefficients(holder, fisheye, model == "FULL_OPENCV")
    denominator = (c["d1"], c["d2"], c["d3"])
    return Distortion(
        (c["k1"], c["k2"], c["k3"], c["k4"]),
        denominator if any(denominator) else (),
        (0.0, 0.0) if fisheye else (c["p1"], c["p2"]),
        fisheye,
    )


def _coefficients(holder: Node, fisheye: bool, full: bool) -> dict[str, float]:
    """All coefficients by name, of which d1, d2, d3 are OpenCV's k4, k5, k6 of the denominator."""
    zeros = dict.fromkeys((*COEFFICIENTS, "d1", "d2", "d3"), 0.0)
    if LIST in holder:
        values: list[float] = list(holder.as_members()[LIST])
        while len(values) > len(RATIONAL) and values[-1] == 0:
            values.pop()
        order = (FISHEYE_ORDERS if fisheye else ORDERS).get(len(values))
        if order is None:
            raise DuplexError(
                f"{holder.name}: {len(values)} numbers of distortion: expected 4"
                f"{'' if fisheye else ', 5 or 8'} as OpenCV orders them or 6 as nerfstudio does: correct the list"
            )
        return zeros | dict(zip(order, values, strict=True))
    found = zeros | {key: number_of(holder, key) or 0.0 for key in COEFFICIENTS}
    if not fisheye and (full or found["k5"] or found["k6"]):
        found |= {"d1": found["k4"], "d2": found["k5"], "d3": found["k6"], "k4": 0.0}
    return found
