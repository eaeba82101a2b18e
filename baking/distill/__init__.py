"""Distillation: the teacher's views, crops, feature textures, the shading network, trainer, export."""
