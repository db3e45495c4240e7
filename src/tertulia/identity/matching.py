"""Who of those enrolled a voice is, if anybody: an open set, and one name for one speaker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tertulia.identity.assignment import best_pairs
from tertulia.identity.gallery import Gallery
from tertulia.identity.scoring import Score, Scorer, open_set_threshold
from tertulia.identity.voiceprint import Voiceprint

__all__ = ["Match", "Matcher"]


@dataclass(frozen=True, slots=True)
class Match:
    """An enrolled person that a voice was taken for.

    Attributes:
        name: of the person.
        score: of the voice against the person's.
        probability: that it is this person, and neither anybody else enrolled nor a stranger. Strangers have
            a prior of one half, the people enrolled share the other half evenly.
    """

    name: str
    score: Score
    probability: float


@dataclass(frozen=True)
class Matcher:
    """Finds people in a gallery.

    Args:
        gallery: the people.
        scorer: compares two voices of the gallery's network.
        false_accept: share of strangers who may get a name, whatever the size of the gallery.
        candidates: people with the highest cosines who are compared in full.
    """

    gallery: Gallery
    scorer: Scorer
    false_accept: float = 0.01
    candidates: int = 32

    @cached_property
    def threshold(self) -> float:
        """Log-likelihood ratio from which a voice gets a name."""
        return open_set_threshold(self.false_accept, max(len(self.gallery), 1))

    def best(self, voiceprint: Voiceprint) -> Match | None:
        """Return the person that a voice is taken for, or None for a stranger."""
        return self.assign({"": voiceprint}).get("")

    def assign(self, voices: Mapping[str, Voiceprint]) -> dict[str, Match]:
        """Give the speakers of one recording names, one-to-one, so that the scores add up to the most.

        Speakers that are taken for nobody are left out.
        """
        scores = {speaker: self._scores(voiceprint) for speaker, voiceprint in voices.items()}
        people = sorted({person for mine in scores.values() for person in mine})
        gains = np.array(
            [
                [mine[p].llr - self.threshold if p in mine else -np.inf for p in people]
                for mine in scores.values()
            ]
        )
        matches = {}
        for row, column in best_pairs(gains):
            speaker, person = list(scores)[row], people[column]
            score = scores[speaker][person]
            probability = _posterior(score, scores[speaker], len(self.gallery))
            matches[speaker] = Match(self.gallery.names[person], score, probability)
        return matches

    def _scores(self, voiceprint: Voiceprint) -> dict[int, Score]:
        near = self.gallery.nearest(voiceprint, self.candidates).tolist()
        scores = self.scorer.many(voiceprint, [self.gallery.voiceprint(person) for person in near])
        return dict(zip(near, scores, strict=True))


def _posterior(score: Score, all_scores: Mapping[int, Score], enrolled: int) -> float:
    """Bayes' rule over everybody enrolled and a stranger; who is not among the candidates is nobody."""
    ratios = np.array([each.llr for each in all_scores.values()]) - np.log(enrolled)
    top = max(0.0, float(ratios.max()))
    total = np.exp(-top) + np.exp(ratios - top).sum()
    return float(np.exp(score.llr - np.log(enrolled) - top) / total)
