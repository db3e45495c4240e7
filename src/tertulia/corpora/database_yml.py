"""`database.yml` of pyannote.database: protocols of speaker diarization, with where the audio is.

```yaml
Databases:
  MyData: audio/{uri}.wav                  # or a list of such patterns
Protocols:
  MyData:
    SpeakerDiarization:
      MyProtocol:
        train: {uri: lists/train.lst, annotation: rttm/{uri}.rttm, annotated: uem/{uri}.uem}
        development: …
        test: …
```

Paths are relative to the file. Of what pyannote puts into patterns, `{uri}` works everywhere, and in the
names of folders and files of `Databases` a `*`; no other wildcard does, so a name may hold brackets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tertulia.corpora.corpus import Corpus, Item, in_splits
from tertulia.corpora.files import entries, read_list
from tertulia.corpora.manifests import chosen
from tertulia.errors import FormatError, InputError, MissingExtraError
from tertulia.formats._files import read_text
from tertulia.formats._turns import shown

__all__ = ["read", "recognises"]

_TASK = "SpeakerDiarization"
_SUBSETS = {"train": "train", "development": "dev", "test": "test"}
_PLACEHOLDER = re.compile(r"\{(?!uri\})[^}]*\}")


def recognises(path: Path) -> bool:
    """Tell such a file by its extension, and a folder by the file in it."""
    return _file(path).is_file()


def read(path: Path, protocol: str = "") -> Corpus:
    """Read a protocol, `Database.SpeakerDiarization.Name`; it need not be chosen where there is only one.

    Raises:
        UsageError: for a protocol that is not there, or a choice that is not made.
        InputError: if a file cannot be read.
        FormatError: for what is no such file.
        MissingExtraError: if PyYAML is not installed.
    """
    file = _file(path)
    content = _content(file)
    databases = _table(content.get("Databases") or {}, file, "Databases")
    protocols = _protocols(content, file)
    protocol = chosen(file, "pyannote", protocol, protocols)
    patterns = databases.get(protocol.split(".")[0], [])
    patterns = [patterns] if isinstance(patterns, str) else patterns
    items = [
        (split, item)
        for subset, split in _SUBSETS.items()
        if (table := protocols[protocol].get(subset)) is not None
        for item in _items(_table(table, file, f"{protocol}.{subset}"), patterns, file)
    ]
    return Corpus(protocol, "pyannote", path, in_splits(items))


def _file(path: Path) -> Path:
    return path if path.suffix.lower() in {".yml", ".yaml"} else path / "database.yml"


def _content(file: Path) -> Mapping[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError(f"{file}: reading YAML needs PyYAML: pip install 'tertulia[yaml]'") from error
    try:
        return _table(yaml.safe_load(read_text(file)), file, "the file")
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{file}: not a YAML file: {reason}") from error


def _protocols(content: Mapping[str, Any], file: Path) -> dict[str, Mapping[str, Any]]:
    protocols = {
        f"{database}.{_TASK}.{name}": _table(subsets, file, f"{database}.{_TASK}.{name}")
        for database, tasks in _table(content.get("Protocols"), file, "Protocols").items()
        for name, subsets in _table(_table(tasks, file, database).get(_TASK) or {}, file, _TASK).items()
        if database != "X"  # protocols made of others
    }
    if not protocols:
        raise InputError(f"{file} has no protocol of {_TASK}")
    return protocols


def _table(value: object, file: Path, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise FormatError(f"{file}: {what} needs to be a table of names; got {_got(value)}")
    return value


def _got(value: object) -> str:
    """Show a value; not what is in it, which a few lines of YAML can make endless."""
    return f"a {type(value).__name__}" if isinstance(value, dict | list | set | tuple) else shown(value)


def _items(subset: Mapping[str, Any], patterns: Any, file: Path) -> Iterator[Item]:
    if not isinstance(patterns, list):
        raise FormatError(f"{file}: Databases needs a pattern or a list of them; got {_got(patterns)}")
    places = [Path(_pattern(pattern, file)).parts for pattern in patterns]
    annotation, annotated = (
        None if subset.get(key) is None else _pattern(subset[key], file)
        for key in ("annotation", "annotated")
    )
    for uri in read_list(file.parent / _pattern(subset.get("uri"), file)):
        audio = next((path for place in places for path in _matching(file.parent, place, uri)), None)
        yield Item(
            uri,
            audio,
            None if annotation is None else file.parent / annotation.replace("{uri}", uri),
            None if annotated is None else file.parent / annotated.replace("{uri}", uri),
        )


def _pattern(value: object, file: Path) -> str:
    if not isinstance(value, str) or not value:
        raise FormatError(f"{file}: a path is needed; got {_got(value)}")
    if placeholder := _PLACEHOLDER.search(value):
        raise FormatError(f"{file}: {value!r} has the placeholder {placeholder[0]}; there is: {{uri}}")
    if "**" in value:
        raise FormatError(f"{file}: {value!r} has **, which would search everything; * works")
    return value


def _matching(folder: Path, parts: Sequence[str], uri: str) -> Iterator[Path]:
    """Find the files that the parts of a pattern stand for, one after the other."""
    first, *rest = parts
    if "*" in first:
        literal = (re.escape(part.replace("{uri}", uri)) for part in first.split("*"))
        wanted = re.compile(".*".join(literal), re.DOTALL)
        present = entries(folder) if os.path.isdir(folder) else []
        names = [entry.name for entry in present if wanted.fullmatch(entry.name)]
    else:
        names = [first.replace("{uri}", uri)]
    for path in (folder / name for name in names):
        if rest:
            yield from _matching(path, rest, uri)
        elif os.path.isfile(path):
            yield path
