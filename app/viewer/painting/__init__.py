"""How the scene gets into the window: the picture, a second view beside it, coarser while it moves."""
