"""The matrices in a file of unknown layout: where they lie, whatever they are called."""

from __future__ import annotations

from dataclasses import dataclass

from duplex.baking.checkpoints.tree import FLOATS, MAX_TENSORS, CheckpointNode

DEPTH = 3  # of objects in objects
TRAINING = ("optim", "sched")  # in the names of members that hold tensors of the same shapes as the layers


@dataclass(frozen=True)
class NamedArray:
    """An array of floating point numbers: the member ``key`` of ``holder``; ``path``: all keys that lead to it."""

    holder: CheckpointNode
    key: str
    path: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        """The keys in one text."""
        return ".".join(self.path)


def parts_of(root: CheckpointNode, most: int = MAX_TENSORS) -> list[NamedArray]:
    """The arrays in a file, at most ``most`` and three objects deep, without the state of a training."""
    found: list[NamedArray] = []
    places: list[tuple[CheckpointNode, tuple[str, ...]]] = [(root, ())]
    for place, above in places:
        for key in place.names()[: most - len(found)]:
            path = (*above, key)
            shape = place.shape(key)
            if shape is not None and place.dtype(key) in FLOATS:
                found.append(NamedArray(place, key, path, shape))
            elif len(above) < DEPTH and len(places) < most and _is_part(place, key):
                places.append((place.at(key), path))
    return found


def _is_part(place: CheckpointNode, key: str) -> bool:
    return place.at(key).is_object and not any(word in key.lower() for word in TRAINING)
