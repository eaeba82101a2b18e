"""The HTML report of an evaluation: one self-contained file with embedded plots and pictures."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from duplex.app.core.arrays import Array
from duplex.app.core.errors import printable
from duplex.app.render.passes.comparison import ERROR_RANGE
from duplex.baking.evaluation.comparison import Compared
from duplex.baking.evaluation.evaluation import Evaluation
from duplex.baking.evaluation.worst_crops import Crop

TEMPLATE = Path(__file__).with_name("report.html.jinja")
MAX_SHOWN_HEIGHT = 400  # pixels
ENLARGED = 3  # times, of the worst crops
MAX_BARS = 40
MAX_NUMBER = 1e15
STYLE: Any = {
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9,
    "text.parse_math": False,  # names come from untrusted bundles
}
MEASURES = {"psnr": "PSNR, dB", "ssim": "SSIM", "lpips_vgg": "LPIPS (VGG)", "lpips_alex": "LPIPS (Alex)"}
OPACITY = {
    "backgrounds": "PSNR on backgrounds",
    "boundary_psnr": "PSNR along silhouettes",
    "alpha_error": "error of alpha",
    "rings": "PSNR at times the cameras' distance",
    "elsewhere": "PSNR from where no camera stood, dB",
    "specks": "specks in a turn",
    "holes": "share of the pixels that are holes along the photos",
}


def html_report(result: Evaluation, path: Path) -> bytes:
    """The report of ``result`` as HTML; ``path``: the bundle's file."""
    bundle, report = result.bundle, result.report
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
    template = jinja2.Template(TEMPLATE.read_text("utf-8"), autoescape=True)
    blocks = [
        {
            "title": f"Against the {against}",
            "means": {
                name: [block[key] for key in MEASURES]
                for name, block in (("bundle", report[against]), ("teacher", report[against].get("teacher")))
                if block
            },
            "opacity": {title: report[against].get(key) for key, title in OPACITY.items()},
            "plot": _per_view([view.quality.__dict__ for view in views]),
            "pictures": [_row(i, view) for i, view in enumerate(views) if view.drawn is not None],
        }
        for against, views in result.compared.items()
    ]
    html = template.render(
        name=printable(path.name),
        bundle=bundle,
        report=report,
        blocks=blocks,
        measures=MEASURES.values(),
        worst=[_worst(crop) for crop in result.judge.worst.crops],
        curve=_curve(bundle.report.get("curve")),
        sizes=_bars({part.filename: part.compress_size / 1000 for part in parts}, "kB in the bundle"),
        seconds=_bars(_numbers(bundle.report.get("seconds")), "seconds of the bake"),
        frames=_bars(
            {f"{side} x {side}": 1000 * seconds for side, seconds in result.frame_seconds().items()},
            "milliseconds a frame",
        ),
        error_range=ERROR_RANGE,
        colors=_data_uri(_colored(np.linspace(0, ERROR_RANGE, 256)[None].repeat(12, 0))),
    )
    return bytes(html.encode("utf-8", "replace"))


def error_map(drawn: Array, reference: Array) -> Array:
    """Mean absolute difference of the channels of two (h, w, 3) pictures in [0, 1], coloured: (h, w, 3) uint8."""
    return _colored(np.abs(drawn - reference).mean(-1))


def _colored(error: Array) -> Array:
    rgba = matplotlib.colormaps["magma"](np.clip(error / ERROR_RANGE, 0, 1), bytes=True)
    return np.asarray(rgba[..., :3])


def _row(index: int, view: Compared) -> dict[str, Any]:
    assert view.drawn is not None and view.reference is not None
    pictures = [(255 * x).round().astype(np.uint8) for x in (view.reference, view.drawn)]
    pictures.append(error_map(view.drawn, view.reference))
    return {"index": index, "quality": view.quality, "sources": [_data_uri(picture) for picture in pictures]}


def _worst(crop: Crop) -> dict[str, Any]:
    """A crop beside its reference, enlarged without interpolation."""
    pictures = [(255 * x).round().astype(np.uint8) for x in (crop.reference, crop.drawn)]
    enlarged = [picture.repeat(ENLARGED, 0).repeat(ENLARGED, 1) for picture in pictures]
    return {"label": crop.label, "view": crop.view, "psnr": crop.psnr, "sources": [_data_uri(x) for x in enlarged]}


def _data_uri(picture: Array) -> str:
    image = Image.fromarray(picture)
    buffer = io.BytesIO()
    if image.height > MAX_SHOWN_HEIGHT:
        image = image.resize((max(image.width * MAX_SHOWN_HEIGHT // image.height, 1), MAX_SHOWN_HEIGHT))
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _per_view(qualities: list[dict[str, float | None]]) -> str:
    shown = [key for key in MEASURES if all(quality[key] is not None for quality in qualities)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 1.7 * ((len(shown) + 1) // 2)), layout="constrained")
        for i, key in enumerate(shown):
            axes = figure.add_subplot((len(shown) + 1) // 2, 2, i + 1)
            axes.plot([quality[key] or 0 for quality in qualities], "o", markersize=4, color="#4878a8")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.set_ylabel(MEASURES[key])
            axes.set_xlabel("view")
            axes.grid(alpha=0.3)
        return _svg(figure)


def _curve(points: Any) -> str:
    """A plot of held-out PSNR over the seconds of distillation; empty if the bundle's report has no curve."""
    try:
        seconds, quality = np.array([point[1:3] for point in points], float).T
    except (TypeError, ValueError, IndexError, OverflowError):
        return ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 2.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(seconds, quality, marker="o", markersize=3, color="#4878a8")
        axes.set_xlabel("seconds of distillation")
        axes.set_ylabel("PSNR of held-out views, dB")
        return _svg(figure)


def _numbers(values: Any) -> dict[str, float]:
    items = values if isinstance(values, dict) else {}
    return {str(k): float(v) for k, v in items.items() if isinstance(v, int | float) and abs(v) < MAX_NUMBER}


def _bars(values: dict[str, float], label: str) -> str:
    shown = {printable(name)[:60]: value for name, value in list(values.items())[:MAX_BARS]}
    if not shown:
        return ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 0.5 + 0.28 * len(shown)), layout="constrained")
        axes = figure.add_subplot()
        bars = axes.barh(list(shown), list(shown.values()), color="#4878a8")
        axes.bar_label(bars, fmt="%.4g", padding=3)
        axes.set_xlabel(label)
        axes.invert_yaxis()
        return _svg(figure)


def _svg(figure: Figure) -> str:
    """The figure as an ``<svg>`` element, without the XML head, which has no place inside HTML."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
