"""What is done with bundles that exist."""
