"""Kinds of sound by Gaussian mixtures: where there is speech, over what, and what kind of voice it is.

Every kind has a mixture, and the best way through them with a minimum duration says which holds when
(Meignier & Merlin 2010). The mixtures are the bundled ones, see `tertulia.gaussians.background`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tertulia.gaussians import viterbi
from tertulia.gaussians.background import Background, background, scene_features
from tertulia.traits import Traits

__all__ = ["KINDS", "SPEECH", "kinds_of_sound", "traits_of_voice"]

Array = NDArray[np.float32]

KINDS = ("silence", "noise", "music", "speech", "speech over music", "telephone speech")
SPEECH = np.array(["speech" in kind for kind in KINDS])
"""Which of `KINDS` are speech, (kinds,)."""


def kinds_of_sound(
    cepstra: Array,
    *,
    shortest: int = 30,
    switch: float = -60.0,
    favour: float = 0.5,
    models: Background | None = None,
) -> NDArray[np.intp]:
    """Tell the kind of sound of each frame of a whole recording, (frames, 13) → (frames,) of `KINDS`.

    Args:
        cepstra: as `tertulia.mfcc.mfcc` makes them.
        shortest: frames that a kind lasts at least.
        switch: log probability of a change.
        favour: added to the log likelihood of each frame under each kind of speech: a word that is missed
            costs as much as one that is made up, but pauses within speech look like silence.
        models: by default the bundled ones.
    """
    if not len(cepstra):
        return np.empty(0, dtype=np.intp)
    mixtures = (models or background()).sounds
    features = scene_features(cepstra)
    scores = np.stack([mixtures[kind].log_likelihood(features) for kind in KINDS], axis=1)
    return viterbi(scores + favour * SPEECH, shortest, switch)


def traits_of_voice(features: Array, kinds: NDArray[np.intp], models: Background | None = None) -> Traits:
    """Tell gender, band and surroundings of one speaker.

    Args:
        features: `scene_features` of the frames of the speaker, (frames, 26).
        kinds: of the same frames, (frames,).
        models: by default the bundled ones.
    """
    if not len(features):
        return Traits()
    voices = (models or background()).voices
    scores = {kind: float(mixture.log_likelihood(features).mean()) for kind, mixture in voices.items()}
    gender, band = max(scores, key=lambda kind: scores[kind])
    over_music = np.mean(kinds == KINDS.index("speech over music")) > 0.5
    return Traits(gender, band, "music" if over_music else "U")
