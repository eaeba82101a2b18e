"""The viewer's camera: its controls, and the editor of its path."""
