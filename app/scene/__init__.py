"""What a bundle holds and how it is read: no OpenGL in here."""
