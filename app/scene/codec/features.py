"""A shell's features in few bytes: entropy-coded wavelet coefficients of mixed channels, which give 8-bit texels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from safetensors import numpy as safetensors

from duplex.app.core.arrays import Array
from duplex.app.core.errors import DuplexError
from duplex.app.scene.codec import wavelet
from duplex.app.scene.codec.entropy import (
    CLASSES,
    LEAST_ZERO,
    MAX_SYMBOL,
    MAX_WEIGHT,
    TERMS,
    Decoder,
    Details,
    Encoder,
    EntropyModel,
    Visit,
    classes_of,
    code_coarse,
    code_details,
    present_in,
    shapes_of,
)
from duplex.app.scene.codec.wavelet import ORIENTATIONS

FRACTION_BITS = 22  # of the mixing matrix
MAX_LEVELS = 8
MAX_SCALE = 1 << 14
MAX_MIX = 1 << 28
FREE_TEXELS = 1 << 20  # that any part may hold
VALUES_FOR_A_BYTE = 256
FINE_LEVELS = 4  # that a first picture is drawn without
STRIP = 64  # rows that are mixed at once


@dataclass(frozen=True)
class PackedFeatures:
    """The features of one shell.

    * ``coarse``: (h, w, k) int32, and ``details``: the bands of each level, the coarsest first, each (.., .., k) int32.
    * ``scales``: (levels + 1, 3) int32: a level's coefficients of an orientation times their scale are its values in
      fixed point; the first row's first number is that of the coarse band.
    * ``mix``: (k, c) int32 and ``shift``: (c,) int32: a texel is ``(values @ mix + shift) >> 22``, within 0 to 255.
    * ``entropy``: the model of the entropy coding; ``coarse_classes``: (k,) uint8, of each channel's coarse band.
    """

    coarse: Array
    details: Details
    scales: Array
    mix: Array
    shift: Array
    entropy: EntropyModel
    coarse_classes: Array

    def texels(self) -> Array:
        """The texels (height, width, c) uint8."""
        rows, columns = self.details[-1][0].shape[:2]
        values = np.empty((2 * rows, 2 * columns, len(self.mix)), np.int32)
        for c in range(len(self.mix)):
            one = slice(c, c + 1)
            details = [
                (level[0][:, :, one] * scale[0], level[1][:, :, one] * scale[1], level[2][:, :, one] * scale[2])
                for level, scale in zip(self.details, self.scales[1:], strict=True)
            ]
            values[:, :, one] = wavelet.inverse(self.coarse[:, :, one] * self.scales[0, 0], details)
        texels = np.empty((*values.shape[:2], self.mix.shape[1]), np.uint8)
        for top in range(0, len(values), STRIP):
            # whole numbers below 2^53, so this product is exact in whatever order it is summed
            mixed = values[top : top + STRIP].astype(np.float64) @ self.mix.astype(np.float64) + self.shift
            texels[top : top + STRIP] = np.floor(mixed / (1 << FRACTION_BITS)).clip(0, 255)
        return texels

    def write(self) -> tuple[bytes, bytes, bytes]:
        """The model, the coarse band with the coarser levels, and the finest ones."""
        present = present_in(self.details)
        fine = min(FINE_LEVELS, len(present) - 1)
        tensors = {
            "scales": self.scales.astype(np.int32),
            "mix": self.mix.astype(np.int32),
            "shift": self.shift.astype(np.int32),
            "weights": self.entropy.weights.astype(np.uint16),
            "classes": self.entropy.classes.astype(np.uint16),
            "largest": np.array([self.entropy.largest], np.uint16),
            "coarse_classes": self.coarse_classes.astype(np.uint8),
            "present": present.astype(np.uint8),
            "fine_levels": np.array([fine], np.uint8),
        }
        first, second = Encoder(self.entropy), Encoder(self.entropy)
        code_coarse(self.coarse.shape[:2], self.coarse_classes, first.code, self.coarse)
        code_details(
            shapes_of(self.details),
            present,
            _visit(self.entropy.weights, fine, first, second),
            self.details,
        )
        return bytes(safetensors.save(tensors)), first.finish(), second.finish()


def read_texels(content: bytes, lengths: list[int], shape: list[int], name: str) -> Array:
    """The texels, ``shape`` (height, width, channels), uint8, of :meth:`PackedFeatures.write`'s parts.

    ``content``: the parts one after the other; ``lengths``: bytes of the first two. Raises
    :class:`DuplexError`, which begins with ``name``.
    """
    height, width, channels = shape
    model, coarse = lengths
    if height * width * channels > FREE_TEXELS * channels + VALUES_FOR_A_BYTE * len(content):
        raise DuplexError(f"{name}: {height} x {width} texels in {len(content)} bytes: a damaged or forged bundle")
    try:
        parts = content[:model], content[model : model + coarse], content[model + coarse :]
        return _decoded(*parts, height, width, channels).texels()
    except BaseException as error:  # a panic of constriction is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
        reason = str(error)[:80]
        raise DuplexError(f"{name}: not the features of a shell ({reason}): a damaged bundle; bake again") from None


def _visit(weights: Array, fine: int, first: Encoder | Decoder, second: Encoder | Decoder) -> Visit:
    """Codes the ``fine`` finest levels by ``second``, all others by ``first``."""

    def visit(level: int, orientation: int, terms: Array, symbols: Array | None) -> Array:
        coder = second if level >= len(weights) - fine else first
        return coder.code(classes_of(weights[level, orientation], terms), symbols)

    return visit


def _decoded(model: bytes, first: bytes, second: bytes, height: int, width: int, channels: int) -> PackedFeatures:
    tensors = safetensors.load(model)
    scales, mix, shift = (tensors[key] for key in ("scales", "mix", "shift"))
    weights, classes, present = (tensors[key] for key in ("weights", "classes", "present"))
    levels, kept = len(scales) - 1, len(mix)
    whole = all(each.dtype == np.int32 for each in (scales, mix, shift))
    shapes = {
        "scales": (scales, (levels + 1, ORIENTATIONS)),
        "mix": (mix, (kept, channels)),
        "shift": (shift, (channels,)),
        "weights": (weights, (levels, ORIENTATIONS, TERMS + 1)),
        "classes": (classes, (CLASSES, 2)),
        "present": (present, (levels, ORIENTATIONS, kept)),
        "coarse_classes": (tensors["coarse_classes"], (kept,)),
        "largest": (tensors["largest"], (1,)),
    }
    for key, (array, shape) in shapes.items():
        if array.shape != shape or array.dtype.kind not in "iu":
            raise ValueError(f"{key} of another shape")
    largest, fine = int(tensors["largest"][0]), int(tensors.get("fine_levels", np.ones(1, np.uint8))[0])
    sound = whole and 1 <= levels <= MAX_LEVELS and 1 <= kept <= channels and height % (1 << levels) == 0
    sound &= 0 <= fine < max(levels, 2)
    bounded = scales.min() > 0 and scales.max() <= MAX_SCALE and np.abs(mix).max() <= MAX_MIX
    entropic = weights.max() < MAX_WEIGHT and 0 < largest <= MAX_SYMBOL and tensors["coarse_classes"].max() < CLASSES
    entropic &= classes[:, 0].min() >= LEAST_ZERO
    if not (sound and bounded and entropic and width % (1 << levels) == 0):
        raise ValueError("numbers out of their range")
    entropy = EntropyModel(weights, classes, largest)
    one, two = Decoder(entropy, first), Decoder(entropy, second)
    sizes = [(height >> levels - i, width >> levels - i) for i in range(levels)]
    coarse = code_coarse(sizes[0], tensors["coarse_classes"], one.code, None)
    coded = sizes if second else sizes[: levels - fine]  # without the fine part the picture is a coarse one
    details = code_details(coded, present > 0, _visit(weights, fine, one, two), [])
    details += [tuple(np.zeros((*size, kept), np.int32) for _ in range(3)) for size in sizes[len(coded) :]]  # type: ignore[misc]
    one.finish()
    two.finish()
    return PackedFeatures(coarse, details, scales, mix, shift, entropy, tensors["coarse_classes"])
