"""Families that were baked already: octrees."""
