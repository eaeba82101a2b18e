"""``duplex-eval ablate``: a scene distilled repeatedly, each time without an idea or with more of a resource."""
