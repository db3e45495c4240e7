"""The bundled models of the classical systems: kinds of sound, genders, and a background model of speech.

They are trained by `tools/train_background.py`; `weights/background.md` says on what.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tertulia.errors import ModelMissingError
from tertulia.gaussians.ivectors import Extractor
from tertulia.gaussians.mixture import GMM, Statistics
from tertulia.inference import WEIGHTS
from tertulia.mfcc import deltas, warped
from tertulia.traits import Band, Gender

__all__ = ["Background", "background", "scene_features", "voice_features"]

Array = NDArray[np.float64]
Features = NDArray[np.float32]

_VOICES: tuple[tuple[Gender, Band], ...] = (("F", "S"), ("F", "T"), ("M", "S"), ("M", "T"))
_LOUD = 95  # percentile of c₀ that counts as the level of a recording


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """The models, and which file they are.

    Attributes:
        sounds: kind of sound → mixture on `scene_features`; the kinds are "silence", "noise", "music",
            "speech", "speech over music" and "telephone speech".
        voices: (gender, band) → mixture on `scene_features`; "F" or "M", "S" (wide band) or "T" (telephone).
        ubm: universal background model of speech on `voice_features`.
        extractor: of i-vectors, on the same.
        centre: mean of i-vectors, (rank,).
        whitening: makes the variation of i-vectors within one speaker alike in all directions, (rank, rank).
        sha256: of the file.
    """

    sounds: dict[str, GMM]
    voices: dict[tuple[Gender, Band], GMM]
    ubm: GMM
    extractor: Extractor
    centre: Array
    whitening: Array
    sha256: str

    def vectors(self, stretches: Sequence[Statistics]) -> Array:
        """Directions of the voices in stretches of speech, of length 1, (stretches, rank).

        i-vectors, whitened by their variation within one speaker and scaled to length 1 (Garcia-Romero &
        Espy-Wilson, "Analysis of i-vector length normalization in speaker recognition systems", Interspeech
        2011). A stretch without frames lies where all of them are zero.
        """
        white = (self.extractor(stretches) - self.centre) @ self.whitening
        return np.asarray(white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12))


def scene_features(cepstra: Features) -> Features:
    """Features for what kind of sound it is: cepstra and slopes, loudness relative to the recording.

    (frames, 13) → (frames, 26).
    """
    if not len(cepstra):
        return np.empty((0, 2 * cepstra.shape[1]), np.float32)
    static = cepstra.copy()
    static[:, 0] -= np.percentile(cepstra[:, 0], _LOUD)
    return np.concatenate([static, deltas(cepstra)], axis=1)


def voice_features(cepstra: Features) -> Features:
    """Features for whose voice it is: cepstra without c₀, and slopes, warped over 3 s.

    (frames, 13) → (frames, 25).
    """
    return warped(np.concatenate([cepstra[:, 1:], deltas(cepstra)], axis=1))


@cache
def background(path: Path = WEIGHTS / "background.npz") -> Background:
    """Load the models, by default the bundled ones.

    Raises:
        ModelMissingError: when the file is not there, or is something else.
    """
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name].astype(np.float64) for name in file.files}
        ubm = _mixture(arrays, "ubm")
        return Background(
            sounds={kind: _mixture(arrays, f"sound/{kind}") for kind in _kinds(arrays, "sound")},
            voices={kind: _mixture(arrays, f"voice/{kind[0]}{kind[1]}") for kind in _VOICES},
            ubm=ubm,
            extractor=Extractor(ubm, arrays["ivector/matrix"]),
            centre=arrays["ivector/centre"],
            whitening=arrays["ivector/whitening"],
            sha256=sha256,
        )
    except OSError as error:
        raise ModelMissingError(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelMissingError(
            f"{path} does not hold the models of the classical systems: {error}"
        ) from error


def _kinds(arrays: dict[str, Array], family: str) -> list[str]:
    """Names between the family and the parameter, in the order of the file."""
    return list(dict.fromkeys(name.split("/")[1] for name in arrays if name.startswith(f"{family}/")))


def _mixture(arrays: dict[str, Array], name: str) -> GMM:
    weights = arrays[f"{name}/weights"]
    return GMM(weights / weights.sum(), arrays[f"{name}/means"], arrays[f"{name}/variances"])
