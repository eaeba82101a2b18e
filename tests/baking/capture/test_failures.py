from __future__ import annotations

from duplex.baking.capture.failures import Matching

NAMES = [f"{i}.jpg" for i in range(10)]


def matching(**more: object) -> Matching:
    known: dict[str, object] = {"features": [3000] * 10, "kinds": {"CALIBRATED": 30}, "placed": [], "others": []}
    return Matching.of(known | more, NAMES)


def test_each_failure_has_its_sentence() -> None:
    assert "10 of 10 photos show fewer than 200 points" in matching(features=[20] * 10).failure()
    assert "1 pairs of 10 photos show the same thing" in matching(kinds={"CALIBRATED": 1, "DEGENERATE": 44}).failure()
    assert "from one spot" in matching(kinds={"PLANAR_OR_PANORAMIC": 40, "CALIBRATED": 5}).failure()
    assert "nothing moves" in matching().failure()


def test_photos_left_out_are_named_with_the_reason() -> None:
    assert matching(placed=NAMES).notes() == []
    (note,) = matching(placed=NAMES[:8], others=[2]).notes()
    assert "2 of 10 photos are left out, 8.jpg, 9.jpg: they show another place" in note
    (note,) = matching(placed=NAMES[:9], features=[3000] * 9 + [12]).notes()
    assert "9.jpg: they show fewer than 200 points" in note
    (note,) = matching(placed=NAMES[:1]).notes()
    assert "and 4 more: nothing in them was found again" in note
