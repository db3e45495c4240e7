"""`tertulia enroll`: make a voice known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tertulia.cli._options import ThreadsOption, WordlessOption
from tertulia.cli._terminal import put, say
from tertulia.cli._voices import ConsentOption, KeepOption, KeyOption, StoreOption, opened
from tertulia.errors import UsageError

__all__ = ["enroll"]


def enroll(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is.")],
    recordings: Annotated[
        list[Path], typer.Argument(metavar="AUDIO", help="Recordings in which only this person speaks.")
    ],
    consent: ConsentOption = None,
    store: StoreOption = None,
    key: KeyOption = None,
    keep: KeepOption = None,
    one_speaker: Annotated[
        bool, typer.Option("--one-speaker", help="Do not check that only one person speaks.")
    ] = False,
    no_encryption: Annotated[
        bool,
        typer.Option("--no-encryption", help="Make a new store that whoever reads the file can read."),
    ] = False,
    threads: ThreadsOption = None,
    quiet: WordlessOption = False,
) -> int:
    """Enrol a person, so that 'tertulia identify' calls the voice by its name.

    Voiceprints are biometric data: say with --consent how the person agreed. All recordings are taken, or
    none. This labels recordings; it is no proof of who somebody is.
    """
    from tertulia.identity import ENOUGH, RETENTION, Ear, Entry, checked_name, checksum

    if consent is None or not consent.strip():
        raise UsageError(
            "a voiceprint is personal data of a special kind: --consent NOTE says how the person agreed to "
            'it, such as --consent "signed form of 3 May"'
        )
    name = checked_name(name)
    with opened(store, key, create=True, encrypt=not no_encryption) as voices:
        ear = Ear.load(threads)
        entries = [
            Entry(ear(path, one_speaker=one_speaker), path.name, consent.strip(), checksum(path))
            for path in recordings
        ]
        numbers = voices.enrol(name, entries, days=RETENTION if keep is None else keep)
        person = voices.person(name)
    for number, entry in zip(numbers, entries, strict=True):
        put(f"{name}\t{number}\t{entry.voiceprint.seconds:.1f}\t{entry.source}\n")
    if not quiet:
        say(
            f"{name} is known by {person.seconds:.1f} s of speech, until {person.voices[-1].expires:%Y-%m-%d}"
        )
        if person.seconds < ENOUGH:
            say(f"that is little: {ENOUGH:g} s or more of net speech make a voice that is told apart well")
    return 0
