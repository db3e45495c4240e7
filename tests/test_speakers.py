import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tertulia.errors import UsageError
from tertulia.speakers import ANY, Speakers


@pytest.mark.parametrize(
    ("speakers", "least", "most", "said"),
    [
        (ANY, 1, None, "any number"),
        (Speakers(3), 3, 3, "exactly 3"),
        (Speakers(minimum=2), 2, None, "at least 2"),
        (Speakers(maximum=4), 1, 4, "at most 4"),
        (Speakers(minimum=2, maximum=4), 2, 4, "at least 2 and at most 4"),
        (Speakers(minimum=4, maximum=4), 4, 4, "at least 4 and at most 4"),
    ],
)
def test_bounds(speakers, least, most, said):
    assert (speakers.least, speakers.most, str(speakers)) == (least, most, said)


@given(st.none() | st.integers(1, 9), st.none() | st.integers(1, 9), st.integers(-1, 12))
def test_membership_is_the_bounds(minimum, maximum, count):
    if minimum and maximum and minimum > maximum:
        return
    expected = (minimum or 1) <= count <= (maximum or 99)
    assert (count in Speakers(minimum=minimum, maximum=maximum)) == expected


@pytest.mark.parametrize("field", ["num", "minimum", "maximum"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True, False])
def test_what_is_no_number_of_speakers(field, value):
    with pytest.raises(UsageError, match=f"a whole number from 1; got {field} {value!r}"):
        Speakers(**{field: value})


@pytest.mark.parametrize("bounds", [{"minimum": 1}, {"maximum": 5}, {"minimum": 1, "maximum": 5}])
def test_number_and_bounds(bounds):
    with pytest.raises(UsageError, match="not both"):
        Speakers(2, **bounds)


def test_bounds_that_exclude_each_other():
    with pytest.raises(UsageError, match="at least 3 and at most 2 speakers cannot both hold"):
        Speakers(minimum=3, maximum=2)


def test_it_is_a_value():
    assert Speakers(2) == Speakers(2) != Speakers(3)
    assert len({ANY, Speakers(), Speakers(2)}) == 2
    assert pickle.loads(pickle.dumps(Speakers(2))) == copy.deepcopy(Speakers(2)) == Speakers(2)
    with pytest.raises(AttributeError):
        ANY.num = 2
