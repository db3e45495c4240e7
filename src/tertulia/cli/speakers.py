"""`tertulia speakers`: who is known, and everything that can be changed about that."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tertulia.cli._annotations import read_recordings
from tertulia.cli._terminal import put, put_table, say
from tertulia.cli._voices import ConsentOption, KeepOption, KeyOption, StoreOption, opened, passphrase
from tertulia.errors import InputError, UsageError, unknown

if TYPE_CHECKING:
    from tertulia.identity import Person, SpeakerStore

__all__ = ["speakers"]


@dataclass(frozen=True, slots=True)
class _Options:
    into: str | None
    consent: str | None
    keep: int | None
    passphrase_file: Path | None
    as_json: bool
    threads: int | None


def speakers(
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION",
            help="list | show NAME | rename OLD NEW | merge NAME NAME… | split NAME VOICE… --into NEW | "
            "forget NAME… | export FILE [NAME…] | import FILE | learn RECORDING RTTM",
        ),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="…")] = None,
    store: StoreOption = None,
    key: KeyOption = None,
    into: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who gets the voices (merge, split).")
    ] = None,
    consent: ConsentOption = None,
    keep: KeepOption = None,
    passphrase_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Holds the passphrase of a file of voices (export, import)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON (list, show).")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="How many threads compute (learn).")] = None,
) -> int:
    """Look at known voices and change them: rename, merge, split, forget, export, import, learn.

    No action shows a voiceprint. `forget` leaves no trace in the store. A file of voices that `export` writes
    is sealed with a passphrase: asked for, in a file, or in TERTULIA_PASSPHRASE.
    """
    if action not in _ACTIONS:
        raise unknown("action", action, _ACTIONS)
    chosen, given = _ACTIONS[action], arguments or []
    if not chosen.least <= len(given) <= chosen.most:
        raise UsageError(f"it is 'tertulia speakers {action} {chosen.usage}'; got {len(given)} arguments")
    options = _Options(into, consent, keep, passphrase_file, as_json, threads)
    with opened(store, key, create=chosen.creates) as voices:
        chosen.run(voices, given, options)
    return 0


# ── looking ──────────────────────────────────────────────────────────────────────────────────────────────


def _list(store: SpeakerStore, _: Sequence[str], options: _Options) -> None:
    people = store.people()
    if options.as_json:
        put(json.dumps([_described(person) for person in people]) + "\n")
        return
    rows = [
        (
            person.name,
            str(len(person.voices)),
            f"{person.seconds:.1f}",
            f"{max(voice.expires for voice in person.voices):%Y-%m-%d}",
        )
        for person in people
    ]
    put_table(("name", "voices", "seconds", "until"), rows, _tabbed(rows))


def _show(store: SpeakerStore, given: Sequence[str], options: _Options) -> None:
    person = store.person(given[0])
    if options.as_json:
        put(json.dumps(_described(person)) + "\n")
        return
    rows = [
        (
            str(voice.number),
            f"{voice.seconds:.1f}",
            f"{voice.created:%Y-%m-%d}",
            f"{voice.expires:%Y-%m-%d}",
            voice.origin,
            voice.source,
            voice.model,
            voice.consent,
        )
        for voice in person.voices
    ]
    headings = ("voice", "seconds", "since", "until", "how", "recording", "network", "consent")
    put_table(headings, rows, _tabbed(rows))


def _described(person: Person) -> dict[str, object]:
    """Everything that is kept about somebody, save the voiceprints."""
    voices = [
        {
            **dataclasses.asdict(voice),
            "created": voice.created.isoformat(),
            "expires": voice.expires.isoformat(),
        }
        for voice in person.voices
    ]
    return {"name": person.name, "voices": voices}


def _tabbed(rows: Sequence[Sequence[str]]) -> str:
    """One line a row, whatever the notes of the user hold."""
    return "".join("\t".join(" ".join(cell.split()) for cell in row) + "\n" for row in rows)


# ── changing ─────────────────────────────────────────────────────────────────────────────────────────────


def _rename(store: SpeakerStore, given: Sequence[str], _: _Options) -> None:
    store.rename(given[0], given[1])


def _merge(store: SpeakerStore, given: Sequence[str], options: _Options) -> None:
    store.merge(given, options.into or given[0])


def _split(store: SpeakerStore, given: Sequence[str], options: _Options) -> None:
    if options.into is None:
        raise UsageError("--into NAME says who gets these voices")
    if not all(number.isascii() and number.isdecimal() for number in given[1:]):
        raise UsageError(f"voices are numbers, see 'tertulia speakers show'; got {' '.join(given[1:])}")
    store.split(given[0], [int(number) for number in given[1:]], options.into)


def _forget(store: SpeakerStore, given: Sequence[str], _: _Options) -> None:
    store.forget(given)
    say(f"forgotten: {', '.join(given)}; copies of the store and exported files are not reached by this")


def _export(store: SpeakerStore, given: Sequence[str], options: _Options) -> None:
    from tertulia.identity import write_owner_only

    path = Path(given[0])
    data = store.export(passphrase(options.passphrase_file, twice=True), given[1:] or None)
    write_owner_only(path, data)
    say(f"wrote {path}: it opens with the passphrase only")


def _import(store: SpeakerStore, given: Sequence[str], options: _Options) -> None:
    try:
        data = Path(given[0]).read_bytes()
    except OSError as error:
        raise InputError(f"{given[0]}: cannot be read: {error.strerror}") from error
    added = store.import_from(data, passphrase(options.passphrase_file, twice=False))
    put("".join(f"{name}\t{count}\n" for name, count in sorted(added.items())))


def _learn(store: SpeakerStore, given: Sequence[str], options: _Options) -> None:
    from tertulia.identity import RETENTION, Listener, learn

    recordings = read_recordings(Path(given[1]))
    if len(recordings) != 1:
        raise InputError(f"{given[1]} holds {len(recordings)} recordings; one is learned from at a time")
    (corrected,) = recordings.values()
    lesson = learn(
        store,
        Path(given[0]),
        corrected,
        Listener.load(options.threads),
        consent=(options.consent or "").strip(),
        days=RETENTION if options.keep is None else options.keep,
    )
    put("".join(f"{name}\t{seconds:.1f}\n" for name, seconds in lesson.learned.items()))
    if lesson.short:
        say(f"too little speech to learn from: {', '.join(lesson.short)}")
    if lesson.strangers:
        say(f"not enrolled, and not learned without --consent NOTE: {', '.join(lesson.strangers)}")


@dataclass(frozen=True, slots=True)
class _Action:
    run: Callable[[SpeakerStore, Sequence[str], _Options], None]
    usage: str
    least: int
    most: float
    creates: bool = False


_MANY = float("inf")
_ACTIONS = {
    "list": _Action(_list, "", 0, 0),
    "show": _Action(_show, "NAME", 1, 1),
    "rename": _Action(_rename, "OLD NEW", 2, 2),
    "merge": _Action(_merge, "NAME NAME… [--into NAME]", 2, _MANY),
    "split": _Action(_split, "NAME VOICE… --into NEW", 2, _MANY),
    "forget": _Action(_forget, "NAME…", 1, _MANY),
    "export": _Action(_export, "FILE [NAME…]", 1, _MANY),
    "import": _Action(_import, "FILE", 1, 1, creates=True),
    "learn": _Action(_learn, "RECORDING RTTM", 2, 2),
}
