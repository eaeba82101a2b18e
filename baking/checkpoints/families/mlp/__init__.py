"""Families whose field is a multilayer perceptron."""
