"""`GaussianVerifier`: two recordings compared by adapted mixtures, as ALIZÉ's LIA_SpkDet does; no network.

Speech is what the bundled mixtures of sounds take for it, less its quiet frames. Cepstra are warped, the
background model is adapted to one recording, and the frames of the other say how much likelier they are under
the result than under the background. The ratio is normalised by a cohort: Z-norm by how other people's speech
scores against the model, T-norm by how other people's models score on the speech; the bundled calibration
is for T-norm. Both directions are averaged.

Sources: Reynolds, Quatieri & Dunn, "Speaker verification using adapted Gaussian mixture models", Digital
Signal Processing 10 (2000), for the models and Z-norm; Auckenthaler, Carey & Lloyd-Thomas, "Score
normalization for text-independent speaker verification systems", the same volume, for T-norm; Bonastre, Wils
& Meignier, "ALIZE, a free toolkit for speaker recognition" (ICASSP 2005), for LIA_SpkDet.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tertulia.audio import Source, open_audio
from tertulia.audio.source import name_of
from tertulia.chains.ehmm import EvolutiveHMM
from tertulia.chains.recording import Chain, cepstra
from tertulia.errors import InputError, ModelMissingError, UsageError
from tertulia.featurefiles import Features
from tertulia.frames import Grid
from tertulia.gaussians import Statistics, fit
from tertulia.gaussians.background import background, voice_features
from tertulia.gaussians.ratios import sides, stacked
from tertulia.identity.calibration import Calibration, OperatingPoints
from tertulia.identity.scoring import Decision, Score
from tertulia.identity.verification import Verification
from tertulia.inference import WEIGHTS
from tertulia.mfcc import STEP
from tertulia.segmentation.mixtures import SPEECH, kinds_of_sound
from tertulia.speakers import ANY

__all__ = ["NORMS", "GaussianVerifier", "Impostors", "Norm", "cepstra_of", "speech_of", "statistics_of"]

Array = NDArray[np.float64]
Cepstra = NDArray[np.float32]
Norm = Literal["none", "z", "t", "zt"]

NORMS: tuple[Norm, ...] = ("none", "z", "t", "zt")
NORM: Norm = "t"
"""The one whose equal error rate is the lowest among people the calibration is made from."""

PARAMETERS = WEIGHTS / "gmm-ubm.npz"

_SAMPLE_RATE = 16_000
_FLOOR = 1e-9  # spread under which scores of a cohort are taken for equal


def cepstra_of(source: Source) -> Cepstra:
    """Compute the cepstra of a recording, (frames, 13)."""
    with open_audio(source, sample_rate=_SAMPLE_RATE) as recording:
        return cepstra(recording)[0].values


def speech_of(cepstra: Cepstra) -> NDArray[np.bool_]:
    """Which frames (frames, 13) to know a voice by: speech, less what is quiet by loudness."""
    speech = SPEECH[kinds_of_sound(cepstra)]
    if not speech.any():
        return speech
    loudness = cepstra[speech, :1]
    levels = fit(loudness, 2)
    quiet, loud = levels.means.min(), levels.means.max()
    likelier = levels.means[levels.log_components(loudness).argmax(axis=1), 0] == loud
    # The wider Gaussian is likelier on both sides of the other: beyond either mean, the mean decides.
    kept = np.where(loudness[:, 0] <= quiet, quiet == loud, likelier | (loudness[:, 0] >= loud))
    speech[np.flatnonzero(speech)[~kept]] = False
    return speech


def statistics_of(cepstra: Cepstra, chosen: NDArray[np.bool_]) -> Statistics:
    """What the background model sees of the chosen frames of a recording, (frames, 13) and (frames,)."""
    return Statistics.of(background().ubm, voice_features(cepstra)[chosen])


@dataclass(frozen=True, slots=True, eq=False)
class Impostors:
    """A cohort: other people's speech, and models of it; see `tertulia.gaussians.ratios` for what these are.

    Args:
        evidence: (cohort, width).
        models: (cohort, width).

    Raises:
        ValueError: for fewer than three, or tables that are not alike.
    """

    evidence: Array
    models: Array

    def __post_init__(self) -> None:
        if self.evidence.ndim != 2 or self.models.shape != self.evidence.shape or len(self.models) < 3:
            raise ValueError(
                f"a cohort is three stretches or more, as evidence and as models; "
                f"got {self.evidence.shape} and {self.models.shape}"
            )

    def scores(self, models: Array, evidence: Array, norm: Norm = NORM) -> Array:
        """Score every model on all evidence, (models, width) and (stretches, width) → (models, stretches).

        Z-norm (μ and σ of the model over the cohort's speech) comes before T-norm (of the speech over the
        cohort's models, whose scores are Z-normed too): Auckenthaler et al., section 2.
        """
        if norm not in NORMS:
            raise ValueError(f"a norm is one of {', '.join(NORMS)}; got {norm!r}")
        raw, tests = models @ evidence.T, self.models @ evidence.T
        if "z" in norm:
            raw = _standard(raw, models @ self.evidence.T)
            own = self.models @ self.evidence.T
            np.fill_diagonal(own, np.nan)  # nobody is an impostor to himself
            tests = _standard(tests, own)
        if "t" in norm:
            raw = _standard(raw.T, tests.T).T
        return np.asarray(raw)


def _standard(scores: Array, cohort: Array) -> Array:
    """Rows of scores, in standard deviations of the rows of a cohort's, around their mean."""
    mean, spread = np.nanmean(cohort, axis=1), np.nanstd(cohort, axis=1)
    return np.asarray((scores - mean[:, None]) / np.maximum(spread, _FLOOR)[:, None])


@dataclass(frozen=True, slots=True, eq=False)
class GaussianVerifier:
    """Compares two recordings by adapted mixtures; see the module.

    Args:
        impostors: the cohort.
        calibration: of scores normalised by `NORM`.
        points: how often two people score how much.
        chain: tells whether one person speaks in a recording, or several.
        least: seconds of speech that a recording has to hold, and from which somebody else in it counts.
    """

    impostors: Impostors
    calibration: Calibration
    points: OperatingPoints
    chain: Chain = field(default_factory=EvolutiveHMM)
    least: float = 2.0

    @classmethod
    def load(cls) -> GaussianVerifier:
        """Take the bundled cohort.

        Raises:
            ModelMissingError: when it is missing, or was made with another background model.
        """
        return _bundled(PARAMETERS)

    def __call__(
        self, one: Source, other: Source, *, false_accept: float, one_speaker: bool = False
    ) -> Verification:
        """Compare; see `Verifier`."""
        if not 0 < false_accept < 1:
            raise UsageError(f"a rate of false accepts lies between 0 and 1; got {false_accept}")
        seen = [self._heard(source, one_speaker) for source in (one, other)]
        score, threshold = self.score(*seen), self.points.threshold(false_accept)
        decision = Decision(score.llr >= threshold, score, threshold, false_accept)
        first, second = (each.frames * STEP for each in seen)
        return Verification(decision, (first, second))

    def score(self, one: Statistics, other: Statistics) -> Score:
        """Compare what the background model has seen of two recordings."""
        evidence, models = sides(*stacked(background().ubm, [one, other]))
        raw, normalised = (
            float(table[0, 1] + table[1, 0]) / 2
            for table in (self.impostors.scores(models, evidence, norm) for norm in ("none", NORM))
        )
        llr = self.calibration(normalised, one.frames * STEP, other.frames * STEP)
        return Score(raw, normalised, float(llr))

    def _heard(self, source: Source, one_speaker: bool) -> Statistics:
        """Collect the statistics of a recording of one person."""
        name, values = name_of(source), cepstra_of(source)
        chosen = speech_of(values)
        if (seconds := chosen.sum() * STEP) < self.least:
            raise InputError(f"{name}: {seconds:.1f} s of speech is too little to know a voice by")
        if not one_speaker:
            self._refuse_mixture(values, chosen, name)
        return statistics_of(values, chosen)

    def _refuse_mixture(self, cepstra: Cepstra, chosen: NDArray[np.bool_], name: str) -> None:
        """Raise `InputError` where the chain finds somebody whose speech scores as that of two people."""
        turns = self.chain(Features(cepstra, STEP), ANY, lambda _: None).turns
        masks = [Grid(STEP).mask(timeline, len(chosen)) & chosen for timeline in turns]
        main = max(masks, key=np.count_nonzero, default=chosen)
        own = statistics_of(cepstra, main)
        for timeline, mask in zip(turns, masks, strict=True):
            if mask is main or mask.sum() * STEP < self.least:
                continue
            if self.score(own, statistics_of(cepstra, mask)).llr < 0:
                turn = timeline[0]
                raise InputError(
                    f"{name}: more than one person speaks: somebody else at {turn.start:.1f}–{turn.end:.1f} "
                    "s. Cut that out, or if it is one person all the same, say so (--one-speaker)"
                )


@cache
def _bundled(path: Path) -> GaussianVerifier:
    """Read parameters as `tools/train_gmm_ubm.py` writes them."""
    try:
        with np.load(path, allow_pickle=False) as file:
            values = dict(file)
        if str(values["background"]) != background().sha256:
            raise ModelMissingError(f"{path} was made with another background model; train it anew")
        cohort = sides(values["count"].astype(np.float64), values["first"].astype(np.float64))
        return GaussianVerifier(
            Impostors(*cohort),
            Calibration(values["calibration"]),
            OperatingPoints(values["rates"], values["ratios"]),
        )
    except OSError as error:
        raise ModelMissingError(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelMissingError(f"{path} does not hold a cohort of gmm-ubm: {error}") from error
