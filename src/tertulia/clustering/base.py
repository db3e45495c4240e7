"""What every clusterer takes and gives."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tertulia.embedding.voices import Voices
from tertulia.errors import UsageError
from tertulia.speakers import Speakers

__all__ = ["Clusterer", "Labels", "refuse_count"]

Labels = NDArray[np.intp]


class Clusterer(Protocol):
    """Tells which local speakers of different windows are one person."""

    def __call__(self, voices: Voices, speakers: Speakers) -> Labels:
        """Label every piece of every local speaker.

        Returns:
            (windows, local speakers, pieces), speakers numbered from 0, −1 for local speakers that are silent
            all through the window.

        Raises:
            UsageError: when the number of speakers asked for cannot be had, with the reason.
        """
        ...


def refuse_count(speakers: Speakers, stretches: int) -> UsageError:
    """Build the error for more speakers than there are stretches of speech."""
    found = (
        "no speech at all" if not stretches else f"{stretches} stretches of speech that could be told apart"
    )
    return UsageError(f"{speakers} speakers were asked for, but the recording holds only {found}")
