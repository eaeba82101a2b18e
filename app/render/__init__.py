"""From a bundle and a camera to pixels, with OpenGL. No window."""
