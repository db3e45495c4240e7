"""Who of those enrolled a voice is, if anybody: an open set, and one name for one speaker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tertulia.identity.assignment import best_pairs
from tertulia.identity.gallery import Gallery
from tertulia.identity.scoring import Score, Scorer
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

    def best(self, voiceprint: Voiceprint) -> Match | None:
        """Return the person that a voice is taken for, or None for a stranger."""
        return self.assign({"": voiceprint}).get("")

    def assign(self, voices: Mapping[str, Voiceprint]) -> dict[str, Match]:
        """Give the speakers of one recording names, one-to-one, so that the scores add up to the most.

        Speakers that are taken for nobody are left out.
        """
        scores, gained = {}, {}
        for speaker, voiceprint in voices.items():
            scores[speaker], gained[speaker] = self._scores(voiceprint)
        people = sorted({person for mine in scores.values() for person in mine})
        gains = np.array([[mine.get(person, -np.inf) for person in people] for mine in gained.values()])
        matches = {}
        for row, column in best_pairs(gains):
            speaker, person = list(scores)[row], people[column]
            score = scores[speaker][person]
            probability = _posterior(score, scores[speaker], len(self.gallery))
            matches[speaker] = Match(self.gallery.names[person], score, probability)
        return matches

    def _scores(self, voiceprint: Voiceprint) -> tuple[dict[int, Score], dict[int, float]]:
        """Scores of the candidates, and how far each is above what it takes to get the name."""
        near = self.gallery.nearest(voiceprint, self.candidates).tolist()
        prints = [self.gallery.voiceprint(person) for person in near]
        scores = dict(zip(near, self.scorer.many(voiceprint, prints), strict=True))
        if not near:
            return scores, {}
        required = self.scorer.required([voiceprint], prints, self.false_accept, len(self.gallery))[0]
        return scores, {p: scores[p].llr - needed for p, needed in zip(near, required.tolist(), strict=True)}


def _posterior(score: Score, all_scores: Mapping[int, Score], enrolled: int) -> float:
    """Bayes' rule over everybody enrolled and a stranger; who is not among the candidates is nobody."""
    ratios = np.array([each.llr for each in all_scores.values()]) - np.log(enrolled)
    top = max(0.0, float(ratios.max()))
    total = np.exp(-top) + np.exp(ratios - top).sum()
    return float(np.exp(score.llr - np.log(enrolled) - top) / total)
