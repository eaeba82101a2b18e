"""The report of what works on this machine."""

from __future__ import annotations

import dataclasses
import json

import moderngl
import pytest

from builders.viewer import viewer
from duplex.app.core.errors import DuplexError
from duplex.app.scene.bundle import Bundle
from duplex.app.tools import benchmark, doctor
from duplex.app.tools.doctor import examine

pytestmark = pytest.mark.system


def test_the_doctor_says_what_works() -> None:
    result = viewer("--doctor")
    assert result.returncode == 0, result.stderr
    lines = dict(line.split(maxsplit=1) for line in result.stdout.splitlines() if line[0] != " ")
    assert {"system", "packages", "display", "OpenGL", "limits", "timers", "ONNX"} <= lines.keys()
    assert lines["display"].startswith("none") and "CPUExecutionProvider" in lines["ONNX"]
    assert all(lines[name].startswith("works") for name in ("fragment", "compute", "onnx"))


def test_the_doctor_speaks_to_machines() -> None:
    result = viewer("--doctor", "--json")
    found = json.loads(result.stdout)
    assert found["works"] is True and found["fragment"].startswith("works") and "no graphics card" in found["OpenGL"]


def test_the_doctor_goes_on_where_nothing_can_be_drawn(monkeypatch: pytest.MonkeyPatch, demo: Bundle) -> None:
    bare, _ = examine(dataclasses.replace(demo, cameras=()))
    assert bare["fragment"].startswith("works")

    def refuse(*_: object) -> None:
        raise DuplexError("the driver refuses the shader")

    monkeypatch.setattr(doctor, "Renderer", refuse)
    report, works = examine(demo)
    assert not works and list(report.values()).count("the driver refuses the shader") == 4 and "ONNX" in report
    monkeypatch.setattr(benchmark, "Renderer", refuse)
    with pytest.raises(DuplexError, match="refuses the shader"):
        benchmark.benchmark(demo, (32, 32))


def test_the_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, demo: Bundle) -> None:
    def refuse(**settings: object) -> None:
        raise RuntimeError("no libGL")

    monkeypatch.setattr(moderngl, "create_context", refuse)
    report, works = examine(demo)
    assert not works and "no libGL" in report["OpenGL"] and "apt install" in report["OpenGL"] and "packages" in report
