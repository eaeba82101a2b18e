"""Why photos could not be posed, or not all of them: one sentence from what matching found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from duplex.app.core.tree import shown

FEW_FEATURES = 200  # of a photo: blurred, dark, or of a wall
TURN_SHARE = 0.6  # of the pairs that agree, those that a turn on the spot or a plane explains
FEW_PAIRS = 0.5  # pairs that agree for each photo, below which photos do not overlap
MAX_NAMES = 5
TURNED = ("PANORAMIC", "PLANAR_OR_PANORAMIC")
AGREEING = ("CALIBRATED", "UNCALIBRATED", "PLANAR", *TURNED)
BARE = "photograph things with texture, near enough to be sharp"
TURN = "take steps to the side between photos: turning on the spot shows no depth"


@dataclass(frozen=True)
class Matching:
    """What matching found.

    ``names``: of all photos; ``features``: of each; ``kinds``: matched pairs by COLMAP's kind of two-view geometry;
    ``placed``: the names of the photos with a pose; ``others``: photos in each smaller model; ``points``: in space;
    ``error``: mean error of these in the photos, pixels.
    """

    names: list[str]
    features: list[int]
    kinds: dict[str, int]
    placed: list[str]
    others: list[int]
    points: int = 0
    error: float = 0.0

    @classmethod
    def of(cls, facts: dict[str, Any], names: list[str]) -> Matching:
        """From the facts that the process reported, whose members it made itself."""
        known = {
            key: facts[key] for key in ("features", "kinds", "placed", "others", "points", "error") if key in facts
        }
        return cls(names, **known)

    @property
    def bare(self) -> list[str]:
        """Photos that show hardly anything to hold on to."""
        return [name for name, count in zip(self.names, self.features, strict=True) if count < FEW_FEATURES]

    @property
    def agreeing(self) -> int:
        """Pairs of photos that show the same thing."""
        return sum(self.kinds.get(kind, 0) for kind in AGREEING)

    def failure(self) -> str:
        """Why there are no poses, what was expected, and the remedy."""
        count = len(self.names)
        if len(self.bare) > count / 2:
            return (
                f"{len(self.bare)} of {count} photos show fewer than {FEW_FEATURES} points to recognise, "
                f"{shown(self.bare[0])} first: expected sharp photos of things with texture: {BARE}"
            )
        if self.agreeing < max(FEW_PAIRS * count, 2):
            return (
                f"{self.agreeing} pairs of {count} photos show the same thing: expected each photo to share half of "
                "what it shows with the next: take them a step apart, of a scene in which nothing moves"
            )
        if sum(self.kinds.get(kind, 0) for kind in TURNED) > TURN_SHARE * self.agreeing:
            return f"the {count} photos were taken from one spot, or show a plane: expected different positions: {TURN}"
        return (
            f"the {count} photos agree in pairs, but not together: expected one scene in which nothing moves, from "
            "many positions: leave out photos in which things move, mirrors and repeated patterns, or take more"
        )

    def notes(self) -> list[str]:
        """Lines for the user about photos without a pose."""
        placed = set(self.placed)
        missing = [name for name in self.names if name not in placed]
        if not missing:
            return []
        named = ", ".join(shown(name) for name in missing[:MAX_NAMES])
        more = f" and {len(missing) - MAX_NAMES} more" if len(missing) > MAX_NAMES else ""
        why = "nothing in them was found again in the others"
        if self.others and max(self.others) > 1:
            sizes = ", ".join(map(str, self.others))
            why = f"they show another place, or no way leads there: models of {sizes} photos are not used"
        elif set(missing) <= set(self.bare):
            why = f"they show fewer than {FEW_FEATURES} points to recognise"
        return [f"note: {len(missing)} of {len(self.names)} photos are left out, {named}{more}: {why}"]
