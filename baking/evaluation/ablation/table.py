"""The rows of an ablation as a Markdown table."""

from __future__ import annotations

from duplex.baking.evaluation.ablation.bench import Means, Row


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table; differences are relative to the first row."""
    titles = ["variant", "multiply-adds a pixel", "unseen views", "difference", "SSIM", "LPIPS (VGG)"]
    titles += ["boundary", "difference"]
    if rows[0].photos:
        titles += ["test photos", "difference", "SSIM", "LPIPS (VGG)"]
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row in rows:
        cells = [row.name, f"{row.macs:.0f}", *_cells(row.unseen, rows[0].unseen)]
        cells += _decibels(row.unseen, rows[0].unseen, "boundary")
        if row.photos and rows[0].photos:
            cells += _cells(row.photos, rows[0].photos)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cells(means: Means, first: Means) -> list[str]:
    lpips = means["lpips_vgg"]
    perceptual = "not measured" if lpips is None else f"{lpips:.4f}"
    return [*_decibels(means, first, "psnr"), f"{means['ssim']:.4f}", perceptual]


def _decibels(means: Means, first: Means, name: str) -> list[str]:
    """A PSNR, and how much more it is than the ``first`` row's."""
    value, base = means.get(name), first.get(name)
    if value is None or base is None:
        return ["none", "none"]
    return [f"{value:.2f} dB", f"{value - base:+.2f}"]
