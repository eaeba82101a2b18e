"""Families whose field is a voxel grid, whole or factorised."""
