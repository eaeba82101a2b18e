"""The panel's section *Inspect*: shells, network, channels, a second view, reference pictures, a pixel, backends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imgui_bundle import imgui

from duplex.app.render.display import RAMPS, Display
from duplex.app.render.probe import Hit
from duplex.app.render.views import ERROR, REFERENCE
from duplex.app.scene.reference import Reference
from duplex.app.viewer.actions import Action, CompareBackends, GoToReference, SetInspection, SetTrueLength
from duplex.app.viewer.look import Inspection, SecondView
from duplex.app.viewer.measurements import Measurements, ProbedPixel
from duplex.app.viewer.panels import widgets
from duplex.app.viewer.panels.hints import HINTS

CHANNELS = ("as colours", "1", "2", "3", "4")
ENTER = imgui.InputTextFlags_.enter_returns_true
SMALLEST_RANGE = 1e-3


@dataclass(frozen=True, eq=False)
class InspectFacts:
    """What the section shows.

    ``second_views``: what the picture can be compared with; ``references``: the bundle's reference pictures, ``here``:
    the one from where the camera stands, if any.
    """

    inspection: Inspection
    second_views: Sequence[SecondView]
    references: Sequence[Reference]
    here: Reference | None
    measurements: Measurements


def draw_inspect(facts: InspectFacts) -> list[Action]:
    """Declare the section."""
    actions: list[Action] = []
    inspection, measured = facts.inspection, facts.measurements
    changed = _draw_shells(inspection)
    changed = replace(changed, display=_draw_display(inspection.display))
    changed = replace(changed, second=_draw_second(inspection.second, facts.second_views))
    if facts.references:
        actions += _draw_references(facts)
    _, probing = widgets.checkbox("look at the pixel under the mouse", inspection.probing)
    changed = replace(changed, probing=probing)
    if inspection.probing and measured.probed:
        _draw_probe(measured.probed)
    _, measuring = widgets.checkbox("measure between two clicks", inspection.measuring)
    changed = replace(changed, measuring=measuring)
    if measuring:
        actions += _draw_measure(measured)
    if widgets.button("compare backends"):
        actions.append(CompareBackends())
    if measured.agreement:
        imgui.text_wrapped(measured.agreement)
    if changed != inspection:
        actions.append(SetInspection(changed))
    return actions


def _draw_shells(inspection: Inspection) -> Inspection:
    _, outer = widgets.checkbox("outer", inspection.shells[0])
    imgui.same_line()
    _, inner = widgets.checkbox("inner", inspection.shells[1])
    imgui.same_line()
    _, network = widgets.checkbox("network", inspection.network)
    _, outer_edges = widgets.checkbox("outer edges", inspection.edges[0])
    imgui.same_line()
    _, inner_edges = widgets.checkbox("inner edges", inspection.edges[1])
    return replace(inspection, shells=(outer, inner), network=network, edges=(outer_edges, inner_edges))


def _draw_display(display: Display) -> Display:
    shown = 0 if display.channel is None else display.channel + 1
    _, channel = widgets.combo("channel", shown, list(CHANNELS))
    if not shown:
        return replace(display, channel=channel - 1 if channel else None)
    names = list(RAMPS)
    _, ramp = widgets.combo("colours", names.index(display.ramp), names)
    _, (low, high) = widgets.drag_float2("range", [display.low, display.high], 0.01)
    return Display(channel - 1 if channel else None, names[ramp], low, max(high, low + SMALLEST_RANGE))


def _draw_second(second: SecondView | None, views: Sequence[SecondView]) -> SecondView | None:
    chosen = second
    if widgets.begin_combo("beside it", str(second) if second else "nothing", imgui.ComboFlags_.height_large):
        if imgui.selectable("nothing", second is None)[0]:
            chosen = None
        for group, members in grouped(views).items():
            imgui.separator_text(group)
            for view in members:
                if imgui.selectable(str(view), view == second)[0]:
                    chosen = view
        imgui.end_combo()
    return chosen


def grouped(views: Sequence[SecondView]) -> dict[str, list[SecondView]]:
    """The ``views`` by what they are for, what is wanted most first; only groups that have members."""
    groups: dict[str, list[SecondView]] = {"teacher": [], "shells": [], "backends": [], "render targets": []}
    for view in views:
        if view.view in (REFERENCE, ERROR):
            groups["teacher"].append(view)
        elif view.backend or view.shells:
            groups["backends" if view.backend else "shells"].append(view)
        else:
            groups["render targets"].append(view)
    return {name: members for name, members in groups.items() if members}


def _draw_references(facts: InspectFacts) -> list[Action]:
    names = [f"{reference.kind} {i}" for i, reference in enumerate(facts.references)]
    here = facts.references.index(facts.here) if facts.here else -1
    chosen, index = widgets.combo("go to picture", here, names)
    quality = facts.measurements.quality
    if quality and quality.reference is facts.here:
        imgui.text_wrapped(quality.text)
    return [GoToReference(index)] if chosen else []


def _draw_measure(measured: Measurements) -> list[Action]:
    distance = measured.distance
    if distance is None:
        imgui.text_wrapped("click on two places" if not measured.points else "click on a second place")
        return []
    imgui.text(f"distance {distance:.5g}")
    entered, length = widgets.input_double("true length", distance, 0, 0, "%.5g", ENTER)
    return [SetTrueLength(length)] if entered else []


def _draw_probe(probed: ProbedPixel) -> None:
    red, green, blue, alpha = probed.found.color.tolist()
    imgui.text(f"pixel {probed.pixel[0]}, {probed.pixel[1]}: {red} {green} {blue}, alpha {alpha}")
    if probed.met:
        x, y, z = probed.met.point
        imgui.text_wrapped(f"at {x:.4f} {y:.4f} {z:.4f}, {probed.met.distance:.4f} away")
    for name, hit in (("outer", probed.found.outer), ("inner", probed.found.inner)):
        imgui.text_wrapped(f"{name}: {_in_words(hit)}")
        widgets.show_hint(HINTS["level"] if hit else "")


def _in_words(hit: Hit | None) -> str:
    if hit is None:
        return "missed"
    features = " ".join(f"{x:.2f}" for x in hit.features)
    return f"at {hit.u:.4f} {hit.v:.4f}, level {hit.level:.1f}; features {features}"
