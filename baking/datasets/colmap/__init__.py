"""COLMAP reconstructions, binary and text."""
