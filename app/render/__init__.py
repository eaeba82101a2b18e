"""From a bundle and a camera to pixels with OpenGL; knows no window."""
