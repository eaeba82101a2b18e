"""From a trained NeRF to a bundle. Needs the ``bake`` extra."""

import os

# Before torch is imported. OpenMP threads that spin while they wait take the cores from the threads they wait for;
# on a machine that is busy otherwise, this slows everything down badly.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
