"""Cross-show DER: a collection scored with one mapping, so that names must hold across recordings.

A speaker of the collection is whoever goes by one name in it. The mapping of hypothesis to reference speakers
is one-to-one over all recordings together and maximises the time they share in all of them, as for the
cross-show task of V.-A. Tran et al., "Comparing multi-stage approaches for cross-show speaker diarization"
(Interspeech 2011). Somebody who is found in each recording, but under another name, is confusion wherever
that name is not the one that the mapping chose.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tertulia.errors import InputError
from tertulia.evaluation.diarization import DiarizationError, error_of_pairs, paired
from tertulia.evaluation.partition import IntArray, Partition, partition
from tertulia.evaluation.protocol import DEFAULT, Protocol
from tertulia.timeline import Diarization, Timeline

__all__ = ["cross_show_errors", "cross_show_mapping"]


def cross_show_errors(
    references: Mapping[str, Diarization],
    hypotheses: Mapping[str, Diarization],
    *,
    uem: Mapping[str, Timeline] | None = None,
    protocol: Protocol = DEFAULT,
) -> dict[str, DiarizationError]:
    """Score every recording of a collection under one mapping; `sum` of the values is the collection's error.

    Args:
        references: recording → who really spoke when, people named alike in all recordings.
        hypotheses: the same recordings → what a system says; which names it uses is free.
        uem: recording → scored region; by default from 0 to the latest end of either side.
        protocol: collar and overlap policy.

    Raises:
        InputError: when a recording is in only one of the mappings.
    """
    parts = _partitions(references, hypotheses, uem, protocol)
    mapping = _mapping(parts)
    return {name: error_of_pairs(part, *_pairs(part, mapping), protocol) for name, part in parts.items()}


def cross_show_mapping(
    references: Mapping[str, Diarization],
    hypotheses: Mapping[str, Diarization],
    *,
    uem: Mapping[str, Timeline] | None = None,
    protocol: Protocol = DEFAULT,
) -> dict[str, str]:
    """Map hypothesis speakers to reference speakers, as `cross_show_errors` does; strangers are left out."""
    return _mapping(_partitions(references, hypotheses, uem, protocol))


def _partitions(
    references: Mapping[str, Diarization],
    hypotheses: Mapping[str, Diarization],
    uem: Mapping[str, Timeline] | None,
    protocol: Protocol,
) -> dict[str, Partition]:
    sides = {"a reference": references, "a hypothesis": hypotheses} | ({} if uem is None else {"a UEM": uem})
    every = {name for side in sides.values() for name in side}
    problems = [
        f"without {what}: {', '.join(sorted(every - side.keys()))}"
        for what, side in sides.items()
        if every - side.keys()
    ]
    if problems:
        raise InputError("; ".join(problems))
    return {
        name: partition(reference, hypotheses[name], None if uem is None else uem[name], protocol)
        for name, reference in references.items()
    }


def _mapping(parts: Mapping[str, Partition]) -> dict[str, str]:
    """Pair the speakers of the collection so that pairs share the most time in all recordings together."""
    people = sorted({speaker for part in parts.values() for speaker in part.reference_speakers})
    names = sorted({speaker for part in parts.values() for speaker in part.hypothesis_speakers})
    row, column = ({name: i for i, name in enumerate(side)} for side in (people, names))
    shared = np.zeros((len(people), len(names)))  # seconds
    for part in parts.values():
        rows = [row[speaker] for speaker in part.reference_speakers]
        columns = [column[speaker] for speaker in part.hypothesis_speakers]
        shared[np.ix_(rows, columns)] += part.shared()
    pairs = zip(*(side.tolist() for side in paired(shared)), strict=True)
    return {names[there]: people[here] for here, there in pairs}


def _pairs(part: Partition, mapping: Mapping[str, str]) -> tuple[IntArray, IntArray]:
    """Rows and columns of the mapped speakers that one recording has, (pairs,) each."""
    row = {speaker: i for i, speaker in enumerate(part.reference_speakers)}
    pairs = [
        (row[mapping[speaker]], column)
        for column, speaker in enumerate(part.hypothesis_speakers)
        if mapping.get(speaker) in row
    ]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return rows, columns
