"""Render passes: each compiles in ``__init__(ctx, ...)`` and draws in ``render(..., out=...)``."""
