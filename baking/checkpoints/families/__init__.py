"""One module for each family of checkpoints, in folders by how its field stores the scene."""
