from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.comparison import ALL, Run, Runs, compare, find_recordings, page
from tertulia.comparison.marks import error_timelines
from tertulia.comparison.process import About
from tertulia.errors import InputError, UsageError
from tertulia.evaluation import Protocol, diarization_error
from tertulia.timeline import Diarization, Timeline

RIGHT = ((0.0, 6.0, "1"), (6.0, 10.0, "2"))
WRONG = ((0.0, 7.0, "1"), (7.0, 9.0, "2"))  # a second of confusion and one missed: 20 %


def ran(name, **turns) -> Runs:
    runs = {key: Run(value, 12.0, 2.0, 3.0, 50_000_000) for key, value in turns.items()}
    return Runs(name, About({"voice": "1f"}, 4_000), runs, {}, 0)


@pytest.fixture
def comparison(data):
    outside = {"a": Diarization(WRONG), "b": Diarization(WRONG)}
    return compare("data", find_recordings(data), [ran("good", a=RIGHT, b=WRONG)], {"outside": outside})


def test_figures_are_those_of_the_arithmetic(comparison):
    results = comparison.to_dict()
    good = results["systems"]["good"]["pooled"][ALL]
    assert good["der"] == pytest.approx(0.1)
    assert (good["missed"], good["confusion"], good["false_alarm"]) == pytest.approx((0.05, 0.05, 0))
    assert good["real_time"] == pytest.approx(24 / 4)
    assert (good["cpu"], good["memory"], good["parameters"]) == (6, 50_000_000, 4_000)
    assert good["der_interval"] == pytest.approx((0, 0.2))
    outside = results["systems"]["outside"]["pooled"][ALL]
    assert (outside["best"], outside["difference"]) == ("good", pytest.approx(0.1))
    assert outside["difference_interval"] == pytest.approx((0, 0.2))
    assert outside["real_time"] is None
    assert json.loads(json.dumps(results))["recordings"]["a"] == {
        "subset": "meetings",
        "seconds": 12,
        "speakers": 2,
    }


def test_subsets_are_groups_of_their_own(comparison):
    assert comparison.groups == {ALL: ("a", "b"), "calls": ("b",), "meetings": ("a",)}
    pooled = comparison.to_dict()["systems"]["good"]["pooled"]
    assert pooled["meetings"]["der"] == 0
    assert pooled["meetings"]["der_interval"] is None  # one recording tells nothing about others


def test_csv_has_a_line_for_each_group_and_recording(comparison):
    rows = list(csv.DictReader(io.StringIO(comparison.to_csv())))
    assert len(rows) == 2 * (3 + 2)
    assert [(r["subset"], r["recording"]) for r in rows[:5]] == [
        (ALL, ""), ("calls", ""), ("meetings", ""), ("meetings", "a"), ("calls", "b"),
    ]  # fmt: skip
    assert float(rows[0]["der"]) == pytest.approx(0.1)
    assert rows[5]["memory"] == ""


@pytest.mark.parametrize(("runs", "given_names"), [([], []), (["x", "x"], []), (["x"], ["x"])])
def test_systems_need_different_names(runs, given_names, data):
    outside = {name: {"a": Diarization(), "b": Diarization()} for name in given_names}
    with pytest.raises(UsageError, match="systems of different names"):
        compare("data", find_recordings(data), [ran(name, a=RIGHT, b=RIGHT) for name in runs], outside)


def test_a_missing_result_is_an_error(data):
    with pytest.raises(InputError, match="without hypothesis: b"):
        compare("data", find_recordings(data), [ran("good", a=RIGHT)], {})


def test_recordings_need_sound_and_a_reference(tmp_path, data):
    (data / "meetings" / "a.wav").unlink()
    assert [(r.name, r.subset) for r in find_recordings(data)] == [("b", "calls")]
    (data / "calls" / "b.rttm").unlink()
    with pytest.raises(InputError, match="no recording that has both"):
        find_recordings(data)


def test_errors_are_where_they_are():
    reference = Diarization([(0, 6, "Ana"), (6, 10, "Ben")])
    hypothesis = Diarization([(0, 7, "1"), (7, 9, "2"), (10, 11, "2")])
    assert error_timelines(reference, hypothesis, None, Protocol()) == {
        "false_alarm": Timeline([(10, 11)]),
        "missed": Timeline([(9, 10)]),
        "confusion": Timeline([(6, 7)]),
    }
    outside = error_timelines(reference, hypothesis, Timeline([(0, 6.5)]), Protocol(collar=0.25))
    assert outside["confusion"] == Timeline([(6.25, 6.5)])
    assert not len(outside["missed"])


TURNS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"))).map(
    # Steps of a second, silence or somebody, never two people at once.
    lambda steps: Diarization([(i, i + 1, who) for i, (silent, who) in enumerate(steps) if silent])
)


@settings(deadline=None, max_examples=60)
@given(TURNS, TURNS, st.sampled_from([0.0, 0.1]))
def test_without_overlap_their_length_is_the_error(reference, hypothesis, collar):
    protocol = Protocol(collar, skip_overlap=True)
    error = diarization_error(reference, hypothesis, protocol=protocol)
    for kind, timeline in error_timelines(reference, hypothesis, None, protocol).items():
        assert timeline.duration == pytest.approx(getattr(error, kind), abs=1e-6)


def test_the_page_needs_nothing_from_elsewhere(comparison, data, tmp_path):
    html = page(comparison, tmp_path / "report")
    assert '"audio":"../data/meetings/a.wav"' in html
    assert "@@" not in html
    addresses = html.replace("http://www.w3.org/2000/svg", "")
    assert "http" not in addresses
    assert "@import" not in addresses
    assert " src=" not in addresses


def test_names_cannot_break_out_of_the_data(data, tmp_path):
    evil = ((0.0, 6.0, "</script><script>alert(1)</script>"),)
    recordings = find_recordings(data)
    html = page(compare("<b>@@STYLE@@", recordings, [ran("x", a=evil, b=evil)], {}), tmp_path)
    assert html.count("</script>") == 2
    assert "\\u003cb>@@STYLE@@" in html
