from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from tertulia.audio import Waveform
from tertulia.emotions import EMOTIONS, EmotionDetector
from tertulia.emotions.detection import _Forward
from tertulia.errors import UsageError
from tertulia.timeline import Diarization, Timeline

RATE = 16_000
LEVELS = {"neutral": 0.1, "happy": 0.2, "sad": 0.3, "angry": 0.4}


@dataclass(frozen=True)
class ByLevel:
    """Tells emotions from the level of samples, or from the level over the usual one."""

    relative: bool = False

    sample_rate = RATE
    networks = {}  # noqa: RUF012

    def describe(self, speech, spans):
        assert len(speech) <= 20 * RATE + 1, "memory is bounded"
        rows = [np.abs(speech[round(a * RATE) : round(b * RATE)]).mean() for a, b in spans]
        return np.array(rows, np.float32)[:, None]

    def judge(self, described, usual):
        level = described[:, 0] - (usual[0] - 0.1 if self.relative else 0)
        found = np.abs(level[:, None] - list(LEVELS.values())).argmin(axis=1)
        return np.where(np.arange(4) == found[:, None], 0.85, 0.05).astype(np.float32)


def spoken(*parts):
    """Sound of (emotion or None, seconds) after one another."""
    sizes = [(LEVELS.get(emotion, 0.0), round(seconds * RATE)) for emotion, seconds in parts]
    return Waveform(np.concatenate([np.full(n, level, np.float32) for level, n in sizes])[None], RATE)


def shown(emotions):
    return [(round(e.start, 3), round(e.end, 3), e.speaker, e.emotion) for e in emotions]


def test_moments_and_turns():
    sound = spoken(("happy", 3), (None, 1), ("sad", 4), ("angry", 2))
    turns = Diarization([(0, 3, "Ana"), (4, 10, "Ben")])
    found = EmotionDetector(ByLevel(), width=0.5)(sound, turns, name="talk.wav")
    assert shown(found.moments) == [
        (0, 3, "Ana", "happy"),
        (4, 8, "Ben", "sad"),
        (8, 10, "Ben", "angry"),
    ]
    assert shown(found.turns) == [(0, 3, "Ana", "happy"), (4, 10, "Ben", "sad")]
    assert found.moments[0].probability == pytest.approx(0.85)
    assert found.turns[1].probability == pytest.approx((4 * 0.85 + 2 * 0.05) / 6, abs=1e-6)
    assert (found.uri, found.duration) == ("talk", 10.0)
    seconds = found.speakers()
    assert seconds["Ben"] == pytest.approx({"neutral": 0, "happy": 0, "sad": 4, "angry": 2})
    assert list(seconds) == ["Ana", "Ben"]


def test_as_turns_of_three_kinds():
    sound = spoken(("happy", 3), ("sad", 3), ("happy", 1))
    turns = Diarization([(0, 6, "Ana"), (6, 7, "Ben")])
    found = EmotionDetector(ByLevel(), width=0.5)(sound, turns)
    assert found.to_diarization() == Diarization(
        {"happy": Timeline([(0, 3), (6, 7)]), "sad": Timeline([(3, 6)])}
    )
    assert found.to_diarization("moment").speakers == ("Ana/happy", "Ana/sad", "Ben/happy")
    assert [turn.speaker for turn in found.to_diarization("turn")] == ["Ana/happy", "Ben/happy"]
    assert found.to_diarization().confidence["happy"] == pytest.approx([0.85, 0.85])


def test_two_speakers_of_one_emotion_touch():
    found = EmotionDetector(ByLevel())(spoken(("sad", 4)), Diarization([(0, 2, "Ana"), (2, 4, "Ben")]))
    (turn,) = found.to_diarization()
    assert (turn.start, turn.end, turn.speaker) == (0, 4, "sad")
    assert turn.confidence == pytest.approx(0.85)


def test_each_is_compared_with_how_that_speaker_usually_sounds():
    # Ana's usual level is happy's, Ben's is angry's; both are neutral for themselves.
    sound = spoken(("happy", 4), ("angry", 4))
    turns = Diarization([(0, 4, "Ana"), (4, 8, "Ben")])
    found = EmotionDetector(ByLevel(relative=True))(sound, turns)
    assert {e.emotion for e in found.moments} == {"neutral"}
    alike = EmotionDetector(ByLevel(relative=True))(sound, Diarization([(0, 4, "Ana"), (4, 8, "Ana")]))
    assert len({e.emotion for e in alike.moments}) > 1


@pytest.mark.parametrize("seconds", [19.9, 20.0, 20.1, 47.3, 130.0])
def test_long_turns_are_heard_in_parts_and_told_as_one(seconds):
    half = round(seconds / 2 / 0.5) * 0.5
    sound = spoken(("sad", half), ("angry", seconds - half))
    found = EmotionDetector(ByLevel(), width=0.5)(sound, Diarization([(0, seconds, "Ana")]))
    assert shown(found.moments) == [(0, half, "Ana", "sad"), (half, round(seconds, 3), "Ana", "angry")]
    assert len(found.turns) == 1


def test_people_who_speak_at_once_are_both_told():
    turns = Diarization([(0, 4, "Ana"), (1, 2, "Ben"), (1.5, 5, "Cem")])
    found = EmotionDetector(ByLevel())(spoken(("sad", 5)), turns)
    assert [turn.speaker for turn in found.turns] == ["Ana", "Ben", "Cem"]


def test_a_change_costs():
    sound, turns = spoken(("sad", 3), ("angry", 0.5), ("sad", 3)), Diarization([(0, 6.5, "Ana")])
    free, dear = (EmotionDetector(ByLevel(), width=0.5, change=c)(sound, turns) for c in (0.0, 5.0))
    assert [e.emotion for e in free.moments] == ["sad", "angry", "sad"]
    assert [e.emotion for e in dear.moments] == ["sad"]


def test_turns_that_are_too_short_or_beyond_the_end_are_left_out():
    turns = Diarization([(0, 0.2, "Ana"), (1, 3, "Ben"), (9, 12, "Cem")])
    found = EmotionDetector(ByLevel())(spoken(("sad", 2)), turns)
    assert shown(found.turns) == [(1, 2, "Ben", "sad")]


@pytest.mark.parametrize("seconds", [0.01, 1.0])
def test_nobody_speaks(seconds):
    found = EmotionDetector(ByLevel())(spoken((None, seconds)), Diarization())
    assert (found.turns, found.moments, found.duration) == ((), (), seconds)
    assert found.speakers() == {}
    assert len(found.to_diarization()) == 0


@pytest.mark.parametrize(
    "options", [{"hop": 0.0}, {"hop": 3.0}, {"width": 30.0}, {"change": -1.0}, {"least": 0.0}]
)
def test_impossible_settings(options):
    with pytest.raises(UsageError, match="0 < hop ≤ width ≤ longest"):
        EmotionDetector(ByLevel(), **options)


def test_the_columns_are_named():
    assert tuple(LEVELS) == EMOTIONS


def test_cutting_forward_is_cutting():
    samples = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    sizes = np.split(samples, [100, 101, 400, 650, 999])
    sound = _Forward(iter([part[None] for part in sizes]), 10)
    for start, end in [(0.5, 7.0), (3.0, 12.0), (3.0, 4.0), (30.0, 66.0), (70.0, 300.0)]:
        assert sound.cut(start, end).tolist() == samples[round(10 * start) : round(10 * end)].tolist()
    assert sound.to_the_end() == 100.0
