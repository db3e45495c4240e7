from collections.abc import Callable

import numpy as np
import pytest

from tertulia.timeline import Diarization, Timeline


def random_diarization(rng: np.random.Generator, turns: int, speakers: int, seconds: float) -> Diarization:
    starts = rng.uniform(0, seconds, turns)
    ends = starts + rng.uniform(0.05, 6, turns)
    return Diarization([(s, e, f"s{rng.integers(speakers)}") for s, e in zip(starts, ends, strict=True)])


@pytest.fixture
def random_case() -> Callable[[int], tuple[Diarization, Diarization, Timeline]]:
    """A reference, a hypothesis that errs in every way, and a UEM that cuts turns; by seed."""

    def make(seed: int) -> tuple[Diarization, Diarization, Timeline]:
        rng = np.random.default_rng(seed)
        reference = random_diarization(rng, rng.integers(1, 25), rng.integers(1, 6), 60)
        turns = []
        for turn in reference:
            if rng.random() < 0.85:
                start = max(0.0, turn.start + rng.normal(0, 0.4))
                speaker = turn.speaker if rng.random() < 0.8 else f"s{rng.integers(6)}"
                turns.append((start, start + turn.duration * rng.uniform(0.6, 1.3), f"{speaker}'"))
        extra = random_diarization(rng, rng.integers(0, 6), 4, 70)
        hypothesis = Diarization([*turns, *((t.start, t.end, f"{t.speaker}'") for t in extra)])
        edges = np.sort(rng.uniform(0, 70, 4))
        return reference, hypothesis, Timeline([(edges[0], edges[1]), (edges[2], edges[3])])

    return make
