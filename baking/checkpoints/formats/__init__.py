"""Readers of files: every format becomes plain data, and no object of a file's choice is ever made."""
