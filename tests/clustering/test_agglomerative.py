import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tertulia.clustering import CLUSTERERS
from tertulia.clustering.agglomerative import AgglomerativeClusterer
from tertulia.embedding import Voices
from tertulia.errors import UsageError
from tertulia.speakers import ANY, Speakers

EAST, NORTH, UP = np.eye(3)


def voices(windows, support=None, present=None) -> Voices:
    """Vectors of each window's local speakers, None for a silent one; 3 s of each unless told."""
    silent = np.array([[vector is None for vector in window] for window in windows])
    vectors = np.array(
        [[np.full(3, np.nan) if vector is None else vector for vector in window] for window in windows],
        dtype=np.float32,
    )
    default = np.where(silent, 0.0, 3.0)
    support = np.array(default if support is None else support, np.float32)[..., None]
    present = np.array(default if present is None else present, np.float32)[..., None]
    return Voices(vectors[:, :, None], support, support, present, 1.0, 10.0)


def near(vector, seed: int, count: int) -> list:
    """So many windows of one local speaker each, all near a direction."""
    return [[vector + row] for row in np.random.default_rng(seed).normal(scale=0.05, size=(count, 3))]


def labels(clusterer, given: Voices, speakers: Speakers = ANY) -> list:
    return clusterer(given, speakers)[:, :, 0].tolist()


# ── the same as pyannote.audio ───────────────────────────────────────────────────────────────────────────


def problem(seed: int, windows: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Random activity (windows, 40 frames, 3), and vectors (windows, 3, 16) of five people."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(5, 16))
    cast = np.array([rng.permutation(5)[:3] for _ in range(windows)])
    noise = rng.normal(size=(windows, 3, 16)) * rng.uniform(0.2, 1.2, (windows, 3, 1))
    vectors = (people[cast] + noise) * rng.uniform(0.5, 2, (windows, 3, 1))
    runs = rng.choice(7, (windows, 10), p=[0.1, 0.4, 0.2, 0.05, 0.1, 0.1, 0.05])
    sets = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], dtype=bool)
    return np.repeat(sets[runs], 4, axis=1), vectors.astype(np.float32)


# What `AgglomerativeClustering` of pyannote.audio 4.0.7 answers to these problems; its −2 is a hyphen.
# Seed, method, threshold, min_cluster_size, speakers, labels of 20 windows × 3 local speakers.
ANSWERS = [
    (0, "centroid", 0.7, 12, ANY, "11002121111-10121001111202-01221111-112112011111111012120102"),
    (1, "centroid", 0.7, 12, ANY, "0111010110011-010000101111101100010100010111-110110111110101"),
    (2, "centroid", 0.5, 2, ANY, "101010100101111001111011100010101101101111011011001011011101"),
    (3, "centroid", 0.3, 12, ANY, "00-00000000000000000000000000000000000000000-00000000-000000"),
    (4, "centroid", 0.9, 3, ANY, "31014032003232410-31-0310134010140131344-041034013-340024321"),
    (5, "centroid", 0.7, 12, Speakers(3), "12101-01220111-11210211021-122210012221212102202022121021102"),
    (
        6,
        "centroid",
        0.7,
        12,
        Speakers(minimum=4),
        "21032020303020013210232001332200-021021032331011103010002213",
    ),
    (
        7,
        "centroid",
        0.7,
        12,
        Speakers(maximum=2),
        "01011111010010010000110001001011-01-010111101111101111000011",
    ),
    (8, "centroid", 0.7, 12, Speakers(1), "00000000000-0000000000000000000-0000000000000000000000000000"),
    (9, "average", 0.3, 12, ANY, "02023000131220120-12301-03120001030-202100123030300210200231"),
    (10, "ward", 1.2, 12, ANY, "30554040530506552062010320661330205362560113553656-523402263"),
    (
        11,
        "complete",
        0.5,
        2,
        Speakers(maximum=4),
        "02302312202232032-220302211010312203130201012310102121102022",
    ),
    (12, "single", 0.2, 2, ANY, "01303131231004-24-42334-0-413-431240044302041410413034214124"),
    (
        13,
        "weighted",
        0.3,
        12,
        Speakers(minimum=2, maximum=3),
        "00101000101001000-1100100010001000-0010100001100000000000100",
    ),
    (14, "median", 0.7, 12, ANY, "04303204204123043013-13240132121032141042112440-402214314032"),
    (17, "centroid", 0.7, 12, Speakers(3), "10212012221022120210-01212-020212012022210212021212121210102"),
    (37, "centroid", 0.7, 12, Speakers(4), "13130212120311323-21323030123103310-301031102103233331123312"),
]


@pytest.mark.parametrize(("seed", "method", "threshold", "size", "speakers", "answer"), ANSWERS)
def test_labels_are_those_of_pyannote(seed, method, threshold, size, speakers, answer):
    active, vectors = problem(seed)
    alone = active & (active.sum(axis=2, keepdims=True) == 1)
    solo, present = (mask.sum(axis=1)[..., None] * np.float32(0.25) for mask in (alone, active))
    clusterer = AgglomerativeClusterer(method, threshold, size, least=0.2 * 10)
    found = clusterer(Voices(vectors[:, :, None], solo, solo, present, 1.0, 10.0), speakers)
    assert "".join("-" if label < 0 else str(label) for label in found.ravel()) == answer


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_alike_is_one_speaker():
    given = voices([[EAST, NORTH], [NORTH, EAST], [EAST, None], [None, NORTH]])
    (a, b), *rest = labels(AgglomerativeClusterer(), given)
    assert {a, b} == {0, 1}
    assert rest == [[b, a], [a, -1], [-1, b]]


def test_the_threshold_is_a_euclidean_distance_of_unit_vectors():
    """Vectors at 40° are 2 sin 20° = 0.684 apart, whatever their lengths."""
    turned = np.array([np.cos(np.radians(40)), np.sin(np.radians(40)), 0])
    given = voices([[EAST * 3], [turned * 0.5]])
    assert labels(AgglomerativeClusterer(threshold=0.69), given) == [[0], [0]]
    assert len(np.unique(labels(AgglomerativeClusterer(threshold=0.68), given))) == 2


def test_other_methods_have_cosine_distances():
    """The cosine distance at 40° is 1 − cos 40° = 0.234."""
    turned = np.array([np.cos(np.radians(40)), np.sin(np.radians(40)), 0])
    given = voices([[EAST * 3], [turned * 0.5]])
    assert labels(AgglomerativeClusterer("average", threshold=0.24), given) == [[0], [0]]
    assert len(np.unique(labels(AgglomerativeClusterer("average", threshold=0.23), given))) == 2


def test_small_clusters_join_the_most_similar_large_one():
    slanted = 0.8 * NORTH + 0.6 * UP  # nearer to north, and alone with its kind
    given = voices([*near(EAST, 1, 30), *near(NORTH, 2, 30), *near(slanted, 3, 2)])
    for size, speakers in ((2, 3), (3, 2)):
        found = np.array(labels(AgglomerativeClusterer(threshold=0.3, min_cluster_size=size), given))[:, 0]
        assert len(np.unique(found)) == speakers
        assert (found[60:] == found[30]).all() == (speakers == 2)


@pytest.mark.parametrize(("vectors", "smallest"), [(14, 1), (25, 2), (35, 4), (115, 12), (200, 12)])
def test_in_short_recordings_a_tenth_of_the_vectors_is_a_large_cluster(vectors, smallest):
    """A tenth, halves to even, never more than the setting."""
    for few in {smallest, max(1, smallest - 1)}:
        given = voices([*near(EAST, 1, vectors - few), *near(NORTH, 2, few)])
        found = labels(AgglomerativeClusterer(), given)
        assert len(np.unique(found)) == (2 if few >= smallest else 1)


def test_vectors_of_little_speech_are_labelled_but_make_no_speaker():
    given = voices([[EAST], [EAST], [NORTH], [NORTH + 0.1 * UP]], support=[[3], [3], [1.9], [2.1]])
    assert len(np.unique(labels(AgglomerativeClusterer(least=2.0), given))) == 2
    assert labels(AgglomerativeClusterer(least=2.2), given) == [[0]] * 4


def test_silence_has_no_label_and_nobody_is_nobody():
    found = AgglomerativeClusterer()(voices([[None, None], [None, None]]), ANY)
    assert found.shape == (2, 2, 1)
    assert (found == -1).all()


def test_too_little_for_any_vector_is_one_speaker():
    given = voices([[None, EAST]], present=[[0.1, 1.0]], support=[[0.0, 0.5]])
    assert labels(AgglomerativeClusterer(), given) == [[0, 0]]


def test_who_has_no_vector_is_taken_for_the_one_who_speaks_most():
    windows = [[EAST], [NORTH], [NORTH], [None], [UP * 0]]
    seconds = [[9], [3], [3], [1], [1]]
    found = labels(AgglomerativeClusterer(), voices(windows, seconds, seconds))
    assert found[3] == found[4] == found[0] != found[1]


def test_pieces_are_labelled_by_themselves():
    vectors = np.array([EAST, NORTH, EAST], np.float32)[None, None]
    seconds = np.full((1, 1, 3), 3, np.float32)
    first, second, third = AgglomerativeClusterer()(Voices(vectors, *[seconds] * 3, 10.0, 5.0), ANY)[0, 0]
    assert first == third != second


# ── constrained ──────────────────────────────────────────────────────────────────────────────────────────


def test_constrained_two_local_speakers_never_share_a_speaker():
    between = EAST + 0.9 * NORTH  # nearer to east
    given = voices([[EAST, None], [NORTH, None], [between, EAST]], support=[[3, 0], [3, 0], [1, 1]])
    free, bound = (labels(AgglomerativeClusterer(constrained=c), given) for c in (False, True))
    assert free[2] == [free[0][0]] * 2
    assert bound[2] == [bound[1][0], bound[0][0]]


def test_constrained_shares_only_when_there_are_not_enough_speakers():
    given = voices([[EAST, NORTH, EAST + UP], [EAST, NORTH, None]])
    ((a, b, c), *_) = labels(AgglomerativeClusterer(constrained=True), given, Speakers(2))
    assert {a, b, c} == {0, 1}


# ── the number of speakers ───────────────────────────────────────────────────────────────────────────────


def test_the_size_of_a_cluster_is_no_reason_to_miss_the_number():
    """One vector in sixteen is a speaker if the user says so, and if no two larger clusters are there."""
    chain = [[EAST + angle * UP] for angle in 0.1 * 2.5 ** -np.arange(15)]  # joined one by one
    given = voices([*chain, [NORTH]])
    assert labels(AgglomerativeClusterer(), given) == [[0]] * 16
    found = np.array(labels(AgglomerativeClusterer(), given, Speakers(2)))[:, 0]
    assert (found[:15] == found[0]).all()
    assert found[15] != found[0]


def test_too_few_seconds_are_no_reason_either():
    given = voices([[EAST], [NORTH]], support=[[0.5], [0.5]])
    assert labels(AgglomerativeClusterer(), given) == [[0], [0]]
    assert sorted(labels(AgglomerativeClusterer(), given, Speakers(2))) == [[0], [1]]


def test_as_many_speakers_as_vectors_even_if_they_are_the_same():
    given = voices([[EAST]] * 4)
    assert sorted(labels(AgglomerativeClusterer(), given, Speakers(4))) == [[0], [1], [2], [3]]


def test_more_speakers_than_vectors_are_refused():
    given = voices([[EAST, None], [NORTH, None]], present=[[3, 3], [3, 3]])
    with pytest.raises(UsageError, match=r"exactly 3 speakers .* only 2 stretches"):
        AgglomerativeClusterer()(given, Speakers(3))
    with pytest.raises(UsageError, match=r"at least 3 and at most 5 speakers .* only 2 stretches"):
        AgglomerativeClusterer()(given, Speakers(minimum=3, maximum=5))


def test_speakers_in_silence_are_refused():
    for speakers in (Speakers(1), Speakers(minimum=1)):
        with pytest.raises(UsageError, match="no speech at all"):
            AgglomerativeClusterer()(voices([[None]]), speakers)
    assert labels(AgglomerativeClusterer(), voices([[None]]), Speakers(maximum=2)) == [[-1]]


@settings(deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(1, 12),
    st.sampled_from(["centroid", "average", "ward"]),
    st.booleans(),
    st.builds(
        lambda low, more: Speakers(minimum=low, maximum=low + more), st.integers(1, 9), st.integers(0, 3)
    ),
)
def test_the_number_is_kept_or_refused(seed, windows, method, constrained, speakers):
    active, vectors = problem(seed, windows)
    vectors[active.sum(axis=1) < 3] = np.nan
    seconds = active.sum(axis=1)[..., None] * np.float32(0.25)
    given = Voices(vectors[:, :, None], seconds, seconds, seconds, 1.0, 10.0)
    clusterer = AgglomerativeClusterer(method, constrained=constrained)
    known = given.embedded & (seconds > 0)
    if known.sum() < speakers.least and (speakers.least > 1 or not (seconds > 0).any()):
        with pytest.raises(UsageError):
            clusterer(given, speakers)
        return
    found = clusterer(given, speakers)
    assert found.dtype == np.intp
    np.testing.assert_array_equal(found < 0, seconds == 0)
    names = np.unique(found[found >= 0])
    assert names.tolist() == list(range(len(names)))
    assert len(names) in speakers


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────


def test_registered():
    assert CLUSTERERS["agglomerative"] is AgglomerativeClusterer


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "nearest"}, "unknown linkage method 'nearest'; there is: average, centroid"),
        ({"threshold": -0.1}, "got -0.1, 2.0 and 12"),
        ({"min_cluster_size": 0}, "min_cluster_size from 1; got 0.7, 2.0 and 0"),
        ({"threshold": float("nan")}, "got nan, 2.0 and 12"),
        ({"least": -1.0}, "got 0.7, -1.0 and 12"),
    ],
)
def test_settings_without_sense_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        AgglomerativeClusterer(**wrong)
