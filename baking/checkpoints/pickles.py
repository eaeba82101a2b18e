"""SHIM, to be deleted."""


class Inert:
    state = None


LONE = "tensor"
