"""What is learned from the teacher: views, features, the shading network, and their export."""
