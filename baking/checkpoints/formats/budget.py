"""What reading a file may cost: bounds that follow from its size, so that a small file stays a small task."""

from __future__ import annotations

from pathlib import Path

from duplex.app.core.errors import DuplexError

MAX_CHECKPOINT_BYTES = 4 << 30
MAX_STEPS = 8_000_000  # of the largest real files: thousands of small networks, each a pickled object
FREE_STEPS = 100_000
BYTES_A_STEP = 4  # real pickles have more
FREE_BYTES = 64 << 20
MAX_COPIES = 16  # of the file, as numbers that are converted
MAX_RATIO = 100  # of what a file unpacks to; grids of empty space compress well
MAX_TEXT_RATIO = 20  # of the pickle in it, which holds names and references


class Budget:
    """Counts what reading ``path`` costs; raises :class:`DuplexError` where that is out of proportion.

    ``size``: of what is read, in bytes; None for that of the file.
    """

    def __init__(self, path: Path, size: int | None = None):
        self.path = path
        self.size = path.stat().st_size if size is None else size
        if self.size > MAX_CHECKPOINT_BYTES:
            raise DuplexError(f"{path}: {self.size / 2**30:.1f} GiB: checkpoints of up to 4 GiB are read")
        self.steps = min(FREE_STEPS + self.size // BYTES_A_STEP, MAX_STEPS)
        self.bytes = min(FREE_BYTES + self.size * MAX_RATIO, MAX_CHECKPOINT_BYTES)
        self.text = min(FREE_BYTES // 16 + self.size * MAX_TEXT_RATIO, MAX_CHECKPOINT_BYTES)
        self.numbers = 4 * FREE_BYTES + MAX_COPIES * self.size

    def step(self, count: int = 1) -> None:
        """Account for ``count`` more values or instructions."""
        self.steps -= count
        if self.steps < 0:
            raise DuplexError(f"{self.path}: more objects than a checkpoint of its size holds: broken or hostile")

    def unpack(self, size: int) -> None:
        """Account for ``size`` bytes that are about to be unpacked."""
        self.bytes -= size
        if self.bytes < 0:
            raise DuplexError(
                f"{self.path}: it unpacks to far more than its {self.size} bytes, over {MAX_RATIO} times or 4 GiB: "
                "broken or hostile"
            )

    def hand_out(self, size: int) -> None:
        """Account for ``size`` bytes of numbers that are made from the file."""
        self.numbers -= size
        if self.numbers < 0:
            raise DuplexError(f"{self.path}: its tensors share the same numbers over and over: broken or hostile")
