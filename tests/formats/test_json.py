import json as stdlib
import math
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from tertulia import formats
from tertulia.errors import FormatError, OutputError
from tertulia.formats import json, pyannote_json
from tertulia.timeline import Diarization, Provenance


def full():
    provenance = Provenance(
        version="0.1.0",
        system="default",
        models={"segmentation": "ab12"},
        settings={"threshold": 0.7, "linkage": "centroid", "nested": {"counts": [1, 2]}},
        messages=("3 samples were not numbers",),
    )
    return Diarization(
        [(1.44, 13.31049, "ana"), (12.0, 12.5, "bo"), (20, 21, "ana")],
        uri="board meeting",
        duration=63.5,
        confidence={"bo": [0.91342]},
        provenance=provenance,
        exclusive=Diarization([(1.44, 13.31, "ana"), (20, 21, "ana")]),
    )


def test_the_document_holds_all_there_is():
    assert stdlib.loads(json.dumps(full())) == {
        "version": 1,
        "recording": "board meeting",
        "duration": 63.5,
        "speakers": [{"name": "ana", "seconds": 12.87}, {"name": "bo", "seconds": 0.5}],
        "turns": [
            {"start": 1.44, "end": 13.31, "speaker": "ana"},
            {"start": 12.0, "end": 12.5, "speaker": "bo", "confidence": 0.913},
            {"start": 20.0, "end": 21.0, "speaker": "ana"},
        ],
        "exclusive": [
            {"start": 1.44, "end": 13.31, "speaker": "ana"},
            {"start": 20.0, "end": 21.0, "speaker": "ana"},
        ],
        "provenance": {
            "version": "0.1.0",
            "system": "default",
            "models": {"segmentation": "ab12"},
            "settings": {"threshold": 0.7, "linkage": "centroid", "nested": {"counts": [1, 2]}},
            "messages": ["3 samples were not numbers"],
        },
    }


def test_all_of_it_is_read_back():
    again = json.loads(json.dumps(full()))
    assert (again.uri, again.duration, again.provenance) == ("board meeting", 63.5, full().provenance)
    assert again.exclusive() == full().exclusive()
    assert again.confidence["bo"].tolist() == [0.913]


def test_what_is_not_known_stays_unknown():
    text = json.dumps(Diarization([(0, 2, "a"), (1, 3, "b")]))
    data = stdlib.loads(text)
    assert data["duration"] is None
    assert data["provenance"] is None
    assert "exclusive" not in data
    again = json.loads(text)
    assert (again.uri, again.duration, again.provenance) == ("", None, None)
    assert again.exclusive() == Diarization([(0, 1, "a"), (1, 3, "b")])


@pytest.mark.parametrize("module", [json, pyannote_json])
def test_one_line_when_asked(module):
    text = module.dumps(full(), indent=None)
    assert text.count("\n") == 1
    assert module.loads(text) == module.loads(module.dumps(full()))


def test_settings_of_all_the_usual_kinds():
    settings = MappingProxyType(
        {"step": np.float32(0.5), "weights": np.array([1, 2]), "folder": Path("a") / "b", "range": (1, 2)}
    )
    data = stdlib.loads(json.dumps(Diarization(provenance=Provenance("1", "s", settings=settings))))
    assert data["provenance"]["settings"] == {
        "step": 0.5,
        "weights": [1, 2],
        "folder": "a/b",
        "range": [1, 2],
    }


@pytest.mark.parametrize("value", [object(), {1, 2}, math.inf, {(1, 2): 3}])
def test_settings_that_json_has_not_are_refused(value):
    with pytest.raises(OutputError, match="provenance cannot be written as JSON"):
        json.dumps(Diarization(provenance=Provenance("1", "s", settings={"x": value})))


def test_a_recording_whose_file_name_is_not_utf8_survives(tmp_path):
    written = Diarization([(0, 1, "Zoë")], uri="caf\udce9")
    path = tmp_path / "x.json"
    written.write(path)
    assert "Zoë" in path.read_text(encoding="utf-8")
    assert formats.read(path).uri == "caf\udce9"


def test_the_shape_of_pyannote_has_times_as_text():
    text = pyannote_json.dumps(Diarization([(0, 2.345, "SPEAKER_01"), (2.346, 5.678, "SPEAKER_02")]))
    assert stdlib.loads(text) == {
        "diarization": [
            {"speaker": "SPEAKER_01", "start": "0.000", "end": "2.345"},
            {"speaker": "SPEAKER_02", "start": "2.346", "end": "5.678"},
        ]
    }


def test_the_shape_of_pyannote_is_read_with_numbers_too():
    listed = '{"speaker": "a", "start": 0, "end": 2.5}, {"speaker": "b", "start": "1", "end": "3"}'
    text = f'{{"diarization": [{listed}]}}'
    assert pyannote_json.loads(text) == Diarization([(0, 2.5, "a"), (1, 3, "b")])


def test_either_shape_is_recognised_as_json(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(pyannote_json.dumps(full()))
    assert formats.read(path) == pyannote_json.loads(path.read_text())
    path.write_text(json.dumps(full()))
    assert formats.read(path).duration == 63.5
    with pytest.raises(
        FormatError, match=r"m\.json:1: a list of turns called 'diarization' is needed; got None"
    ):
        formats.read(path, "pyannote-json")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('{"version": 1,\n "turns": [}', 2, r"not JSON \(Expecting value\)"),
        ("[1]", 1, r"a JSON object is needed; got \[1\]"),
        ("[" * 100_000, 1, "cannot be read"),
        ('{"version": 1' + "0" * 5000 + "}", 1, "cannot be read"),
        ('{"turns": []}', 1, "version 1 of this format is needed; got None"),
        ('{"version": 2, "turns": []}', 1, "got 2"),
        ('{"version": 1}', 1, "a list of turns called 'turns' is needed; got None"),
        ('{"version": 1, "turns": {}}', 1, "got {}"),
        ('{"version": 1, "turns": [], "recording": 7}', 1, "name of a recording is text; got 7"),
        ('{"version": 1, "turns": [], "duration": true}', 1, "a number is needed; got True"),
        ('{"version": 1, "turns": [], "duration": -1}', 1, "from 0 to 1e9; got -1"),
        ('{"version": 1, "turns": [], "provenance": {"system": "x"}}', 1, "provenance needs version, system"),
        ('{"version": 1, "turns": [], "exclusive": 3}', 1, "called 'exclusive' is needed; got 3"),
    ],
)
def test_bad_documents_are_named(text, line, problem):
    with pytest.raises(FormatError, match=rf"^m\.json:{line}: .*{problem}"):
        json.loads(text, "m.json")


@pytest.mark.parametrize(
    ("turn", "problem"),
    [
        ("7", "needs start, end and speaker; got 7"),
        ('{"start": 0, "end": 1}', "needs start, end and speaker"),
        ('{"start": 0, "end": 1, "speaker": 5}', "a speaker's name is text; got 5"),
        ('{"start": null, "end": 1, "speaker": "a"}', "a number is needed; got None"),
        ('{"start": 0, "end": NaN, "speaker": "a"}', "got nan"),
        ('{"start": 0, "end": 1' + "0" * 400 + ', "speaker": "a"}', "from 0 to 1e9; got 1000"),
        ('{"start": "x", "end": 1, "speaker": "a"}', "got 'x'"),
        ('{"start": 2, "end": 1, "speaker": "a"}', "cannot end before it starts"),
        ('{"start": 0, "end": 1, "speaker": "a", "confidence": 2}', "from 0 to 1; got 2"),
        ('{"start": 0, "end": 1, "speaker": "a", "confidence": false}', "a number is needed; got False"),
    ],
)
def test_bad_turns_are_named_by_their_line(turn, problem):
    good = '{"start": 0, "end": 1,\n "speaker": "turns"}'
    text = f'{{"version": 1,\n "turns": [\n{good},\n{good},\n\n{turn}]}}'
    with pytest.raises(FormatError, match=rf"^m\.json:8: turns\[2\]: .*{problem}"):
        json.loads(text, "m.json")


def test_the_line_is_the_first_when_another_list_of_that_name_comes_before():
    text = '{"version": 1,\n "x": {"turns": []},\n "turns": [{"start": 0, "end": 1, "speaker": "a"},\n7]}'
    with pytest.raises(FormatError, match=r"^m\.json:1: turns\[1\]: "):
        json.loads(text, "m.json")


def test_a_turn_without_length_is_passed_over():
    assert len(json.loads('{"version": 1, "turns": [{"start": 1, "end": 1, "speaker": "a"}]}')) == 0
