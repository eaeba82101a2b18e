"""Posed photos: one module for each kind of dataset, told apart by the files in its folder."""
