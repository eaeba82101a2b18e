"""From a density to the duplex mesh: density grid, shells, texture atlas, G-buffers for training."""
