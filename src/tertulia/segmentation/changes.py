"""Speaker changes by distance: where two windows that slide along side by side differ most.

Maxima of the distance are possible changes, and a threshold accepts or rejects them.

Sources: Siegler, Jain, Raj & Stern (DARPA Speech Recognition Workshop 1997) for KL2; Chen & Gopalakrishnan
(DARPA Broadcast News Workshop 1998) for BIC; Delacourt & Wellekens, "DISTBIC: a speaker-based segmentation
for audio data indexing", Speech Communication 32 (2000), for GLR and for maxima of a distance curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia.featurefiles import Features
from tertulia.gaussians import Moments, adjacent, bic_shift, glr, kl2

__all__ = [
    "CHANGES",
    "BICChanges",
    "ChangeMethod",
    "CosineChanges",
    "Curve",
    "GLRChanges",
    "KL2Changes",
    "SiameseChanges",
]

Array = NDArray[np.float64]

_HOP = 0.05  # seconds between two places where a change may be


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """How unlike what is before and after each place is.

    Attributes:
        places: seconds, rising evenly, (places,).
        values: distances, (places,).
    """

    places: Array
    values: Array

    def maxima(self, threshold: float, apart: float) -> Array:
        """Places of the maxima above the threshold, the highest within `apart` seconds, (changes,).

        A maximum is higher than what is on both sides of it, where the ends of the curve have nothing beside
        them. A level top is one maximum, at its middle.
        """
        from scipy.signal import find_peaks

        step = (self.places[-1] - self.places[0]) / (len(self.places) - 1) if len(self.places) > 1 else 1.0
        # find_peaks sees no maximum at the ends of the curve unless something lower is beyond.
        curve = np.concatenate([[-np.inf], self.values, [-np.inf]])
        least = np.nextafter(threshold, np.inf)  # find_peaks takes the height itself
        # A hair off, so that rounding does not add a place to the distance.
        peaks, _ = find_peaks(curve, height=least, distance=max(1.0, apart / step - 1e-6))
        return np.asarray(self.places[peaks - 1])


class ChangeMethod(Protocol):
    """Finds changes in features.

    Attributes:
        front: what the features are: "cepstra", or vectors of a network that are `width` seconds wide:
            "voices" of the bundled one, or those of "twins", whose name is then `weights`.
        width: seconds in each of the two windows.
    """

    front: ClassVar[Literal["cepstra", "voices", "twins"]]

    @property
    def width(self) -> float: ...  # noqa: D102

    def curve(self, features: Features) -> Curve:
        """Compare the windows before and after each place that has both."""
        ...

    def __call__(self, features: Features) -> Array:
        """Find changes, in seconds from the first frame, (changes,)."""
        ...


@dataclass(frozen=True)
class _Gaussians:
    """One Gaussian for each of the two windows.

    Args:
        width: seconds in each window.
        threshold: distance above which a maximum is a change.
        apart: seconds between two changes at least.
    """

    width: float = 2.0
    threshold: float = 0.0
    apart: float = 1.0

    front: ClassVar[Literal["cepstra", "voices", "twins"]] = "cepstra"

    def __post_init__(self) -> None:
        _check(self.width, self.apart)

    def curve(self, features: Features) -> Curve:
        """Compare the windows before and after each place that has both; see `ChangeMethod`."""
        hop = max(1, round(_HOP / features.step))
        span = max(1, round(self.width / features.step / hop)) * hop
        places, before, after = adjacent(features.values, span, hop)
        return Curve(np.asarray(places * features.step), self._distance(before, after))

    def __call__(self, features: Features) -> Array:
        """Find changes, in seconds from the first frame, (changes,)."""
        return self.curve(features).maxima(self.threshold, self.apart)

    def _distance(self, before: Moments, after: Moments) -> Array:
        raise NotImplementedError


@dataclass(frozen=True)
class BICChanges(_Gaussians):
    """ΔBIC of full-covariance Gaussians, in nats; zero is where one Gaussian is as good as two.

    Args:
        weight: λ of the penalty.
    """

    weight: float = 2.0

    def _distance(self, before: Moments, after: Moments) -> Array:
        return bic_shift(before, after, self.weight)


@dataclass(frozen=True)
class GLRChanges(_Gaussians):
    """Generalised likelihood ratio of full-covariance Gaussians, in nats for each frame of a window."""

    threshold: float = 3.0

    def _distance(self, before: Moments, after: Moments) -> Array:
        return np.asarray(glr(before, after) / np.maximum(before.count, 1))


@dataclass(frozen=True)
class KL2Changes(_Gaussians):
    """Symmetric Kullback-Leibler distance of diagonal Gaussians."""

    threshold: float = 7.5

    def _distance(self, before: Moments, after: Moments) -> Array:
        return kl2(before, after)


@dataclass(frozen=True)
class CosineChanges:
    """Cosine distance of the vectors of the two windows, by an embedding network.

    Args:
        width: seconds in each window.
        threshold: cosine distance above which a maximum is a change.
        apart: seconds between two changes at least.
    """

    width: float = 1.5
    threshold: float = 0.5
    apart: float = 1.0

    front: ClassVar[Literal["cepstra", "voices", "twins"]] = "voices"

    def __post_init__(self) -> None:
        _check(self.width, self.apart)

    def curve(self, features: Features) -> Curve:
        """Compare vectors `width` apart; `features` are those around the middle of every step."""
        span = max(1, round(self.width / features.step))
        vectors = features.values.astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1)
        pairs = lengths[:-span] * lengths[span:]
        product = (vectors[:-span] * vectors[span:]).sum(axis=1)
        # Where a voice is unknown, nothing speaks for a change.
        alike = np.where(pairs > 0, product / np.where(pairs > 0, pairs, 1.0), 1.0)
        # The middles of the two windows, and half a window between them on either side of the place.
        places = (np.arange(len(alike)) + (span + 1) / 2) * features.step
        return Curve(np.asarray(places), np.asarray(1 - alike))

    def __call__(self, features: Features) -> Array:
        """Find changes, in seconds from the beginning, (changes,)."""
        return self.curve(features).maxima(self.threshold, self.apart)


@dataclass(frozen=True)
class SiameseChanges(CosineChanges):
    """Distance of the vectors of the two windows, by twin branches that learnt it from pairs.

    Vectors have length 1, so the cosine distance is half the square of the Euclidean one that was learnt.

    Args:
        threshold: by default that of a distance of 1.3, good for simulated conversations.
        weights: of the branches, see `tertulia.embedding.siamese.Siamese`.
    """

    threshold: float = 0.845
    weights: str = "siamese-mfcc"

    front: ClassVar[Literal["cepstra", "voices", "twins"]] = "twins"


def _check(width: float, apart: float) -> None:
    if not (width >= 0.1 and apart > 0):
        raise ValueError(f"width goes from 0.1 s and apart is above zero; got {width} and {apart}")


CHANGES: dict[str, type] = {
    "bic": BICChanges,
    "cosine": CosineChanges,
    "glr": GLRChanges,
    "kl2": KL2Changes,
    "siamese": SiameseChanges,
}
