"""COLMAP's reconstructions, binary and text."""
