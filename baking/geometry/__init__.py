"""From a density to the duplex mesh: grid, shells, texture atlas, G-buffers."""
