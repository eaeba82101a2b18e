"""From a trained NeRF to a bundle (needs the ``bake`` extra)."""

import os

# Before torch is imported: on a machine that does other things too, threads that spin while they wait for one
# another keep the processor from those they wait for, and everything all but stands still.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
