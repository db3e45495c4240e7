"""Where a hypothesis is wrong, for drawing: the error kinds of the diarization error rate as timelines."""

from __future__ import annotations

import numpy as np

from tertulia.evaluation import Protocol, speaker_mapping
from tertulia.timeline import Diarization, Timeline

__all__ = ["KINDS", "error_timelines"]

KINDS = ("false_alarm", "missed", "confusion")


def error_timelines(
    reference: Diarization, hypothesis: Diarization, uem: Timeline | None, protocol: Protocol
) -> dict[str, Timeline]:
    """Return kind → the scored time in which at least one speaker is wrong in that way; kinds may overlap."""
    scored = protocol.region(reference, hypothesis, uem)
    if protocol.skip_overlap:
        scored = scored - reference.overlap
    bounds = [timeline.bounds for side in (reference, hypothesis) for _, timeline in side.items()]
    cuts = np.unique(np.concatenate([*bounds, scored.bounds]))
    middles = (cuts[:-1] + cuts[1:]) / 2
    spoken, heard, right = np.zeros((3, len(middles)), dtype=int)
    for speaker in reference.speakers:
        spoken += reference[speaker].covers(middles)
    for speaker in hypothesis.speakers:
        heard += hypothesis[speaker].covers(middles)
    for theirs, true in speaker_mapping(reference, hypothesis, uem=uem, protocol=protocol).items():
        right += (hypothesis[theirs] & reference[true]).covers(middles)
    wrong = (heard > spoken, spoken > heard, np.minimum(spoken, heard) > right)
    inside = scored.covers(middles)
    return {
        kind: Timeline.from_bounds(np.stack([cuts[:-1], cuts[1:]], axis=1)[where & inside])
        for kind, where in zip(KINDS, wrong, strict=True)
    }
