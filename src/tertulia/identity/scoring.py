"""Are two voices one person's? Scores, calibrated likelihood ratios, decisions at a rate of false accepts.

A score is made in three steps: the cosine of the two voiceprints, in a space where what one person varies in
counts for less (`Compensation`); the same normalised by a cohort (`Cohort`); from that and the seconds of
speech on both sides the log-likelihood ratio (`Calibration`). Decisions are made on the ratio. They label
recordings: they are not authentication, and a replayed or cloned voice will pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import ModelMissingError, UsageError
from tertulia.identity.calibration import Calibration, OperatingPoints
from tertulia.identity.cohort import Cohort
from tertulia.identity.compensation import Compensation
from tertulia.identity.voiceprint import Voiceprint, same_model
from tertulia.inference import WEIGHTS

__all__ = ["Decision", "Score", "Scorer", "default_scorer", "identify", "open_set_threshold", "verify"]

Array = NDArray[np.float64]

PARAMETERS = WEIGHTS / "known-voices.npz"
FALSE_ACCEPT = 0.01


@dataclass(frozen=True, slots=True)
class Score:
    """How alike two voices are.

    Attributes:
        raw: what a system compares by: of voiceprints the cosine, −1 to 1; of Gaussian models the mean log
            ratio of the likelihoods of a frame.
        normalised: the same by a cohort; of voiceprints, of the cosine where it is compensated.
        llr: natural logarithm of how much likelier this is for one person than for two.
    """

    raw: float
    normalised: float
    llr: float

    def probability(self, prior: float = 0.5) -> float:
        """Probability of one person, when it was `prior` before anything was heard.

        Raises:
            UsageError: when the prior does not lie between 0 and 1.
        """
        if not 0 < prior < 1:
            raise UsageError(f"a prior lies between 0 and 1; got {prior}")
        logit = self.llr + math.log(prior / (1 - prior))
        return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision, with what it was made on.

    Attributes:
        accepted: whether the two are taken for one person.
        score: of the two.
        threshold: llr from which they are.
        false_accept: share of pairs of two people that reach the threshold, at most.
    """

    accepted: bool
    score: Score
    threshold: float
    false_accept: float


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Compares voiceprints of one network.

    Args:
        model: the network whose voiceprints it compares.
        cohort: what cosines are normalised by.
        calibration: what makes ratios of normalised scores.
        compensation: maps voices before they are compared, as it has mapped the cohort; None leaves them.
    """

    model: str
    cohort: Cohort
    calibration: Calibration
    compensation: Compensation | None = None

    def __call__(self, one: Voiceprint, other: Voiceprint) -> Score:
        """Compare two voices.

        Raises:
            InputError: for voiceprints of another network.
        """
        return self.many(one, [other])[0]

    def many(self, query: Voiceprint, gallery: Sequence[Voiceprint]) -> list[Score]:
        """Compare a voice with each of several."""
        cosines, normalised, ratios = self._compare([query], gallery)
        rows = zip(cosines[0].tolist(), normalised[0].tolist(), ratios[0].tolist(), strict=True)
        return [Score(*row) for row in rows]

    def ratios(self, ones: Sequence[Voiceprint], others: Sequence[Voiceprint]) -> Array:
        """Log-likelihood ratios of all pairs, (ones, others)."""
        return self._compare(ones, others)[2]

    def _compare(
        self, ones: Sequence[Voiceprint], others: Sequence[Voiceprint]
    ) -> tuple[Array, Array, Array]:
        same_model([self.model, *(each.model for each in (*ones, *others))])
        if not ones or not others:
            nothing = np.zeros((len(ones), len(others)))
            return nothing, nothing, nothing
        one, other = (np.stack([each.vector for each in side]).astype(np.float64) for side in (ones, others))
        seconds_one, seconds_other = (np.array([each.seconds for each in side]) for side in (ones, others))
        cosines = one @ other.T
        if self.compensation is not None:
            one, other = self.compensation(one), self.compensation(other)
        normalised = self.cohort.normalised(one @ other.T, one, other)
        return cosines, normalised, self.calibration(normalised, seconds_one[:, None], seconds_other)


def default_scorer(model: str) -> Scorer:
    """Return the bundled scorer for the voiceprints of a network.

    Raises:
        ModelMissingError: when there is none for that network.
    """
    bundled, _ = _bundled(PARAMETERS)
    if model != bundled.model:
        raise ModelMissingError(
            f"voices of the network {model} cannot be judged: nothing is known of how their scores are "
            f"distributed; the bundled calibration is for {bundled.model} (the default, campplus)"
        )
    return bundled


def verify(score: Score, false_accept: float = FALSE_ACCEPT) -> Decision:
    """Decide whether two voices are one person's.

    Args:
        score: of the two.
        false_accept: share of pairs of two people that may be taken for one, between 0 and 1.

    Raises:
        UsageError: for another rate.
    """
    threshold = open_set_threshold(false_accept, 1)
    return Decision(score.llr >= threshold, score, threshold, false_accept)


def identify(scores: Sequence[Score], gallery: int, false_accept: float = FALSE_ACCEPT) -> int | None:
    """Find whose voice it is: index of the best score, or None when it is nobody's.

    Args:
        scores: against the people who come nearest.
        gallery: how many people there are in all.
        false_accept: share of strangers who may be given any name.
    """
    if not scores:
        return None
    best = max(range(len(scores)), key=lambda person: scores[person].llr)
    return best if scores[best].llr >= open_set_threshold(false_accept, gallery) else None


def open_set_threshold(false_accept: float, gallery: int) -> float:
    """Llr from which a voice gets a name, so that at most this share of strangers gets any.

    A stranger has as many chances as there are people; with f for all of them, each has 1 − (1 − f)^(1 / n)
    (Šidák), which is exact for independent scores and strict for others.

    Raises:
        UsageError: for a rate that does not lie between 0 and 1, or nobody to compare with.
    """
    if not 0 < false_accept < 1:
        raise UsageError(f"a rate of false accepts lies between 0 and 1; got {false_accept}")
    if gallery < 1:
        raise UsageError(f"a gallery holds one person or more; got {gallery}")
    return _bundled(PARAMETERS)[1].threshold(-math.expm1(math.log1p(-false_accept) / gallery))


@cache
def _bundled(path: Path) -> tuple[Scorer, OperatingPoints]:
    """Read parameters as `tools/calibrate_voices.py` writes them."""
    try:
        with np.load(path, allow_pickle=False) as file:
            values = dict(file)
    except OSError as error:
        raise ModelMissingError(f"{path}: the calibration of known voices is missing: {error}") from error
    scorer = Scorer(
        str(values["model"]),
        Cohort(values["cohort"].astype(np.float64), int(values["top"]), float(values["share"])),
        Calibration(values["calibration"]),
        Compensation(values["compensation"].astype(np.float64)),
    )
    return scorer, OperatingPoints(values["rates"], values["ratios"])
