"""`benchmarks/peers.py`, with a stand-in for the packages it compares."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import tertulia
from peers import entrants, measuring, tables
from peers.entrants import ENVIRONMENTS, OURS, PeerError, System
from peers.measuring import Accuracy, Speed, Spent, Timing

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "peers.py"
WORKER = f"""
import sys
sys.path.insert(0, {str(entrants.WORKERS)!r})
from worker import serve

def load(threads, settings):
    print("a peer that talks on standard output")
    if settings.get("broken"):
        raise ValueError("no weights")
    return lambda path: [(0.0, 1.5, "a"), (1.0, 1.0, "b"), (1.0, 2.0 + threads, "b")]

serve(load)
"""
PERFECT = "SPEAKER x 1 0 1.5 <NA> <NA> a <NA> <NA>\nSPEAKER x 1 1 3 <NA> <NA> b <NA> <NA>\n"


@pytest.fixture
def worker(tmp_path: Path) -> list[str]:
    """A worker whose answer is always that of `PERFECT` with two threads."""
    (tmp_path / "stub_worker.py").write_text(WORKER)
    return [sys.executable, str(tmp_path / "stub_worker.py")]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder with two subsets: one recording of 4 s with its reference in each."""
    for subset in ("quiet", "loud"):
        folder = tmp_path / "corpus" / subset
        folder.mkdir(parents=True)
        soundfile.write(folder / f"{subset}.wav", np.zeros(64_000), 16_000)
        (folder / f"{subset}.rttm").write_text(PERFECT)
    return tmp_path / "corpus"


class TestEntrants:
    def test_every_family_has_a_worker_and_every_key_is_unique(self) -> None:
        every = entrants.systems(["default", "pyannote-3.1"])
        assert len({system.key for system in every}) == len(every)
        assert {system.family for system in every} == {OURS, *ENVIRONMENTS}
        for system in every:
            assert (entrants.WORKERS / f"{system.family}_worker.py").is_file()

    def test_every_requirement_is_pinned(self) -> None:
        constraints = entrants.CONSTRAINTS.read_text()
        for requirement in (line for lines in ENVIRONMENTS.values() for line in lines):
            assert "==" in requirement or f"\n{requirement}==" in constraints

    def test_titles_say_the_versions_that_are_installed(self) -> None:
        titles = {system.key: system.title for system in entrants.systems(["default"])}
        assert titles["senko"] == "Senko 0.2.2"
        assert entrants.pinned("spectralcluster") in titles["resemblyzer"]

    def test_ours_runs_in_the_python_at_hand(self) -> None:
        system = entrants.systems(["default"])[0]
        python, worker, *settings = entrants.command(system, None)
        assert (python, Path(worker).name) == (sys.executable, "tertulia_worker.py")
        assert settings == ["--set", "system=default"]

    def test_a_peer_runs_in_its_environment(self, tmp_path: Path) -> None:
        python = tmp_path / "sherpa" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
        command = entrants.command(System("s", "S", "sherpa", {"threshold": "0.5"}), tmp_path)
        assert command[0] == str(python)
        assert f"models={tmp_path / 'sherpa' / 'models'}" in command

    @pytest.mark.parametrize(
        ("given", "words"), [(False, "no --environments"), (True, "--make-environments")]
    )
    def test_a_missing_environment_is_said(self, given: bool, words: str, tmp_path: Path) -> None:
        with pytest.raises(PeerError, match=words):
            entrants.command(System("s", "S", "senko", {}), tmp_path if given else None)


class TestMeasuring:
    def test_busy_counts_everything_but_idling_and_waiting(self) -> None:
        ticks = measuring.os.sysconf("SC_CLK_TCK")
        stat = f"cpu  {ticks} {2 * ticks} {3 * ticks} 999 999 {ticks} {ticks} {ticks} 55 66\ncpu0 1 1\n"
        assert measuring.busy_seconds(stat) == 9.0

    def test_accuracy_writes_turns_and_costs(self, worker: list[str], corpus: Path, tmp_path: Path) -> None:
        files = [corpus / "quiet" / "quiet.wav", corpus / "loud" / "loud.wav"]
        measuring.measure_accuracy(worker, files, tmp_path / "out", threads=2)
        kept = Accuracy.kept(tmp_path / "out")
        assert kept is not None
        assert {name: spent.seconds for name, spent in kept.files.items()} == {"quiet": 4.0, "loud": 4.0}
        assert all(spent.wall >= 0 and spent.cpu >= 0 for spent in kept.files.values())
        assert (tmp_path / "out" / "loud.rttm").read_text().splitlines() == [
            "SPEAKER loud 1 0.000 1.500 <NA> <NA> a <NA> <NA>",
            "SPEAKER loud 1 1.000 3.000 <NA> <NA> b <NA> <NA>",
        ]

    def test_a_failure_says_the_last_message_and_leaves_no_old_result(
        self, worker: list[str], corpus: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "accuracy.json").write_text("{}")
        with pytest.raises(PeerError, match="ended with 1: ValueError: no weights"):
            measuring.measure_accuracy(
                [*worker, "--set", "broken=yes"], [corpus / "loud" / "loud.wav"], tmp_path, threads=1
            )
        assert Accuracy.kept(tmp_path) is None

    def test_speed_times_in_turns_and_survives_a_failure(
        self, worker: list[str], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(measuring, "PATIENCE", 0.0)
        twice = [corpus / "quiet" / "quiet.wav", corpus / "loud" / "loud.wav"]
        commands = {"broken": [*worker, "--set", "broken=yes"], "sound": worker}
        failures = measuring.measure_speed(commands, twice, tmp_path, threads=1, rounds=2)
        assert list(failures) == ["broken"]
        assert Speed.kept(tmp_path / "broken") is None
        kept = Speed.kept(tmp_path / "sound")
        assert kept is not None
        assert len(kept.cold) == len(kept.warm) == 2
        for cold, warm in zip(kept.cold, kept.warm, strict=True):
            assert cold.wall > warm.wall >= 0  # a whole process takes longer than one recording
            assert cold.cpu > 0
            assert cold.peak > 1  # megabytes
            assert cold.others >= 0

    def test_waiting_ends(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        clock = iter(range(0, 1000, 3))
        monkeypatch.setattr(measuring, "_busy_now", lambda: next(clock))
        monkeypatch.setattr(measuring, "PATIENCE", 0.05)
        measuring._wait_until_quiet(sample=0.02)
        assert "timing all the same" in capsys.readouterr().err

    def test_as_wav_resamples_mixes_and_repeats(self, tmp_path: Path) -> None:
        sound = np.stack([np.full(8_000, 0.5), np.full(8_000, 0.25)], axis=1)
        soundfile.write(tmp_path / "a.flac", sound, 8_000)
        for seconds, expected in ((None, 16_000), (2.5, 40_000), (0.5, 8_000)):
            path = measuring.as_wav(tmp_path / "a.flac", tmp_path / f"{expected}.wav", seconds)
            info = soundfile.info(path)
            assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
            assert info.frames == expected
        samples, _ = soundfile.read(tmp_path / "16000.wav")
        np.testing.assert_allclose(samples[2_000:14_000], 0.375, atol=2e-3)


class TestTables:
    def test_speed_cells_are_medians(self) -> None:
        cold = [
            Timing(wall, 2 * wall, peak, 0.1) for wall, peak in ((30.0, 500.0), (20.0, 510.0), (60.0, 400.0))
        ]
        warm = [Timing(wall, wall, 700.0, 0.2) for wall in (4.0, 6.0, 5.0)]
        cells = tables.speed_cells(Speed("2026-01-01 10:00", 2, cold, warm))
        assert cells == ["30.0", "20", "60.0", "5.0", "120", "5.0", "500"]
        assert tables.speed_cells(None) == ["–"] * len(cells)

    def test_errors_are_pooled_over_files(self, corpus: Path, tmp_path: Path) -> None:
        # Of 4.5 s of speech the first file misses 1 s; the second is perfect: 1 / 9.
        (tmp_path / "quiet.rttm").write_text(PERFECT.replace("1 0 1.5", "1 0 0.5"))
        (tmp_path / "loud.rttm").write_text(PERFECT)
        spent = {name: Spent(4.0, 1.0, 1.0) for name in ("quiet", "loud")}
        paths = [corpus / name / f"{name}.wav" for name in spent]
        runs = tables.scored(Accuracy("", 2, spent), tmp_path, paths)
        assert tables.error_cell([*runs.values()]) == "11.11 (0.00 + 11.11 + 0.00)"

    def test_a_subset_counts_whole_or_not_at_all(self, corpus: Path, tmp_path: Path) -> None:
        kept = Accuracy("", 2, {"quiet": Spent(4.0, 1.0, 1.0)})
        paths = [corpus / name / f"{name}.wav" for name in ("quiet", "loud")]
        assert tables.scored(kept, tmp_path, paths) == {}
        assert tables.scored(None, tmp_path, paths) == {}
        assert tables.error_cell([]) == "–"

    def test_meetings_the_segmentation_knows_are_shown_apart(self, corpus: Path, tmp_path: Path) -> None:
        (tmp_path / "quiet.rttm").write_text(PERFECT)
        (run,) = tables.scored(
            Accuracy("", 2, {"quiet": Spent(4.0, 1.0, 1.0)}), tmp_path, [corpus / "quiet" / "quiet.wav"]
        ).values()
        lines = tables.detailed("X: real", {"ami_trn01": run, "ami_dev00": run})
        assert [line[:2] for line in lines] == [["X: real", "2"], ["X: real, ami_trn only", "1"]]
        assert tables.detailed("X: real", {}) == []

    def test_notes_say_when_and_how_busy(self) -> None:
        timing = [Timing(1.0, 1.0, 1.0, 0.25)]
        said = tables.note("X", Accuracy("monday", 2, {}), Speed("tuesday", 3, timing, timing), None)
        assert "accuracy monday, 2 threads" in said
        assert "speed tuesday, 3 threads, 1 rounds" in said
        assert "0.25 cores" in said
        assert tables.note("X", None, None, "no compiler") == "- X: NOT RUN this time: no compiler"
        assert tables.note("X", None, None, None) == "- X: not measured"


class TestWorkers:
    def test_no_turns_are_an_empty_result(self, tmp_path: Path) -> None:
        from worker import rttm

        (tmp_path / "x.rttm").write_text(rttm("x", []))
        assert len(tertulia.Diarization.read(tmp_path / "x.rttm")) == 0

    def test_resemblyzer_turns_are_where_the_sound_was(self) -> None:
        from resemblyzer_worker import turns

        # Samples 0–3 and 10–15 were kept; the embeddings sit at kept samples 1, 5 and 9, so that their
        # borders are 3 and 7: kept samples 0–3 (border included), 4–7, 8–9.
        kept = np.r_[0:4, 10:16]
        found = turns(kept, np.array([0, 1, 0]), np.array([1.0, 5.0, 9.0]), rate=1)
        assert found == [(0, 4, "speaker0"), (10, 14, "speaker1"), (14, 16, "speaker0")]

    def test_sherpa_gets_the_published_networks(self) -> None:
        onnxruntime = pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
        import sherpa_models

        from tertulia.inference import WEIGHTS

        joined = onnxruntime.InferenceSession(sherpa_models.embedding(WEIGHTS).SerializeToString())
        halves = [
            onnxruntime.InferenceSession(WEIGHTS / f"campplus-{half}.onnx")
            for half in ("frames", "projection")
        ]
        for time in (51, 200, 333):
            features = np.random.default_rng(time).standard_normal((2, time, 80)).astype(np.float32)
            number = (time + 1) // 2
            member = (np.arange(number)[:, None] // 100 == np.arange((number + 99) // 100)).astype(np.float32)
            context = member / member.sum(axis=0) + np.float32(1 / number)
            spread = np.ascontiguousarray(member.T)
            inputs = {"features": features, "context": context, "spread": spread}
            (frames,) = halves[0].run(None, inputs)
            statistics = np.concatenate([frames.mean(axis=1), frames.std(axis=1, ddof=1)], axis=1)
            (expected,) = halves[1].run(None, {"statistics": statistics})
            (found,) = joined.run(None, {"x": features})
            np.testing.assert_allclose(found, expected, atol=1e-4)
        properties = {p.key: p.value for p in sherpa_models.segmentation(WEIGHTS).metadata_props}
        assert properties["powerset_max_classes"] == "2"


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, words)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


class TestScript:
    def test_ours_is_measured_and_the_others_rows_are_kept(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        examples = SCRIPT.parents[1] / "examples"
        for name in ("conversation.flac", "conversation.rttm"):
            (tmp_path / name).write_bytes((examples / name).read_bytes())
        keep = tmp_path / "results"
        (keep / "senko").mkdir(parents=True)
        (keep / "senko" / "conversation.rttm").write_text("")
        record = {"measured": "before", "threads": 2, "files": {"conversation": vars(Spent(30.0, 1.0, 1.0))}}
        (keep / "senko" / "accuracy.json").write_text(json.dumps(record))
        given = ["--keep", keep, "--only", OURS, "--measure", "accuracy", "--threads", 2]
        affinity = measuring.os.sched_getaffinity(0)
        try:
            run(monkeypatch, tmp_path, *given)
        finally:
            measuring.os.sched_setaffinity(0, affinity)
        printed = capsys.readouterr().out
        ours = tertulia.diarize(tmp_path / "conversation.flac")
        reference = tertulia.Diarization.read(tmp_path / "conversation.rttm")
        expected = 100 * tertulia.evaluation.diarization_error(reference, ours).der
        rows = {cells[1].strip(): cells for line in printed.splitlines() if len(cells := line.split("|")) > 2}
        assert float(rows["tertulia `default`"][-2].split("(")[0]) == pytest.approx(expected, abs=0.2)
        assert rows["Senko 0.2.2"][-2].strip() == "100.00 (0.00 + 100.00 + 0.00)"
        assert rows["sherpa-onnx 2.0.1"][-2].strip() == "–"
        assert "number of speakers not given" in printed

    def test_a_missing_environment_ends_up_in_the_notes(
        self,
        corpus: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        given = ["--keep", tmp_path, "--environments", tmp_path, "--only", "senko", "--measure"]
        run(monkeypatch, corpus, *given)
        assert "- Senko 0.2.2: NOT RUN this time: there is no" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ([], "give FOLDER and --keep"),
            (["folder", "--keep", "out"], "timing needs --recording"),
            (["folder", "--keep", "out", "--only", "nobody"], "invalid choice"),
        ],
    )
    def test_usage(
        self,
        words: list[str],
        message: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            run(monkeypatch, *words)
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize("names", [[], ["a/x", "b/x"]])
    def test_a_folder_that_cannot_be_scored(
        self, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in names:
            (tmp_path / name).parent.mkdir()
            (tmp_path / f"{name}.wav").touch()
            (tmp_path / f"{name}.rttm").touch()
        message = "more than one recording of the name x" if names else "holds no audio with an RTTM"
        with pytest.raises(SystemExit, match=message):
            run(monkeypatch, tmp_path, "--keep", tmp_path, "--measure", "accuracy")
