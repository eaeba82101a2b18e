"""From a trained NeRF to a bundle. Needs the ``bake`` extra."""

import os

# Before torch is imported. OpenMP threads that spin while they wait take the cores from the threads they wait for;
# on a machine that is busy otherwise, this slows everything down badly. With no spinning at all, waking them takes a
# good part of a training step; GNU's library spins for a few microseconds, other libraries not at all.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
