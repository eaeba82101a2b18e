"""What runs the shading network: fragment shaders, compute shaders or ONNX Runtime."""
