"""``duplex-viewer`` and what it does without a window."""
