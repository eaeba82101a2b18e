"""Trained NeRFs on disk: one module for each family of checkpoints, told apart by content."""
