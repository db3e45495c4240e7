from xml.etree import ElementTree

import pytest

from tertulia.errors import FormatError
from tertulia.formats import elan
from tertulia.timeline import Diarization

TALK = Diarization([(1.44, 13.31, 'R&D "Ana" <a>'), (0, 12, "bo"), (15, 20, "bo")])

FOREIGN = """\
<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2020-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"/>
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/>
    <TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1500"/>
    <TIME_SLOT TIME_SLOT_ID="ts3"/>
    <TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4000"/>
  </TIME_ORDER>
  <TIER TIER_ID="ana-talk" PARTICIPANT="Ana" LINGUISTIC_TYPE_REF="t">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>so, well</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER TIER_ID="ana-words" PARTICIPANT="Ana" PARENT_REF="ana-talk" LINGUISTIC_TYPE_REF="w">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts3">
      <ANNOTATION_VALUE>so</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER TIER_ID="bo" PARTICIPANT="" LINGUISTIC_TYPE_REF="t">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE/></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a3"/></ANNOTATION>
  </TIER>
</ANNOTATION_DOCUMENT>
"""


def test_tiers_slots_and_annotations():
    document = ElementTree.fromstring(elan.dumps(TALK))
    tags = [child.tag for child in document]
    assert tags == ["HEADER", "TIME_ORDER", "TIER", "TIER", "LINGUISTIC_TYPE"]
    slots = {slot.get("TIME_SLOT_ID"): int(slot.get("TIME_VALUE")) for slot in document.iter("TIME_SLOT")}
    assert list(slots.values()) == [0, 1440, 12000, 13310, 15000, 20000]
    found = {
        tier.get("TIER_ID"): [
            (slots[a.get("TIME_SLOT_REF1")], slots[a.get("TIME_SLOT_REF2")], a.findtext("ANNOTATION_VALUE"))
            for a in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        for tier in document.iter("TIER")
    }
    assert found == {
        'R&D "Ana" <a>': [(1440, 13310, 'R&D "Ana" <a>')],
        "bo": [(0, 12000, "bo"), (15000, 20000, "bo")],
    }
    ids = [element.get("ANNOTATION_ID") for element in document.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(ids)) == 3


def test_a_turn_that_begins_where_another_ends_keeps_its_own_slots():
    touching = Diarization([(0, 1, "b"), (1, 2, "a"), (1, 3, "c")])
    assert elan.loads(elan.dumps(touching)) == touching


def test_files_from_elan_itself():
    assert elan.loads(FOREIGN) == Diarization([(0, 1.5, "Ana"), (1.5, 4, "bo")])


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("</TIME_ORDER>", "", 23, r"this is not XML \(mismatched tag\)"),
        ("ANNOTATION_DOCUMENT", "TRANSCRIPT", 1, "holds an ANNOTATION_DOCUMENT; got 'TRANSCRIPT'"),
        ('"milliseconds"', '"PAL-frames"', 3, "milliseconds are needed; got 'PAL-frames'"),
        ('"1500"', '"1.5s"', 6, "got '1.5s'"),
        ('"1500"', '"-1500"', 6, "got '-1500'"),
        ('TIME_VALUE="1500"', "", 11, "this annotation has no place in time"),
        ('REF2="ts4"', 'REF2="ts9"', 19, "this annotation has no place in time"),
        ('"0"', '"9000"', 11, "cannot end before it starts"),
    ],
)
def test_damage_is_named(old, new, line, problem):
    assert old in FOREIGN
    with pytest.raises(FormatError, match=rf"^m\.eaf:{line}: .*{problem}"):
        elan.loads(FOREIGN.replace(old, new), "m.eaf")


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE x>",
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    ],
)
def test_declarations_are_refused(declaration):
    text = FOREIGN.replace("<ANNOTATION_DOCUMENT", f"{declaration}<ANNOTATION_DOCUMENT", 1)
    with pytest.raises(FormatError, match=r"^m\.eaf:2: a document type declaration is not accepted"):
        elan.loads(text, "m.eaf")
