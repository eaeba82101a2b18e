"""Families whose field is a voxel grid, dense, sparse or factorised."""
