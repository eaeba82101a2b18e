"""From the window's events to actions and camera movement."""
