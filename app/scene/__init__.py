"""The bundle and what it holds: meshes, network, cameras, paths. No OpenGL."""
