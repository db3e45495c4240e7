"""Which stretches of speech there are of whom: manifests and folders in, utterances out."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tertulia.corpora import open_corpus
from tertulia.corpora.manifests import first_record, is_json_lines, json_lines, named, text_of
from tertulia.errors import FormatError, InputError, UsageError
from tertulia.formats._turns import parsed, seconds
from tertulia.simulation.sounds import audio_files
from tertulia.simulation.templates import read_references

__all__ = ["Utterance", "read_names", "read_utterances", "split", "used_utterances"]


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of a file in which one person speaks.

    Args:
        speaker: who.
        path: the file.
        start, end: in seconds; the whole file unless given.
        about: further columns of the manifest.
    """

    speaker: str
    path: Path
    start: float = 0.0
    end: float | None = None
    about: Mapping[str, str] = field(default_factory=dict)


def read_utterances(source: str | Path) -> list[Utterance]:
    """List utterances, in the order of their files.

    Args:
        source: a manifest with tab-separated columns `path` (relative to it) and `speaker`; supervisions of
            lhotse; a manifest of NeMo (`label` is the speaker); a folder in which every audio file lies in
            one called like its speaker, however deep (`speaker/utterance`, `speaker/chapter/utterance`
            as in LibriSpeech and VoxCeleb: the outermost folder counts); or a folder of recordings with
            RTTM, whose speakers are taken where they speak alone.

    Raises:
        InputError: when it cannot be read or lists nothing.
        FormatError: naming file and line.
    """
    source = Path(source)
    if source.is_dir():
        has_references = any(source.rglob("*.rttm"))
        utterances = _corpus(source) if has_references else _tree(source)
    elif is_json_lines(source):
        utterances = _lhotse(source) if "recording_id" in first_record(source) else _nemo(source)
    else:
        utterances = _table(source)
    if not utterances:
        raise InputError(f"{source} lists no utterances; a folder needs them as speaker/utterance")
    return sorted(utterances, key=lambda u: (str(u.path), u.start, u.speaker))


def used_utterances(source: str | Path, leave_out: Mapping[str, Iterable[Any]]) -> list[Utterance]:
    """Read utterances without those whose column of the manifest has one of the values left out.

    Args:
        source: as for `read_utterances`, whose errors it has.
        leave_out: column → values.
    """
    left_out = {column: {str(v) for v in values} for column, values in leave_out.items()}
    return [
        u
        for u in read_utterances(source)
        if not any(u.about.get(column, "") in values for column, values in left_out.items())
    ]


def _tree(folder: Path) -> list[Utterance]:
    files = (path.relative_to(folder) for path in audio_files(folder))
    return [Utterance(path.parts[0], folder / path) for path in files if len(path.parts) > 1]


def _table(source: Path) -> list[Utterance]:
    try:
        with open(source, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            if missing := {"path", "speaker"} - set(rows.fieldnames or ()):
                raise FormatError(
                    f"{source}:1: a manifest has tab-separated columns, path and speaker among them; "
                    f"missing: {', '.join(sorted(missing))}"
                )
            found = []
            for row in rows:
                if not row["path"] or not row["speaker"]:
                    raise FormatError(f"{source}:{rows.line_num}: path and speaker cannot be empty")
                about = {key: value for key, value in row.items() if key and value is not None}
                found.append(Utterance(row["speaker"], source.parent / row["path"], about=about))
            return found
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{source}: this is not UTF-8 text ({error.reason})") from error


def _nemo(source: Path) -> list[Utterance]:
    return [*parsed(json_lines(source), partial(_nemo_line, folder=source.parent), str(source))]


def _nemo_line(record: dict[str, Any], folder: Path) -> Utterance:
    start = seconds(record.get("offset") or 0)
    end = None if record.get("duration") is None else start + seconds(record["duration"])
    return Utterance(text_of(record, "label"), named(text_of(record, "audio_filepath"), folder), start, end)


def _lhotse(source: Path) -> list[Utterance]:
    recordings = source.with_name(source.name.replace("supervisions", "recordings"))
    if recordings == source or not recordings.exists():
        raise InputError(f"{source}: supervisions of lhotse need the manifest of recordings beside them")
    where = dict(parsed(json_lines(recordings), partial(_lhotse_file, folder=source.parent), str(recordings)))
    return [*parsed(json_lines(source), partial(_lhotse_line, files=where), str(source))]


def _lhotse_file(record: dict[str, Any], folder: Path) -> tuple[str, Path]:
    sources = record.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        raise ValueError("'sources' needs to be a list of one file")
    return text_of(record, "id"), named(text_of(sources[0], "source"), folder)


def _lhotse_line(record: dict[str, Any], files: Mapping[str, Path]) -> Utterance:
    name = text_of(record, "recording_id")
    if name not in files:
        raise ValueError(f"there is no recording {name!r}")
    start = seconds(record.get("start") or 0)
    return Utterance(
        text_of(record, "speaker"), files[name], start, start + seconds(record.get("duration") or 0)
    )


def _corpus(folder: Path) -> list[Utterance]:
    corpus, found = open_corpus(folder), []
    for item in corpus.items():
        if item.audio is None or item.reference is None:
            continue
        reference = corpus.load_reference(item)
        for speaker, timeline in reference.items():
            alone = timeline - reference.overlap
            found += [Utterance(f"{item.uri}/{speaker}", item.audio, s.start, s.end) for s in alone]
    return found


def read_names(source: str | Path) -> frozenset[str]:
    """Read names of speakers: those in an RTTM file or a folder of them, or a text file with one a line.

    Raises:
        InputError: when it cannot be read or names nobody.
    """
    source = Path(source)
    if source.is_dir() or source.suffix.lower() == ".rttm":
        names = {name for reference in read_references(source).values() for name in reference.speakers}
    else:
        try:
            names = {line.strip() for line in source.read_text(encoding="utf-8").splitlines()} - {""}
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read names from {source}: {error}") from error
    if not names:
        raise InputError(f"{source} names no speakers")
    return frozenset(names)


def split(
    utterances: Sequence[Utterance], test: Iterable[str], dev_speakers: int, seed: int
) -> dict[str, list[Utterance]]:
    """Divide utterances into `train`, `dev` and `test`, no speaker in two of them.

    Args:
        utterances: of everybody.
        test: names of the speakers of the test split.
        dev_speakers: how many others are kept for `dev`, drawn among those with at least two files: with
            fewer there is nothing to compare.
        seed: of that draw.

    Raises:
        UsageError: when nobody named is there, or a split comes out empty.
    """
    everybody = {u.speaker for u in utterances}
    test = set(test)
    if test and not test & everybody:
        raise UsageError(f"none of the {len(test)} test speakers is among the {len(everybody)} speakers")
    files: dict[str, set[Path]] = {}
    for utterance in utterances:
        files.setdefault(utterance.speaker, set()).add(utterance.path)
    several = sorted(speaker for speaker in everybody - test if len(files[speaker]) > 1)
    if len(several) < dev_speakers:
        raise UsageError(
            f"dev_speakers = {dev_speakers}, but only {len(several)} speakers have two files or more"
        )
    dev = {str(name) for name in np.random.default_rng(seed).permutation(several)[:dev_speakers]}
    parts: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for utterance in utterances:
        name = "test" if utterance.speaker in test else "dev" if utterance.speaker in dev else "train"
        parts[name].append(utterance)
    if len({u.speaker for u in parts["train"]}) < 2:
        raise UsageError("the training split needs two speakers or more; nobody else is left")
    return parts
