"""From the window's events to actions."""
