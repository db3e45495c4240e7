"""Are two voices one person's? Scores, calibrated likelihood ratios, decisions at a rate of false accepts.

A score is made in three steps: the cosine of the two voiceprints, in a space where what one person varies in
counts for less (`Compensation`); the same normalised by a cohort (`Cohort`); from that, the seconds of speech
on both sides and whether they come from a telephone the log-likelihood ratio (`Calibration`). Decisions are
made on the ratio, at a threshold that depends on the same (`Thresholds`). They label recordings: they are not
authentication, and a replayed or cloned voice will pass.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import ModelMissingError, UsageError
from tertulia.identity.calibration import Calibration
from tertulia.identity.cohort import Cohort
from tertulia.identity.compensation import Compensation
from tertulia.identity.telephone import Telephone
from tertulia.identity.thresholds import Thresholds, rate_of_each
from tertulia.identity.voiceprint import Voiceprint, same_model
from tertulia.inference import WEIGHTS

__all__ = ["FALSE_ACCEPT", "Decision", "Score", "Scorer", "default_scorer"]

Array = NDArray[np.float64]

PARAMETERS = WEIGHTS / "known-voices.npz"
FALSE_ACCEPT = 0.01
FORMAT = 2
"""Of the parameters; 1 had one threshold for all seconds of speech."""


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
        false_accept: share of pairs of two people that reach the threshold.
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
        thresholds: which ratio to ask for; without measurements what holds of all calibrated ones.
        compensation: maps voices before they are compared, as it has mapped the cohort; None leaves them.
        telephone: tells whether a voice is from a telephone; None: nobody is.
    """

    model: str
    cohort: Cohort
    calibration: Calibration
    thresholds: Thresholds = field(default_factory=Thresholds.bound)
    compensation: Compensation | None = None
    telephone: Telephone | None = None

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

    def required(
        self,
        ones: Sequence[Voiceprint],
        others: Sequence[Voiceprint],
        false_accept: float = FALSE_ACCEPT,
        gallery: int = 1,
    ) -> Array:
        """Ratio from which each pair is taken for one person, (ones, others).

        Args:
            ones, others: the voices.
            false_accept: share of different people who may be taken for one, or with a larger gallery, of
                strangers who may be taken for anybody in it; between 0 and 1.
            gallery: how many people each of `ones` is compared with in all.

        Raises:
            UsageError: for another rate, or nobody to compare with.
        """
        rate = rate_of_each(false_accept, gallery)
        if not ones or not others:
            return np.zeros((len(ones), len(others)))
        return self.thresholds(rate, *self._qualities(ones, others))

    def verify(self, one: Voiceprint, other: Voiceprint, false_accept: float = FALSE_ACCEPT) -> Decision:
        """Decide whether two voices are one person's; arguments and errors are those of `required`."""
        threshold = float(self.required([one], [other], false_accept)[0, 0])
        score = self(one, other)
        return Decision(score.llr >= threshold, score, threshold, false_accept)

    def _compare(
        self, ones: Sequence[Voiceprint], others: Sequence[Voiceprint]
    ) -> tuple[Array, Array, Array]:
        same_model([self.model, *(each.model for each in (*ones, *others))])
        if not ones or not others:
            nothing = np.zeros((len(ones), len(others)))
            return nothing, nothing, nothing
        one, other = _vectors(ones), _vectors(others)
        cosines = one @ other.T
        if self.compensation is not None:
            one, other = self.compensation(one), self.compensation(other)
        normalised = self.cohort.normalised(one @ other.T, one, other)
        return cosines, normalised, self.calibration(normalised, *self._qualities(ones, others))

    def _qualities(
        self, ones: Sequence[Voiceprint], others: Sequence[Voiceprint]
    ) -> tuple[Array, Array, tuple[Array, Array]]:
        """Seconds and telephones of both sides, as calibration takes them: (ones, 1) and (others,)."""
        seconds = [np.array([each.seconds for each in side]) for side in (ones, others)]
        if self.telephone is None:
            heard = [np.zeros(len(side)) for side in (ones, others)]
        else:
            heard = [self.telephone(_vectors(side)) for side in (ones, others)]
        return seconds[0][:, None], seconds[1], (heard[0][:, None], heard[1])


def _vectors(prints: Sequence[Voiceprint]) -> Array:
    return np.stack([each.vector for each in prints]).astype(np.float64)


def default_scorer(model: str) -> Scorer:
    """Return the bundled scorer for the voiceprints of a network.

    Raises:
        ModelMissingError: when there is none for that network.
    """
    bundled = _bundled(PARAMETERS)
    if model != bundled.model:
        raise ModelMissingError(
            f"voices of the network {model} cannot be judged: nothing is known of how their scores are "
            f"distributed; the bundled calibration is for {bundled.model} (the default, campplus)"
        )
    return bundled


@cache
def _bundled(path: Path) -> Scorer:
    """Read parameters as `tools/calibrate_voices.py` writes them."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            values = dict(file)
    except OSError as error:
        raise ModelMissingError(f"{path}: the calibration of known voices is missing: {error}") from error
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelMissingError(f"{path} does not hold a calibration of known voices: {error}") from error
    if (made := int(values.get("format", 1))) != FORMAT:
        raise ModelMissingError(
            f"{path} has format {made}, and this version of tertulia reads format {FORMAT}: take the file "
            "that came with it, or make it anew with tools/calibrate_voices.py"
        )
    try:
        return _scorer(
            {name: each.astype(np.float64) if each.ndim else each for name, each in values.items()}
        )
    except (KeyError, ValueError) as error:
        raise ModelMissingError(f"{path} does not hold a calibration of known voices: {error}") from error


def _scorer(values: Mapping[str, NDArray[Any]]) -> Scorer:
    return Scorer(
        str(values["model"]),
        Cohort(values["cohort"], int(values["top"]), float(values["share"])),
        Calibration(values["calibration"]),
        Thresholds(values["rates"], values["levels"], values["location"], values["scale"]),
        Compensation(values["compensation"]),
        Telephone(values["telephone"], float(values["telephone_offset"])),
    )
