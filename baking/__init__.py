"""From a trained NeRF to a bundle (needs the ``bake`` extra)."""
