"""Progress reaches whoever listens, and nobody else."""

from __future__ import annotations

import pytest

from duplex.baking.runtime.progress import ProgressEvent, reporting, say, track


def test_without_a_listener_nothing_happens(capsys: pytest.CaptureFixture[str]) -> None:
    say("alone")
    with track("stage", 3) as progress:
        progress.advance()
    assert capsys.readouterr() == ("", "")


def test_events_tell_the_stage_its_steps_and_its_end() -> None:
    heard: list[ProgressEvent] = []
    with reporting(heard.append):
        say("begin")
        with track("stage", 4, done=1) as progress:
            progress.advance(2, note="1.5 dB")
    say("unheard")
    assert [event.message for event in heard if event.message] == ["begin"]
    assert [(event.done, event.total, event.ended) for event in heard[1:]] == [
        (1, 4, False),
        (3, 4, False),
        (3, 4, True),
    ]
    assert heard[2].note == "1.5 dB" and heard[2].share == 0.75


def test_an_inner_listener_takes_over_and_none_keeps_the_outer_one() -> None:
    outer: list[ProgressEvent] = []
    inner: list[ProgressEvent] = []
    with reporting(outer.append):
        with reporting(inner.append):
            say("in")
        with reporting(None):
            say("out")
    assert [event.message for event in outer] == ["out"] and [event.message for event in inner] == ["in"]
