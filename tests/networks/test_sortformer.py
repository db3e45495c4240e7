from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from tertulia.networks.fastconformer import ConformerSize, _aligned, _distances  # noqa: E402
from tertulia.networks.sortformer import SIZES, Sortformer  # noqa: E402


def parameters(name: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in Sortformer(SIZES[name]).parameters())


@pytest.fixture(scope="module")
def network() -> Sortformer:
    torch.manual_seed(0)
    return Sortformer(replace(SIZES["tiny"], voices=0, embedded=0)).eval()


def test_sizes_are_those_that_are_promised():
    assert parameters("tiny") == 1_301_796 <= 1_500_000
    assert parameters("small") == 7_759_524
    # The card of nvidia/diar_sortformer_4spk-v1 says 123 M.
    assert parameters("sortformer-4spk-v1") == 123_218_436


def test_a_frame_for_eight_features(network):
    with torch.no_grad():
        for features, frames in [(1, 1), (8, 1), (9, 2), (800, 100), (803, 101)]:
            assert network(torch.randn(1, features, 80)).shape == (1, frames, 4)


def test_padding_changes_nothing(network):
    features = torch.randn(2, 300, 80)
    lengths = torch.tensor([203, 300])
    with torch.no_grad():
        together = network(features, lengths)
        torch.testing.assert_close(together[0, :26], network(features[:1, :203])[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(together[1], network(features[1:])[0], atol=1e-5, rtol=0)
        other = features.clone()
        other[0, 203:] = 100
        torch.testing.assert_close(network(other, lengths)[0, :26], together[0, :26], atol=1e-5, rtol=0)


def test_the_halves_make_the_whole(network):
    features = torch.randn(1, 200, 80)
    with torch.no_grad():
        torch.testing.assert_close(network.activity(network.frames(features)), network(features))


def test_voices_are_added_to_frames():
    torch.manual_seed(0)
    network = Sortformer(SIZES["tiny"]).eval()
    features, voices = torch.randn(1, 200, 80), torch.randn(1, 25, 704)
    with torch.no_grad():
        plain = network.encoder.pre_encode((features - network.size.centre) / network.size.spread, None)
        heard, embedded = network.voices(voices)
        expected = torch.cat([plain + heard, embedded], dim=2)
        torch.testing.assert_close(network.frames(features, voices=voices), expected)
        assert network(features, voices=voices).shape == (1, 25, 4)


def test_attention_begins_with_likeness(network):
    """At the start a frame looks for those of its own kind."""
    torch.manual_seed(0)
    fresh = Sortformer(SIZES["tiny"])
    for attention in (fresh.encoder.layers[0].self_attn, fresh.transformer_encoder.layers[0].first_sub_layer):
        query, key = (
            (attention.linear_q, attention.linear_k)
            if hasattr(attention, "linear_q")
            else (attention.query_net, attention.key_net)
        )
        kinds = torch.randn(2, 128)
        scores = (kinds @ query.weight.T) @ (kinds @ key.weight.T).T
        assert (scores.diagonal() > scores.flip(1).diagonal()).all()


def test_positions_are_distances():
    count, dim = 5, 6
    queries, encoded = torch.randn(1, 1, count, dim), _distances(count, torch.zeros(1, count, dim))
    scores = _aligned(queries @ encoded.T)
    for i in range(count):
        for j in range(count):
            angles = torch.tensor([(i - j) * 10_000 ** (-k / dim) for k in range(0, dim, 2)])
            expected = torch.stack([angles.sin(), angles.cos()], dim=1).flatten()
            torch.testing.assert_close(scores[0, 0, i, j], queries[0, 0, i] @ expected)


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="heads have to divide"):
        ConformerSize(channels=8, dim=16, layers=1, heads=3, expansion=2)
    with pytest.raises(ValueError, match="heads have to divide hidden"):
        replace(SIZES["tiny"], hidden=97)
