"""The families of checkpoints that duplex reads: its own, and those registered from outside."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from duplex.app.core.errors import DuplexError
from duplex.baking.checkpoints.families.baked.plenoctree import PlenOctreeFamily
from duplex.baking.checkpoints.families.grid.dvgo import DvgoFamily
from duplex.baking.checkpoints.families.grid.plenoxels import PlenoxelsFamily
from duplex.baking.checkpoints.families.grid.tensorf import TensorfFamily
from duplex.baking.checkpoints.families.hash.instant_ngp import InstantNgpFamily
from duplex.baking.checkpoints.families.hash.nerfacto import NerfactoFamily
from duplex.baking.checkpoints.families.mlp.fastnerf import FastNerfFamily
from duplex.baking.checkpoints.families.mlp.jaxnerf import JaxNerfFamily
from duplex.baking.checkpoints.families.mlp.kilonerf import KiloNerfFamily
from duplex.baking.checkpoints.families.mlp.layernorm import LayerNormFamily
from duplex.baking.checkpoints.families.mlp.nerf_pl import NerfPlFamily
from duplex.baking.checkpoints.families.mlp.nerf_pytorch import NerfPytorchFamily
from duplex.baking.checkpoints.families.mlp.nerf_pytorch_flexible import NerfPytorchFlexibleFamily
from duplex.baking.checkpoints.families.mlp.nerf_tensorflow import NerfTensorflowFamily
from duplex.baking.checkpoints.families.mlp.nerfstudio_vanilla import NerfstudioVanillaFamily
from duplex.baking.checkpoints.families.mlp.renamed import RenamedFamily
from duplex.baking.checkpoints.families.mlp.tinynerf_slang import TinyNerfFamily
from duplex.baking.checkpoints.family import Family
from duplex.baking.checkpoints.files import Checkpoint

ENTRY_POINTS = "duplex.families"

# In the order in which they are asked: the more telling layouts first.
BUILT_IN: tuple[Family, ...] = (
    NerfPytorchFlexibleFamily(),
    NerfPytorchFamily(),
    NerfTensorflowFamily(),
    TensorfFamily(),
    DvgoFamily(),
    PlenoxelsFamily(),
    PlenOctreeFamily(),
    FastNerfFamily(),
    JaxNerfFamily(),
    LayerNormFamily(),
    NerfPlFamily(),
    TinyNerfFamily(),
    InstantNgpFamily(),
    NerfstudioVanillaFamily(),
    NerfactoFamily(),  # takes every other nerfstudio run, to say which method it is of
    KiloNerfFamily(),
    RenamedFamily(),  # by shapes alone: what no family knows by names
)

_registered: list[Family] = []


def register(family: Family) -> None:
    """Read checkpoints of ``family`` too, in this process; see :mod:`duplex.baking.checkpoints.family`.

    It is asked before the built-in families, so ``matches`` must be narrow. Raises :class:`DuplexError` when a family
    of that name is there already.
    """
    if family.name in [known.name for known in families()]:
        raise DuplexError(f"checkpoint family {family.name}: registered already: give it another name")
    _registered.append(family)


def families() -> tuple[Family, ...]:
    """All families in the order in which they are asked: registered ones, those of entry points, built-in ones."""
    return (*_registered, *_installed(), *BUILT_IN)


def family_of(checkpoint: Checkpoint) -> Family | None:
    """The first family that ``checkpoint`` matches; None for a file of unknown layout."""
    return next((family for family in families() if family.matches(checkpoint)), None)


def state_classes() -> tuple[str, ...]:
    """The classes that files of any family may pickle, each once."""
    return tuple(dict.fromkeys(name for family in families() for name in family.state_classes))


@cache
def _installed() -> tuple[Family, ...]:
    """The families of installed packages' entry points, in the order of their names."""
    found = sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    return tuple(_loaded(point) for point in found)


def _loaded(point: EntryPoint) -> Family:
    try:
        family: Family = point.load()
    except Exception as error:  # whatever importing somebody else's package raises
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise DuplexError(
            f"entry point {point.name} of {ENTRY_POINTS} ({point.value}): not loaded ({reason}): "
            "mend or uninstall that package"
        ) from None
    return family
