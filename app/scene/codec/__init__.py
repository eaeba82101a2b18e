"""How a bundle's parts are stored in few bytes, and read again to the same bits on every machine (docs/bundle.md)."""
