"""The JSON of pyannote's service: `{"diarization": [{"speaker", "start", "end"}]}`.

Times are text with three decimals, as there; read are numbers too.
"""

from __future__ import annotations

from tertulia.errors import FormatError
from tertulia.formats._objects import document, turns, written
from tertulia.formats._turns import collect, rounded
from tertulia.timeline import Diarization

__all__ = ["dumps", "loads", "recognises"]


def dumps(diarization: Diarization, indent: int | None = 2) -> str:
    """Write the document; `indent=None` puts it on one line."""
    listed = [
        {"speaker": turn.speaker, "start": f"{turn.start:.3f}", "end": f"{turn.end:.3f}"}
        for turn in rounded(diarization)
    ]
    return written({"diarization": listed}, indent)


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read such a document; `name` is the file's, for messages. Raises `FormatError`."""
    return collect(turns(text, document(text, name), "diarization", name))


def recognises(text: str) -> bool:
    """Tell whether this is such a document rather than one of `formats.json`."""
    try:
        data = document(text, "")
    except FormatError:
        return False
    return "diarization" in data and "turns" not in data
