import numpy as np

from tertulia.segmentation.activity import joined


def test_columns_are_joined_and_rows_used_up():
    rng = np.random.default_rng(0)
    parts = [(rng.normal(size=(n, 3)).astype(np.float32), rng.random(n) > 0.5) for n in (2, 1, 4)]
    rows = [list(part) for part in parts]
    numbers, flags = joined(rows)
    np.testing.assert_array_equal(numbers, np.concatenate([part[0] for part in parts]))
    np.testing.assert_array_equal(flags, np.concatenate([part[1] for part in parts]))
    assert (numbers.dtype, flags.dtype) == (np.float32, bool)
    assert rows == [[], [], []]


def test_hours_are_never_held_twice():
    import tracemalloc

    rows = [[np.ones((100, 1000), np.float32)] for _ in range(50)]  # 20 MB
    tracemalloc.start()
    (column,) = joined(rows)
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert column.nbytes == 20_000_000
    # What was made before the start is not counted; numpy counts an array in full when it is made.
    assert most < 21_000_000
    assert held < 21_000_000
