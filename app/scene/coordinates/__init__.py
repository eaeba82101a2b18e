"""Coordinate conventions: pinhole projection, and the frame of instant-ngp."""
