"""One module for each family of checkpoints, grouped by how its field stores the scene."""
