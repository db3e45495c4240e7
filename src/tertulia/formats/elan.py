"""ELAN annotation files (EAF): one tier a speaker, one annotation a turn, whole milliseconds.

Read back is any tier that lies on the time line itself; the speaker is its participant or, where none is
given, its name. Tiers that divide another's annotations are passed over, and so is what annotations say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tertulia.formats._turns import at_line, collect, new_turn, parsed, plain_name, rounded, shown
from tertulia.timeline import Diarization, Turn

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["dumps", "loads"]

# The schema wants a date; the same result has to give the same file, so it is none in particular.
_DATE = "1970-01-01T00:00:00+00:00"
_KIND = "turn"
_LINE = "line"


def dumps(diarization: Diarization) -> str:
    """Write the document; annotations say the speaker's name."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    document = Element("ANNOTATION_DOCUMENT", AUTHOR="", DATE=_DATE, FORMAT="3.0", VERSION="3.0")
    document.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    document.set("xsi:noNamespaceSchemaLocation", "http://www.mpi.nl/tools/elan/EAFv3.0.xsd")
    SubElement(document, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    _add_turns(document, list(rounded(diarization)))
    kind = SubElement(document, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID=_KIND)
    kind.attrib.update(TIME_ALIGNABLE="true", GRAPHIC_REFERENCES="false")
    indent(document)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(document, encoding="unicode")}\n'


def _add_turns(document: Element, turns: list[Turn]) -> None:
    from xml.etree.ElementTree import SubElement

    order = SubElement(document, "TIME_ORDER")
    # ELAN expects the slots in the order of time.
    edges = sorted((time, index) for index, turn in enumerate(turns) for time in (turn.start, turn.end))
    slots: list[list[str]] = [[] for _ in turns]
    for number, (time, index) in enumerate(edges, 1):
        slots[index].append(f"ts{number}")
        SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{number}", TIME_VALUE=str(round(time * 1000)))
    tiers: dict[str, Element] = {}
    for number, (turn, (start, end)) in enumerate(zip(turns, slots, strict=True), 1):
        speaker = turn.speaker
        if speaker not in tiers:
            tiers[speaker] = SubElement(document, "TIER", LINGUISTIC_TYPE_REF=_KIND, PARTICIPANT=speaker)
            tiers[speaker].set("TIER_ID", plain_name(speaker))
        annotation = SubElement(SubElement(tiers[speaker], "ANNOTATION"), "ALIGNABLE_ANNOTATION")
        annotation.attrib.update(ANNOTATION_ID=f"a{number}", TIME_SLOT_REF1=start, TIME_SLOT_REF2=end)
        SubElement(annotation, "ANNOTATION_VALUE").text = speaker


def loads(text: str, name: str = "<text>") -> Diarization:
    """Read the tiers of a document; `name` is the file's, for messages.

    Raises `FormatError`, also for a document type declaration: entities can swell without bound.
    """
    document = _parse(text, name)
    if document.tag != "ANNOTATION_DOCUMENT":
        raise at_line(name, 1, f"an ELAN file holds an ANNOTATION_DOCUMENT; got {shown(document.tag)}")
    for line, header in _numbered(document, "HEADER"):
        if (units := header.get("TIME_UNITS", "milliseconds")) != "milliseconds":
            raise at_line(name, line, f"times in milliseconds are needed; got {shown(units)}")
    slots = dict(parsed(_numbered(document, "TIME_SLOT"), _slot, name))
    return collect(parsed(_annotations(document), lambda found: _turn(*found, slots), name))


def _numbered(within: Element, tag: str) -> Iterator[tuple[int, Element]]:
    return ((int(element.attrib[_LINE]), element) for element in within.iter(tag))


def _slot(slot: Element) -> tuple[str, float] | None:
    """Read a time slot as its name and time; None where it has no time, as between words."""
    value = slot.get("TIME_VALUE")
    if value is None:
        return None
    if not re.fullmatch("[0-9]{1,12}", value):
        raise ValueError(f"a time slot needs whole milliseconds, 0 or later; got {shown(value)}")
    return slot.get("TIME_SLOT_ID", ""), int(value) / 1000


def _annotations(document: Element) -> Iterator[tuple[int, tuple[str, Element]]]:
    """Yield line, speaker and annotation."""
    for tier in document.iter("TIER"):
        if tier.get("PARENT_REF") is None:
            speaker = tier.get("PARTICIPANT", "") or tier.get("TIER_ID", "")
            for line, annotation in _numbered(tier, "ALIGNABLE_ANNOTATION"):
                yield line, (speaker, annotation)


def _turn(speaker: str, annotation: Element, slots: dict[str, float]) -> Turn | None:
    start, end = annotation.get("TIME_SLOT_REF1", ""), annotation.get("TIME_SLOT_REF2", "")
    if start not in slots or end not in slots:
        raise ValueError("this annotation has no place in time: a time slot or its value is missing")
    return new_turn(slots[start], slots[end], speaker)


def _parse(text: str, name: str) -> Element:
    """Parse XML into elements that know their line, as attribute `line`; no declarations, no entities."""
    from xml.etree.ElementTree import TreeBuilder
    from xml.parsers import expat

    builder, parser = TreeBuilder(), expat.ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        builder.start(tag, {**attributes, _LINE: str(parser.CurrentLineNumber)})

    def refuse(*_: object) -> None:
        raise at_line(name, parser.CurrentLineNumber, "a document type declaration is not accepted")

    parser.StartElementHandler, parser.EndElementHandler = start, builder.end
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise at_line(name, error.lineno, f"this is not XML ({expat.ErrorString(error.code)})") from None
    return builder.close()
