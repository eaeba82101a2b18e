"""The levels of a hash grid."""

from __future__ import annotations


def test_levels_of_a_full_nerfacto() -> None:
    from duplex.baking.fields.hash_grid import nerfstudio_levels

    levels = nerfstudio_levels(16, 16, 2048, 19)
    assert [level.scale for level in levels[:5]] == [16, 22, 30, 42, 58]
    assert levels[-1].scale in (2047, 2048)  # the logarithm's rounding decides, there as here
    assert [level.start for level in levels[:2]] == [0, 1 << 19]
