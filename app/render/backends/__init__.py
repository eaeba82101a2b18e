"""Backends that run the shading network: fragment shaders, compute shaders, ONNX Runtime."""
