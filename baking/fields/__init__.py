"""Radiance fields in torch: parts, spaces, and the renderers that march through them."""
