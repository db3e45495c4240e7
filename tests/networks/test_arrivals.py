from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tertulia.networks.arrivals import RANKS, gathered, ranks  # noqa: E402


def voices(who: str, noise: float = 0.0):
    torch.manual_seed(0)
    axes = torch.eye(8)[["ABCDEFGH".index(c) for c in who.upper()]]
    return torch.nn.functional.normalize(axes + noise * torch.randn(len(who), 8), dim=1)[None]


def test_people_are_numbered_as_they_come():
    who = "AABBACCBA"
    found = ranks(voices(who), torch.ones(1, len(who)))
    assert found.shape == (1, len(who), RANKS)
    assert (found[0].argmax(dim=1) + 1).tolist() == [1, 1, 2, 2, 1, 3, 3, 2, 1]


def test_what_is_no_speech_comes_as_nobody():
    who, speech = "HHABHBA", torch.tensor([[0, 0, 1, 1, 0, 1, 1.0]])
    found = ranks(voices(who), speech)[0]
    assert (found.argmax(dim=1) + 1)[speech[0] > 0].tolist() == [1, 2, 2, 1]
    assert found[speech[0] == 0].max() < 0.1


def test_gathering_brings_a_person_together():
    who = "AB" * 40
    scattered, speech = voices(who, 0.25), torch.ones(1, len(who))
    close = gathered(scattered, speech)
    alike = (close @ close.transpose(1, 2))[0]
    assert (scattered @ scattered.transpose(1, 2))[0, ::2, ::2].min() < 0.5
    assert alike[::2, ::2].min() > 0.95
    assert alike[::2, 1::2].max() < 0.6


def test_those_without_speech_are_not_gathered_to():
    who = "A" + "H" * 30
    speech = torch.tensor([[1.0] + [0.0] * 30])
    close = gathered(voices(who), speech)
    torch.testing.assert_close(close[0, 0], voices(who)[0, 0], atol=0.05, rtol=0)
