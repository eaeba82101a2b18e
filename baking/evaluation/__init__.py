"""How near a bundle is to its teacher and to photos, how steady and how fast."""
