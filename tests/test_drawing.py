from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import soundfile

from tertulia.drawing import PALETTE, draw, envelope, html, to_png
from tertulia.errors import AudioError
from tertulia.timeline import Diarization

SVG = "{http://www.w3.org/2000/svg}"
TALK = Diarization([(0, 6, "Ana"), (6, 10, "Ben")])


def bars(svg: str) -> dict[str, list[tuple[str, float, float]]]:
    """Colour → (what it says, left, right) of the turns drawn in it."""
    found: dict[str, list[tuple[str, float, float]]] = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        for bar in group.iter(f"{SVG}rect"):
            left = float(bar.attrib["x"])
            said = bar.findtext(f"{SVG}title") or ""
            found.setdefault(group.attrib["fill"], []).append((said, left, left + float(bar.attrib["width"])))
    return found


def test_turns_are_where_their_times_are():
    drawn = bars(draw({"by hand": TALK}))
    (ana,), (ben,) = drawn[PALETTE[0]], drawn[PALETTE[1]]
    assert ana[0] == "Ana 0.00–6.00 s"
    assert ana[2] == pytest.approx(ben[1])
    assert (ana[2] - ana[1]) / (ben[2] - ben[1]) == pytest.approx(6 / 4, rel=1e-3)


def test_a_speaker_of_a_later_track_has_the_colour_of_who_they_are():
    other = Diarization([(0.5, 1, "0"), (5, 10, "1"), (1, 5, "2")])
    drawn = bars(draw({"one": TALK, "two": other}))
    assert [said for said, *_ in drawn[PALETTE[0]]] == ["Ana 0.00–6.00 s", "2 1.00–5.00 s"]
    assert [said for said, *_ in drawn[PALETTE[1]]] == ["Ben 6.00–10.00 s", "1 5.00–10.00 s"]
    assert [said for said, *_ in drawn["#8a9099"]] == ["0 0.50–1.00 s"]


def test_names_are_text_never_markup():
    svg = draw({"<a> & b": Diarization([(0, 1, '<script>"')])})
    texts = [node.text for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert "<a> & b" in texts
    assert '<script>"' in texts


@pytest.mark.parametrize(
    ("seconds", "mark"),
    [(0.5, "0:00.5"), (10, "0:10"), (95, "1:30"), (7200, "2:00:00"), (2e5, "50:00:00")],
)
def test_the_axis_has_a_dozen_marks_at_most(seconds, mark):
    svg = draw({"": Diarization([(0, seconds, "x")], duration=seconds)})
    texts = [node.text for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]
    assert mark in texts
    assert 2 <= len(texts) <= 14


def test_nobody_and_nothing_can_be_drawn():
    silence = ElementTree.fromstring(draw({"silence": Diarization()}, np.zeros((0, 2), np.float32)))
    assert [node.text for node in silence.iter(f"{SVG}text")][:2] == ["silence", "nobody speaks"]
    ElementTree.fromstring(draw({}))
    assert "nobody speaks" in html(Diarization(duration=9.0))
    assert "svg" not in html(Diarization())


def test_the_envelope_holds_the_extremes_of_each_hundredth(tmp_path):
    samples = np.zeros(16_000 + 80)
    samples[1605], samples[1606], samples[-1] = 0.5, -0.25, 0.75
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    found = envelope(tmp_path / "a.wav")
    assert found.shape == (101, 2)
    assert found[10].tolist() == [-0.25, 0.5]
    assert found[100].tolist() == [0, 0.75]
    (tmp_path / "b.wav").write_text("no sound")
    with pytest.raises(AudioError):
        envelope(tmp_path / "b.wav")


def test_the_wave_is_as_high_as_it_is_loud():
    sound = np.zeros((1000, 2), np.float32)
    sound[500] = -0.1, 0.2
    polygon = ElementTree.fromstring(draw({"": TALK}, sound)).find(f"{SVG}polygon")
    assert polygon is not None
    points = np.array([point.split(",") for point in polygon.attrib["points"].split()], float)
    middle = np.median(points[:, 1])
    assert middle - points[:, 1].min() == pytest.approx(2 * (points[:, 1].max() - middle))
    assert len(points) == 2000


def test_a_notebook_shows_the_drawing():
    shown = TALK.replace(uri="a<b")._repr_html_()
    assert shown == html(TALK.replace(uri="a<b"))
    assert "a&lt;b" in shown
    assert "2 speakers" in shown
    assert shown.count("<rect") == 2


def test_a_png_is_a_png():
    pytest.importorskip("resvg_py")
    image = to_png(draw({"": TALK}, paper=True))
    assert image.startswith(b"\x89PNG")
    assert int.from_bytes(image[16:20], "big") == 2400
