"""Makes the small parts of a bundle, which :mod:`duplex.app.scene.codec` reads."""
