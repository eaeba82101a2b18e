"""Families whose field is already baked into an octree."""
