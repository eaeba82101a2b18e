"""The window's interface: Dear ImGui on GLFW, its theme, notices and lines over the scene."""
