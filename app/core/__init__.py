"""Code that all other packages may import: errors, file writing, the array type, image metrics."""
