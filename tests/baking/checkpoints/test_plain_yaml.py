"""YAML without objects and without multiplying aliases."""

from __future__ import annotations

import pytest

from duplex.baking.checkpoints.plain_yaml import plain_yaml


def test_yaml_cannot_multiply_itself() -> None:
    lines = ["a: &a {x: 1}"]
    for name, before in zip("bcdefghijklmnopqrstuvw", "abcdefghijklmnopqrstuv", strict=True):
        lines += [f"{name}: &{name}", f"  <<: [{', '.join(['*' + before] * 6)}]"]
    assert plain_yaml("\n".join(lines))["a"] == {"x": 1}  # 6^22 merged mappings would never be done
    assert plain_yaml("x: !!python/object/apply:os.system ['true']") == {"x": ["true"]}
    with pytest.raises(ValueError, match="brackets"):
        plain_yaml("[" * 2000)
