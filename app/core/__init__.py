"""What every room may use: errors, file writes, array types, image metrics."""
