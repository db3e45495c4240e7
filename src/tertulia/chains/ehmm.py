"""The evolutive hidden Markov model of ALIZÉ's LIA_SpkSeg: speakers are added one at a time.

It begins with one state for everybody. Again and again the best stretch of three seconds becomes a new state,
and models and segmentation are made from each other until they agree. Read `EvolutiveHMM.__call__` first.

Sources: Meignier, Moraru, Fredouille, Bonastre & Besacier, "Step-by-step and integrated approaches in
broadcast news speaker diarization", Computer Speech & Language 20 (2006), section 3; Fredouille & Evans, "The
LIA RT'07 speaker diarization system" (2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tertulia.chains.recording import Found, Stage
from tertulia.clustering.base import refuse_count
from tertulia.errors import UsageError
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.gaussians import viterbi
from tertulia.gaussians.background import background, scene_features, voice_features
from tertulia.gaussians.shifts import Shifts
from tertulia.mfcc import STEP
from tertulia.segmentation.mixtures import SPEECH, kinds_of_sound, traits_of_voice
from tertulia.speakers import Speakers

__all__ = ["EvolutiveHMM"]

Array = NDArray[np.float32]
Labels = NDArray[np.intp]

_CEPSTRA = 13
_STRIDE = 2  # frames of features for one of the model: neighbours say nearly the same
_MOST_FRAMES = 150_000  # … and more in recordings of hours, so that memory stays bounded
_MOST_SEEDS = 500
_ATTEMPTS = 5  # seeds that may vanish before the search for another speaker is given up
_AGREED = 0.998  # share of frames that keep their state


@dataclass(frozen=True)
class EvolutiveHMM:
    """Top-down diarization: segmentation and clustering in one.

    Args:
        seed: seconds of the stretch that becomes a new speaker.
        relevance: frames at which a component of the background model is half-way to the speaker.
        evidence: seconds that a speaker's speech counts for at most in its model: a model of much speech
            would fit everybody better than one of little.
        cell: seconds over which a seed must fit better than the present speakers, to count.
        stay: seconds that a turn lasts at least.
        switch: log probability of a change of speaker.
        rounds: of models and segmentation for each new speaker at most.
        least: seconds of speech that a speaker needs to stay one.
        gain: by how much, in nats for each of its frames, one half of a new speaker's speech must predict the
            other better than as much speech of any other does; otherwise it is not added, and the search
            ends.
        most: speakers at most, where nothing is known about their number.
    """

    seed: float = 3.0
    relevance: float = 16.0
    evidence: float = 10.0
    cell: float = 3.0
    stay: float = 2.0
    switch: float = -20.0
    rounds: int = 10
    least: float = 3.0
    gain: float = 1.0
    most: int = 20

    def __post_init__(self) -> None:
        lengths = (self.seed, self.relevance, self.evidence, self.cell, self.stay, self.least)
        if not (min(lengths) > 0 and self.switch <= 0 and self.rounds >= 1 and self.most >= 1):
            raise ValueError(
                "seed, relevance, evidence, cell, stay and least are above zero, switch is not, "
                "rounds and most go from 1"
            )

    @property
    def models(self) -> dict[str, str]:
        """Bundled models by name, for provenance."""
        return {"background": background().sha256}

    def __call__(self, features: Features, speakers: Speakers, stage: Stage) -> Found:
        """Find the speakers; see `Chain`."""
        cepstra = _checked(features)
        kinds = kinds_of_sound(cepstra)  # (frames,)
        voiced = np.flatnonzero(SPEECH[kinds])
        if len(voiced) < speakers.least and (speakers.num or speakers.minimum):
            raise refuse_count(speakers, len(voiced))
        stage(0.2)
        labels = self.evolve(voice_features(cepstra)[voiced], speakers, stage)  # (frames of speech,)
        everywhere = np.full(len(cepstra), -1, dtype=np.intp)
        everywhere[voiced] = labels
        scene, turns, traits = scene_features(cepstra), [], []
        for speaker in np.unique(labels):
            mine = everywhere == speaker
            turns.append(Grid(STEP).timeline(mine))
            traits.append(traits_of_voice(scene[mine], kinds[mine]))
        stage(1.0)
        return Found(turns, traits)

    def evolve(self, spoken: Array, speakers: Speakers, stage: Stage) -> Labels:
        """Tell the speaker of each frame of speech.

        Args:
            spoken: `voice_features` of speech alone, (frames, 25); as many frames as speakers have to be.
            speakers: what is known about their number.
            stage: called after each new speaker, with 0.2 to 1.

        Returns:
            (frames,), numbered from 0 without gaps.
        """
        if not len(spoken):
            return np.empty(0, dtype=np.intp)
        stride = max(1, min(max(_STRIDE, -(-len(spoken) // _MOST_FRAMES)), len(spoken) // speakers.least))
        hmm = _HMM(self, Shifts.of(background().ubm, spoken[::stride]), stride)
        labels = hmm.everybody()
        most = speakers.most or max(self.most, speakers.least)
        while (count := labels.max() + 1) < most:
            added = hmm.add(labels, wanted=count < speakers.least)
            if added is None:
                break
            labels = added
            stage(0.2 + 0.8 * (count + 1) / (most + 1))
        return np.repeat(labels, stride)[: len(spoken)]


class _HMM:
    """The frames of one recording, and the way from k speakers to k + 1."""

    def __init__(self, settings: EvolutiveHMM, frames: Shifts, stride: int) -> None:
        self.settings, self.frames = settings, frames
        self.weight = float(stride)  # a frame stands for so many
        rate = 1 / (STEP * stride)
        self.stay, self.seed, self.cell, self.least = (
            max(1, round(seconds * rate))
            for seconds in (settings.stay, settings.seed, settings.cell, settings.least)
        )
        self.seeds, self.fit = self._seeds()

    def everybody(self) -> Labels:
        """One speaker for all frames."""
        return np.zeros(len(self.frames), dtype=np.intp)

    def add(self, labels: Labels, wanted: bool) -> Labels | None:
        """Find another speaker; None when there is none worth it, which `wanted` rules out."""
        count = labels.max() + 1
        scores = self._scores(labels, self.settings.seed)
        now = scores[np.arange(len(labels)), labels]
        cells = now[: len(self.fit) * self.cell].reshape(len(self.fit), self.cell).sum(axis=1)
        # A seed is as good as what it explains better than all speakers there are, outside itself.
        better = np.maximum(self.fit - cells[:, None], 0.0).sum(axis=0)
        attempts = np.argsort(-better, kind="stable")[:_ATTEMPTS]
        for seed in attempts.tolist():
            begun = labels.copy()
            begun[self.seeds[seed] : self.seeds[seed] + self.seed] = count
            found = self._agreed(begun)
            if np.bincount(found, minlength=count + 1).min() < self.least:
                continue
            if wanted or self._novelty(found) > self.settings.gain:
                return found
        return self._halved(labels) if wanted else None

    def _seeds(self) -> tuple[Labels, NDArray[np.float64]]:
        """Where seeds begin, (seeds,), and how well each explains each cell, (cells, seeds).

        The values are log-likelihood ratios to the background model, −∞ where seed and cell overlap.
        """
        frames = len(self.frames)
        starts = np.arange(0, max(0, frames - self.seed) + 1, max(1, self.seed // 2))
        if len(starts) > _MOST_SEEDS:
            starts = starts[np.linspace(0, len(starts) - 1, _MOST_SEEDS).astype(np.intp)]
        shifts = [self._shift(slice(start, start + self.seed), self.settings.seed) for start in starts]
        edges = np.arange(frames // self.cell + 1) * self.cell
        fit = self.frames.totals(shifts, edges)
        over = (starts < edges[1:, None]) & (starts + self.seed > edges[:-1, None])
        return starts, np.where(over, -np.inf, fit)

    def _shift(self, which: slice | NDArray[np.bool_], seconds: float) -> Array:
        """Model of some frames, which count for so many seconds at most."""
        count, first = self.frames.statistics(which)
        frames = max(count.sum() * self.weight, 1e-9)
        weight = self.weight * min(1.0, seconds / STEP / frames)
        return self.frames.adapted(count * weight, first * weight, self.settings.relevance)

    def _scores(self, labels: Labels, seconds: float) -> NDArray[np.float64]:
        """Log-likelihood ratio of each frame under the model of each speaker, (frames, speakers)."""
        columns = [
            self.frames.scores(self._shift(labels == speaker, seconds)) for speaker in range(labels.max() + 1)
        ]
        return np.stack(columns, axis=1).astype(np.float64)

    def _agreed(self, labels: Labels) -> Labels:
        """Make models of the segmentation and the segmentation of the models until they agree."""
        seconds = self.settings.seed  # as much for all as the newest has
        for _ in range(self.settings.rounds):
            scores = self._scores(labels, seconds)
            again = viterbi(scores, self.stay, self.settings.switch / self.weight)
            same, labels = float((again == labels).mean()), again
            if labels.max() + 1 < scores.shape[1] or same > _AGREED:
                break
            seconds = self.settings.evidence
        return labels

    def _novelty(self, labels: Labels) -> float:
        """How much better the newest speaker is told by itself than by the others, in nats for each frame.

        What half of its speech predicts of the other half is compared with what as much speech of the others
        does: a model that is scored on what it was made of would always be somebody new.
        """
        mine = np.flatnonzero(labels == labels.max())
        halves = np.array_split(mine, 2)
        seconds = min(len(halves[0]) * STEP * self.weight, self.settings.evidence)
        others = self._scores(np.where(labels == labels.max(), -1, labels), seconds)
        gain = 0.0
        for learned, heard in (halves, halves[::-1]):
            if not len(heard):
                continue
            own = np.zeros(len(labels), dtype=bool)
            own[learned] = True
            score = self.frames.scores(self._shift(own, self.settings.evidence))
            turns = np.flatnonzero(np.diff(heard, prepend=-2) > 1)
            best = np.add.reduceat(others[heard], turns, axis=0).max(axis=1)  # of each turn
            gain += float(score[heard].sum(dtype=np.float64) - best.sum())
        return gain / len(mine)

    def _halved(self, labels: Labels) -> Labels:
        """Split who speaks most in two, early and late: the last resort for a number of speakers."""
        frames = np.flatnonzero(labels == np.bincount(labels).argmax())
        split = labels.copy()
        split[frames[len(frames) // 2 :]] = labels.max() + 1
        return split


def _checked(features: Features) -> Array:
    """Return the 13 cepstra that the models know, (frames, 13)."""
    dim = features.values.shape[1]
    if dim < _CEPSTRA or abs(features.step - STEP) > 1e-6:
        raise UsageError(
            f"this system needs at least {_CEPSTRA} cepstra, c0 first, every {STEP:g} s; "
            f"got {dim} features every {features.step:g} s"
        )
    return features.values[:, :_CEPSTRA]
