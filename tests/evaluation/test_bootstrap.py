import numpy as np
import pytest

from tertulia.errors import UsageError
from tertulia.evaluation import DiarizationError, Protocol, bootstrap, bootstrap_difference


def errors(rates, total=100.0):
    return [DiarizationError(total=total, missed=rate * total) for rate in rates]


def der(error: DiarizationError) -> float:
    return error.der


def test_the_interval_is_that_of_the_binomial():
    # Half of 100 equal files are all wrong: the pooled rate of a draw is binomial(100, 1/2) / 100.
    low, high = bootstrap(errors([0, 1] * 50), der, n=4000)
    assert (low, high) == pytest.approx((0.40, 0.60), abs=0.015)


def test_files_weigh_by_their_length():
    long_and_good = errors([0.0], total=1e6)
    low, high = bootstrap(long_and_good * 10 + errors([1.0], total=1.0), der)
    assert 0 <= low <= high < 1e-4


def test_equal_files_leave_no_doubt():
    assert bootstrap(errors([0.2] * 5), der) == pytest.approx((0.2, 0.2))
    assert bootstrap(errors([0.3]), der) == pytest.approx((0.3, 0.3))


def test_one_seed_one_answer():
    records = errors(np.linspace(0, 1, 12))
    assert bootstrap(records, der, seed=3) == bootstrap(records, der, seed=3)
    assert bootstrap(records, der, seed=3) != bootstrap(records, der, seed=4)


def test_a_paired_difference_is_narrower_than_the_intervals():
    rates = np.linspace(0, 0.8, 20)
    worse, better = errors(rates + 0.1), errors(rates)
    assert bootstrap_difference(worse, better, der) == pytest.approx((0.1, 0.1))
    low, high = bootstrap(worse, der)
    assert high - low > 0.1


def test_the_drawn_record_keeps_protocol_and_kind():
    protocol = Protocol(0.25)
    records = [DiarizationError(protocol=protocol, total=1.0)] * 3
    seen = []
    bootstrap(records, lambda record: float(seen.append(record) or 0), n=2)
    assert seen == [DiarizationError(protocol=protocol, total=3.0)] * 2


def test_bad_calls():
    with pytest.raises(UsageError, match="0 records"):
        bootstrap([], der)
    with pytest.raises(UsageError, match="n=0"):
        bootstrap(errors([0.1]), der, n=0)
    with pytest.raises(UsageError, match="2 and 1"):
        bootstrap_difference(errors([0, 1]), errors([0]), der)
    with pytest.raises(UsageError, match="different protocol"):
        bootstrap([*errors([0.1]), DiarizationError(protocol=Protocol(0.25))], der)
