"""duplex: bakes a trained NeRF into a duplex mesh and draws it in real time."""
