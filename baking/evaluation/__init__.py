"""``duplex-eval``: quality against the teacher and photos, temporal stability, speed, ablation, report."""
