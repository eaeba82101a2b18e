"""Posed photos, one module for each dataset format, recognised by the files in the folder."""
