"""Radiance fields in torch: encodings, MLPs, grids, spaces, and the NeRF renderers."""
