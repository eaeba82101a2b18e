"""Families whose field is an MLP."""
