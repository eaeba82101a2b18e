"""The ways to run the shading network on a frame, and the choice among them."""
