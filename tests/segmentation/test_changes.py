"""Speaker changes by distance: maxima by hand, obvious changes, and features that say nothing."""

import numpy as np
import pytest

from tertulia.config import part
from tertulia.errors import UsageError
from tertulia.evaluation import match_changes
from tertulia.featurefiles import Features
from tertulia.segmentation.changes import CHANGES, BICChanges, CosineChanges, Curve, GLRChanges, KL2Changes

METHODS = sorted(CHANGES)
STEP = {"cepstra": 0.01, "twins": 0.1, "voices": 0.25}


def curve(values: list[float], step: float = 1.0) -> Curve:
    return Curve(np.arange(len(values)) * step, np.array(values, float))


def features(method: str, parts: list[tuple[float, np.ndarray]], spread: float = 1.0) -> Features:
    """Frames scattered around one mean for so many seconds, then around the next; voices are windows wide."""
    front = CHANGES[method].front
    step = STEP[front]
    rng = np.random.default_rng(0)
    means = [m + spread * rng.normal(size=(round(seconds / step), len(m))) for seconds, m in parts]
    frames = np.concatenate(means)
    if front != "cepstra":
        span = round(CHANGES[method]().width / step)
        padded = np.pad(frames, ((span // 2, span - span // 2), (0, 0)), mode="edge")
        frames = np.mean([padded[k : k + len(frames)] for k in range(span + 1)], axis=0)
    return Features(frames.astype(np.float32), step)


# ── maxima ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "threshold", "apart", "expected"),
    [
        ([0, 1, 0, 2, 0], 0.0, 1.0, [1, 3]),
        ([0, 1, 0, 2, 0], 1.0, 1.0, [3]),  # the threshold itself is not above it
        ([0, 1, 0, 2, 0], 0.0, 2.0, [1, 3]),  # just far enough
        ([0, 1, 0, 2, 0], 0.0, 3.0, [3]),  # the higher one stays
        ([0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0], 0.0, 2.0, [5]),  # none on the slopes
        ([3, 1, 0, 1, 2], 0.0, 1.0, [0, 4]),  # both ends count
        ([0, 2, 2, 2, 0], 0.0, 1.0, [2]),  # a level top is one
        ([1, 1, 1, 1, 1], 0.0, 1.0, [2]),
        ([1, 1, 1, 1, 1], 1.0, 1.0, []),
        ([5], 0.0, 1.0, [0]),
        ([5], 5.0, 1.0, []),
        ([], 0.0, 1.0, []),
        ([-3, -1, -2], -2.5, 1.0, [1]),
    ],
)
def test_maxima_by_hand(values, threshold, apart, expected):
    assert curve(values).maxima(threshold, apart).tolist() == expected


def test_distance_is_in_seconds_and_rounding_adds_none():
    steps = curve([0, 1, 0, 1, 0], step=0.05)
    np.testing.assert_allclose(steps.maxima(0.0, 0.1), [0.05, 0.15])
    assert len(steps.maxima(0.0, 0.11)) == 1


def test_no_two_are_nearer_than_asked_and_all_are_above():
    values = np.random.default_rng(1).normal(size=2000)
    some = Curve(np.arange(2000) * 0.05, values)
    found = some.maxima(0.5, 1.0)
    assert len(found) > 20
    assert np.diff(found).min() >= 1.0 - 1e-9
    assert values[np.rint(found / 0.05).astype(int)].min() > 0.5


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", METHODS)
def test_obvious_changes_are_found_and_no_others(method):
    one, two = np.eye(8)[0] * 6, np.eye(8)[1] * 6
    found = CHANGES[method]()(features(method, [(8, one), (7, two), (9, one)], spread=0.5))
    score = match_changes([8.0, 15.0], found, tolerance=0.3)
    assert (score.matched, score.hypothesis) == (2, 2)


@pytest.mark.parametrize("method", ["bic", "glr", "kl2"])
def test_a_change_of_spread_alone_is_one(method):
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(size=(600, 6)), rng.normal(scale=4, size=(600, 6))])
    found = CHANGES[method]()(Features(values.astype(np.float32), 0.01))
    score = match_changes([6.0], found, tolerance=0.3)
    assert (score.matched, score.hypothesis) == (1, 1)


@pytest.mark.parametrize("method", METHODS)
def test_one_source_has_no_change(method):
    assert len(CHANGES[method]()(features(method, [(20, np.eye(8)[0] * 6)], spread=0.5))) == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_equal_features_have_no_change_and_no_nan(method, value):
    changes = CHANGES[method]()
    level = Features(np.full((2000, 13), value, np.float32), STEP[changes.front])
    drawn = changes.curve(level)
    assert len(drawn.values) > 100
    assert np.isfinite(drawn.values).all()
    assert len(changes(level)) == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("frames", [0, 1, 2, 5])
def test_features_shorter_than_two_windows_have_no_change(method, frames):
    changes = CHANGES[method]()
    short = Features(np.ones((frames, 13), np.float32), STEP[changes.front])
    assert changes(short).shape == (0,)
    assert changes.curve(short).values.shape == (0,)


@pytest.mark.parametrize("method", METHODS)
def test_one_place_more_is_one_place_more(method):
    changes = CHANGES[method]()
    step = STEP[changes.front]
    two = round(2 * changes.width / step)
    values = np.random.default_rng(0).normal(size=(two + 5, 4)).astype(np.float32)
    lengths = [len(changes.curve(Features(values[:n], step)).places) for n in (two, two + 5)]
    assert lengths[1] > lengths[0]


def test_a_voice_that_is_unknown_is_no_change():
    values = np.tile(np.eye(4, dtype=np.float32)[0], (80, 1))
    values[30:50] = 0.0
    assert len(CosineChanges()(Features(values, 0.25))) == 0


def test_the_lambda_of_bic_decides():
    some = features("bic", [(8, np.zeros(8)), (8, np.full(8, 1.5))])
    assert len(BICChanges(weight=1.0)(some)) == 1
    assert len(BICChanges(weight=20.0)(some)) == 0


def test_values_by_hand():
    """Two windows of opposite means: GLR in nats a frame is half of log(1 + 1/σ²), KL2 is (2 / σ)² or so."""
    signs = np.tile([-1.0, 1.0], 200) * 0.5  # variance ¼ in each window
    values = np.concatenate([signs - 1, signs + 1])[:, None].astype(np.float32)
    one = Features(values, 0.01)
    ratio = GLRChanges(width=4.0).curve(one)
    assert ratio.places.tolist() == [4.0]
    assert ratio.values[0] == pytest.approx(np.log((1.25 + 1e-3) / (0.25 + 1e-3)), rel=1e-5)
    assert KL2Changes(width=4.0).curve(one).values[0] == pytest.approx(4 / 0.251, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("settings", [{"width": 0.0}, {"width": float("nan")}, {"apart": 0.0}])
def test_impossible_settings(method, settings):
    with pytest.raises(UsageError, match=r"width goes from 0\.1 s and apart is above zero"):
        part(CHANGES, {"name": method, **settings}, "segment", "method")
