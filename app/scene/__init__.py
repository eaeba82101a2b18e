"""The bundle and its contents: meshes, network, cameras, camera paths. No OpenGL."""
