"""What needs no other room: errors, files, array types, measures."""
