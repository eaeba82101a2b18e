"""SHIM, to be deleted."""

from duplex.baking.checkpoints.formats.plain_yaml import read_yaml as plain_yaml
