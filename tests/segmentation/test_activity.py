import numpy as np

from tertulia.embedding import Voices
from tertulia.segmentation.activity import Gathered, joined


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


def test_batches_are_gathered_in_order_however_many_there_are():
    for count in (1, 63, 64, 65, 200):
        gathered = Gathered(Voices)
        for i in range(count):
            ones = np.full((2, 1, 1), i, np.float32)
            gathered.append(Voices(ones[..., None], ones, ones, ones, 5.0, 0.5))
        whole = gathered.whole()
        assert whole.support[:, 0, 0].tolist() == [i for i in range(count) for _ in range(2)]
        assert not gathered.blocks
        assert not gathered.parts
