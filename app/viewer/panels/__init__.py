"""The panel beside the scene, one file for each section."""
