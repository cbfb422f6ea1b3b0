"""Variables, the context, time, batches, merged domains and replaying samples."""

import warnings

import numpy as np
import pytest

from jno.domain import domain
from jno.trace import TensorTag, Variable


def leaf(node):
    return (node.tag, tuple(node.dim), node.axis)


# -- variable ----


@pytest.mark.parametrize("d", [domain.line(), domain.rect(), domain.cube(mesh_size=0.5)])
def test_variables_of_a_region(d):
    *coordinates, t = d.variable("interior")
    assert [leaf(c) for c in coordinates] == [("interior", (i, i + 1), "spatial") for i in range(d.dimension)]
    assert leaf(t) == ("__time__", (0, 1), "temporal")
    assert all(c.domain is d and c.copy == 0 for c in coordinates)
    assert d.context["interior"].shape == (1, 1, len(d.points), d.dimension)
    assert np.array_equal(d.context["interior"][0, 0], d.points)
    assert d.context["__time__"].tolist() == [[1.0]]


def test_item_access_is_variable():
    d = domain.rect()
    assert [leaf(v) for v in d["left"]] == [
        ("left", (0, 1), "spatial"),
        ("left", (1, 2), "spatial"),
        ("__time__", (0, 1), "temporal"),
    ]


def test_normals_as_one_vector_or_split():
    d = domain.rect(mesh_size=0.25)
    n = d.variable("top", normals=True)
    assert isinstance(n, Variable)
    assert (n.tag, tuple(n.dim), n.size) == ("n_top", (0, 2), 2)
    out = d.variable("top", normals=True, split=True)
    assert [leaf(v) for v in out[3:]] == [("n_top", (0, 1), "spatial"), ("n_top", (1, 2), "spatial")]
    assert np.allclose(d.context["n_top"], [0.0, 1.0])
    assert d.context["n_top"].shape == d.context["top"].shape
    assert d.normal_tags == {"n_top"}


def test_reversed_normals_do_not_touch_earlier_ones():
    d = domain.rect(mesh_size=0.25)
    *_, nx, _ = d.variable("left", normals=True, split=True)
    *_, mx, _ = d.variable("left", normals=True, reverse_normals=True, split=True)
    assert nx.tag != mx.tag
    assert np.all(d.context[nx.tag][..., 0] == -1.0)
    assert np.all(d.context[mx.tag][..., 0] == 1.0)
    assert np.allclose(d.normals_by_tag["left"], [-1.0, 0.0])
    # asking again finds the right ones
    assert d.variable("left", normals=True, split=True)[3].tag == nx.tag
    assert d.variable("left", normals=True, reverse_normals=True, split=True)[3].tag == mx.tag


@pytest.mark.parametrize("taken", ["points", "data"])
def test_normals_never_overwrite_points_or_data_of_their_name(taken):
    d = domain.rect(mesh_size=0.5)
    if taken == "points":
        d.variable("n_left", where=lambda x, y: x > 0.4)
    else:
        d.variable("n_left", np.ones((7, 2)))
    before = d.context["n_left"]
    with pytest.raises(ValueError, match="normals of 'left' have the key 'n_left', which already names other points"):
        d.variable("left", normals=True)
    assert d.context["n_left"] is before


def test_normals_belong_to_the_sampled_points():
    d = domain.rect(mesh_size=0.1)
    d.variable("boundary", (7, None), normals=True)
    points, normals = d.context["boundary"][0, 0], d.context["n_boundary"][0, 0]
    expected = {tuple(p): n for p, n in zip(d._mesh_pool["boundary"], d.normals_by_tag["boundary"], strict=True)}
    assert all(np.array_equal(expected[tuple(p)], n) for p, n in zip(points, normals, strict=True))


def test_counts_and_indices():
    d = domain.rect()
    *_, indices = d.variable("interior", (20, None), return_indices=True)
    assert indices.shape == (20,)
    assert len(set(indices.tolist())) == 20
    assert np.array_equal(d.context["interior"][0, 0], d._mesh_pool["interior"][indices])
    *_, nx, ny, indices = d.variable("left", (3, None), normals=True, split=True, return_indices=True)
    assert np.array_equal(d.context["left"][0, 0], d._mesh_pool["left"][indices])
    assert (nx.tag, ny.tag) == ("n_left", "n_left")


def test_more_points_than_there_are():
    d = domain.rect(mesh_size=0.25)
    with pytest.warns(UserWarning, match="500 points of 'left' were asked for, but only 5 are available"):
        d.variable("left", (500, None))
    assert d.context["left"].shape == (1, 1, 5, 2)


def test_callable_sampler_and_index_array():
    d = domain.rect(mesh_size=0.25)
    d.variable("left", (2, lambda points, n: np.argsort(points[:, 1])[:n]))
    assert d.context["left"][0, 0].tolist() == [[0.0, 0.0], [0.0, 0.25]]
    x, *_ = d.variable("interior", (None, np.array([3, 3, 0])))
    assert np.array_equal(d.context[x.tag][0, 0], d.points[[3, 3, 0]])


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ((2, lambda points, n: [0]), "returned 1 indices; 2 were asked for"),
        ((2, lambda points, n: [0, 99]), r"returned indices from 0 to 99; the tag has 5 points"),
        ((2, lambda points, n: [0.5, 1.0]), "1-D array of integer indices"),
        ((2, "sobl"), "Unknown sampler 'sobl' of 'left'; named samplers are uniform, latin_hypercube, sobol"),
        ((None, "sobol"), r"'sobol' of 'left' needs a number of points: sample=\(n, 'sobol'\)"),
        ((2, 1.5), "sampler of 'left' must be one of uniform, .* a callable .* or an integer index array; got 1.5"),
        ((0, None), "number of points of 'left' must be a positive integer or None; got 0"),
        ((-3, None), "positive integer or None; got -3"),
        ((2.5, None), "positive integer or None; got 2.5"),
        ((True, None), "positive integer or None; got True"),
        ((3,), r"must be \(n, sampler\)"),
        (100, r"must be \(n, sampler\), e.g. \(100, None\)"),
        (None, r"must be \(n, sampler\)"),
    ],
)
def test_bad_samples(sample, message):
    with pytest.raises(ValueError, match=message):
        domain.rect(mesh_size=0.25).variable("left", sample)


@pytest.mark.parametrize(
    ("tag", "options", "error", "message"),
    [
        ("lft", {}, ValueError, "Unknown tag 'lft'. Tags of this domain: .*'left'"),
        ("initial", {}, ValueError, "Unknown tag 'initial'"),
        ("interior", {"normals": True}, ValueError, "'interior' has no outward normals"),
        ("left", {"reverse_normals": True}, ValueError, "reverse_normals=True needs normals=True"),
        ("left", {"time_value": 0.5}, ValueError, "needs a time-dependent domain"),
        ("interior", {"view_factor": True}, ValueError, "'interior' has no outward normals"),
        ("left", {"resampling_strategy": 3}, TypeError, "strategy of 'left' must be one of jno.sampler.*got 3"),
        ("left", {"point_data": True}, ValueError, "point_data=True.* needs an array"),
    ],
)
def test_variable_errors(tag, options, error, message):
    with pytest.raises(error, match=message):
        domain.rect().variable(tag, **options)


def test_view_factors_come_last():
    d = domain.rect(mesh_size=0.25)
    out = d.variable("boundary", normals=True, reverse_normals=True, split=True, view_factor=True)
    assert [v.tag for v in out] == ["boundary", "boundary", "__time__", "n_boundary", "n_boundary", "f_boundary"]
    assert isinstance(out[-1], TensorTag)
    assert d.context["f_boundary"].shape == (1, 16, 16)
    assert d.context["v_boundary"].shape == (1, 1, 16, 16)


def test_named_samplers_place_points_in_the_region_itself():
    d = domain.rect(mesh_size=0.5)
    d.variable("left", (4, "equispaced"), normals=True)
    assert np.allclose(np.sort(d.context["left"][0, 0, :, 1]), [0.125, 0.375, 0.625, 0.875])
    assert np.allclose(d.context["n_left"][0, 0], [-1.0, 0.0])


def test_where_equals_two_steps():
    def inside(x, y):
        return np.hypot(x - 0.5, y - 0.5) < 0.3

    one, two = domain.rect(), domain.rect()
    one.variable("blob", where=inside)
    two.tag("blob", inside)
    two.variable("blob")
    assert np.array_equal(one.context["blob"], two.context["blob"])


# -- repeated requests ----


def test_whole_region_again_gives_distinct_handles_on_the_same_points():
    d = domain.line()
    x, _ = d.variable("interior")
    y, _ = d.variable("interior")
    z, _ = d["interior"]
    assert [v.tag for v in (x, y, z)] == ["interior"] * 3
    assert [v.copy for v in (x, y, z)] == [0, 1, 2]
    assert set(d.context) == {"interior", "__time__"}


def test_other_repeated_requests_get_a_new_key():
    d = domain.rect()
    x, *_ = d.variable("interior", (10, None))
    first = d.context["interior"].copy()
    y, *_ = d.variable("interior", (10, None))
    z, *_ = d.variable("interior")
    w, *_ = d.variable("interior")
    assert [v.tag for v in (x, y, z, w)] == ["interior", "interior@1", "interior@2", "interior@2"]
    assert np.array_equal(d.context["interior"], first)
    assert not np.array_equal(d.context["interior@1"], first)
    assert d.context["interior@2"].shape[2] == 121
    assert d.point_tags == {"interior", "interior@1", "interior@2"}


def test_sample_directly():
    d = domain.rect()
    points, indices, key = d.sample({"left": (3, None), "interior": (5, None)}, return_indices=True)
    assert (key, points.shape, indices.shape) == ("interior", (1, 1, 5, 2), (5,))
    assert d.context["left"].shape == (1, 1, 3, 2)
    again, nothing, key = d.sample({"interior": (5, None)})
    assert (key, nothing) == ("interior@1", None)
    assert not np.array_equal(again, points)
    d.sample({"top": (None, None)}, normals=True)
    assert d.context["n_top"].shape == (1, 1, 11, 2)
    with pytest.raises(ValueError, match="names no tag"):
        d.sample({})
    with pytest.raises(ValueError, match="Unknown tag 'lft'"):
        d.sample({"lft": (1, None)})
    with pytest.raises(ValueError, match="has no outward normals"):
        d.sample({"interior": (1, None)}, normals=True)


# -- time ----


def test_time_levels_are_broadcast():
    d = domain.rect(mesh_size=0.5, time=(0.0, 2.0, 5))
    d.variable("interior", (4, None))
    d.variable("left", normals=True)
    assert d.time == (0.0, 2.0, 5)
    assert d.context["interior"].shape == (1, 5, 4, 2)
    assert d.context["interior"].strides[1] == 0
    assert d.context["n_left"].shape == d.context["left"].shape == (1, 5, 3, 2)
    assert np.array_equal(d.context["__time__"], np.linspace(0, 2, 5)[:, None])
    assert d._mesh_pool["interior"].shape == (5, 9, 2)
    assert d._mesh_pool["initial"].shape == (1, 9, 2)
    assert d.dimension == 2
    assert np.array_equal(d._time_points, np.linspace(0, 2, 5))
    assert d.is_time_dependent


def test_initial_tag():
    d = 3 * domain.rect(time=(0.5, 2.0, 5))
    d.variable("interior", (8, None))
    x, y, t = d.variable("initial", (6, None))
    assert leaf(t) == ("__time_initial__", (0, 1), "temporal")
    assert (x.tag, y.tag) == ("initial", "initial")
    assert d.context["initial"].shape == (3, 1, 6, 2)
    assert d.context["__time_initial__"].tolist() == [[0.5]]
    assert d.context["interior"].shape == (3, 5, 8, 2)
    with pytest.raises(ValueError, match=r"'initial' is fixed at t0=0.5; got time_value=1.0"):
        d.variable("initial", time_value=1.0)


def test_fixed_time_value():
    d = domain.rect(time=(0, 1, 5))
    *_, t = d.variable("interior", time_value=0.6)
    assert t.tag == "__time_interior__"
    assert d.context["__time_interior__"].tolist() == [[0.5]]
    assert d.context["interior"].shape == (1, 1, 121, 2)
    x, *_, t = d.variable("interior")
    assert (x.tag, t.tag) == ("interior@1", "__time__")
    assert d.context["interior@1"].shape == (1, 5, 121, 2)
    x, *_ = d.variable("interior", time_value=0.5)
    assert (x.tag, x.copy) == ("interior", 1)
    with pytest.raises(ValueError, match=r"time_value=1.5 lies outside the domain's time interval \[0.0, 1.0\]"):
        d.variable("interior", time_value=1.5)


@pytest.mark.parametrize(
    "time",
    [
        (0,),
        (0, 1, 1),
        (1, 0, 3),
        (0, 0, 3),
        (0, 1, 2.5),
        (0, np.nan, 3),
        (0, 1, True),
        "abc",
        3,
        ("a", 1, 3),
    ],
)
def test_bad_times(time):
    with pytest.raises(ValueError, match=r"time must be \(t0, t1, n\) with finite t1 > t0 and an integer n >= 2"):
        domain.line(time=time)


@pytest.mark.parametrize("time", [None, (0.0, 2.0, 5)])
@pytest.mark.parametrize(
    "build",
    [
        domain.line,
        lambda time: 3 * domain.rect(mesh_size=0.5, time=time),
        lambda time: domain.rect(mesh_size=0.5) + domain.rect(mesh_size=0.5, time=time),
        lambda time: domain(domain.line(), time=time),
        lambda time: domain.rect(mesh_size=0.5, time=time).copy(),
        lambda time: domain(domain.from_array({"a": np.zeros((3, 2))}), time=time),
        lambda time: domain.csg([(0, 0), (1, 0), (0, 1)], time=time).build_mesh(1.0),
    ],
)
def test_times_are_in_the_context_before_anything_is_sampled(build, time):
    d = build(time=time)
    levels = [1.0] if time is None else [0.0, 0.5, 1.0, 1.5, 2.0]
    np.testing.assert_array_equal(d.context["__time__"], np.array(levels)[:, None])
    assert "interior" not in d.context


# -- batches ----


def test_multiplication_copies_and_rows_are_independent():
    d = domain.rect()
    d.variable("interior")
    batch = 4 * d
    assert (d.total_samples, batch.total_samples, (batch * 2).total_samples) == (1, 4, 8)
    assert set(batch.context) == {"__time__"}
    *_, indices = batch.variable("interior", (10, None), return_indices=True)
    assert batch.context["interior"].shape == (4, 1, 10, 2)
    assert indices.shape == (4, 10)
    rows = batch.context["interior"][:, 0]
    assert all(not np.array_equal(rows[0], row) for row in rows[1:])
    assert batch._batch_domain_map.tolist() == [0, 0, 0, 0]
    assert batch._sub_domains == []


def test_whole_regions_are_broadcast_over_the_batch():
    batch = 1000 * domain.rect()
    *_, indices = batch.variable("interior", return_indices=True)
    assert batch.context["interior"].shape == (1000, 1, 121, 2)
    assert batch.context["interior"].strides[0] == 0
    assert indices.shape == (121,)


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "2", None])
def test_bad_factors(n):
    with pytest.raises(ValueError, match="multiplied by a positive integer"):
        domain.rect() * n


def test_merging_stacks_rows():
    a, b = 3 * domain.rect(), 2 * domain.rect((0.0, 2.0))
    d = a + b
    assert (d.total_samples, a.total_samples, b.total_samples) == (5, 3, 2)
    d.variable("interior", (10, None))
    d.variable("right", (4, None), normals=True)
    assert d.context["interior"].shape == (5, 1, 10, 2)
    assert np.all(d.context["right"][:3, ..., 0] == 1.0)
    assert np.all(d.context["right"][3:, ..., 0] == 2.0)
    assert d.context["n_right"].shape == (5, 1, 4, 2)
    assert d._batch_domain_map.tolist() == [0, 0, 0, 1, 1]
    assert d._sub_domains == [b.mesh_connectivity]
    assert not d.same_domain
    a += b
    assert a.total_samples == 5
    assert (2 * d)._batch_domain_map.tolist() == [0] * 6 + [1] * 4


def test_merging_without_a_count_uses_the_smallest_region():
    d = domain.rect(mesh_size=0.5) + domain.rect(mesh_size=0.25)
    with pytest.warns(UserWarning, match=r"\[9, 25\] points of 'interior'; 9 are used of each") as caught:
        d.variable("interior")
    assert len(caught) == 1
    assert d.context["interior"].shape == (2, 1, 9, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x, *_ = d.variable("interior")  # the same points again
    assert (x.tag, x.copy) == ("interior", 1)
    points, _ = d.draw_candidates("interior")
    assert points.shape == (34, 2)


def test_merging_knows_only_common_tags():
    d = domain.rect() + domain.equi_distant_rect()
    assert "one" not in d.available_mesh_tags
    with pytest.raises(ValueError, match="Unknown tag 'one'"):
        d.variable("one")


def test_merging_data_and_parameters():
    a = 2 * (domain.rect() < ("nu", 1.0))
    b = domain.rect() < ("nu", 3.0)
    a.variable("k", np.array([[1.0], [2.0]]))
    b.variable("k", np.array([[5.0]]))
    a.variable("table", np.arange(4.0))
    b.variable("table", np.arange(4.0))
    b.variable("shared", np.ones((1, 3)))
    d = a + b
    assert d.parameters["nu"].tolist() == [1.0, 1.0, 3.0]
    assert d.context["k"].tolist() == [[1.0], [2.0], [5.0]]
    assert d.context["table"].shape == (4,)
    assert d.tensor_tags == {"k", "table", "shared"}
    assert a.parameters == {"nu": 1.0}


def test_merge_errors():
    rect = domain.rect()
    with pytest.raises(ValueError, match="different dimension cannot be merged: 2 and 1"):
        rect + domain.line()
    with pytest.raises(ValueError, match="different time axes"):
        domain.rect(time=(0, 1, 3)) + domain.rect(time=(0, 1, 4))
    with pytest.raises(TypeError, match="Only a domain can be added to a domain; got int"):
        rect + 1
    with pytest.raises(ValueError, match=r"Parameters \['nu'\] are set on only one"):
        rect + (domain.rect() < ("nu", 1.0))
    with pytest.raises(ValueError, match="array 'a' differs"):
        (domain.rect() < ("a", [1.0])) + (domain.rect() < ("a", [2.0]))
    lone = 2 * domain.rect()
    lone.variable("k", np.ones((2, 1)))
    with pytest.raises(ValueError, match="'k' has one row per batch row but is set on only one"):
        lone + rect
    other = domain.rect()
    other.variable("k", np.ones((3, 4)))
    with pytest.raises(ValueError, match="data 'k' of the merged domains cannot be combined"):
        lone + other
    assert (domain.rect(time=(0, 1, 3)) + rect).time == (0.0, 1.0, 3)


# -- data ----


def test_tensor_tags():
    d = domain.rect()
    k = d.variable("k", np.arange(6.0).reshape(2, 3))
    assert isinstance(k, TensorTag)
    assert (k.tag, k.dim_index, k.domain) == ("k", None, d)
    assert [c.dim_index for c in d.variable("s", np.ones((4, 2)), split=True)] == [0, 1]
    d.variable("number", np.array(2.0))
    d.variable("plain", 3.0)
    assert d.context["number"].shape == d.context["plain"].shape == (1, 1)
    assert d.tensor_tags == d._param_tags == {"k", "s", "number", "plain"}
    assert d.point_tags == frozenset()
    assert d["k"].tag == "k"


def test_jax_arrays_are_data():
    jnp = pytest.importorskip("jax.numpy")
    d = domain.rect()
    d.variable("k", jnp.ones((2, 3)))
    assert d.context["k"].shape == (2, 3)


def test_data_is_never_overwritten():
    d = domain.rect()
    assert d.variable("k", np.ones(3)).tag == "k"
    assert d.variable("k", np.ones(3)).tag == "k"
    assert d.variable("k", np.zeros(3)).tag == "k@1"
    assert d.context["k"].tolist() == [1.0, 1.0, 1.0]


def test_point_data():
    d = domain.rect()
    v = d.variable("sensors", np.random.default_rng(0).random((7, 2)), point_data=True)
    assert isinstance(v, Variable)
    assert (v.tag, v.size) == ("sensors", 2)
    x, y = d.variable("grid", np.zeros((1, 1, 5, 2)), point_data=True, split=True)
    assert (tuple(x.dim), tuple(y.dim)) == ((0, 1), (1, 2))
    assert d.context["sensors"].shape == (1, 1, 7, 2)
    assert d.point_tags == {"sensors", "grid"}


@pytest.mark.parametrize(
    ("name", "values", "options", "message"),
    [
        ("left", np.ones(3), {}, "'left' is a region of this domain and cannot name data"),
        ("k", np.array(["a"]), {}, "data 'k' must be numeric"),
        ("k", np.ones(3), {"normals": True}, "takes only split= and point_data=; got normals"),
        ("k", np.ones((3, 2, 2)), {"point_data": True}, r"must have shape \(N,\), \(N, D\) or .*; got \(3, 2, 2\)"),
        ("a@b", np.ones(3), {}, "reserved"),
    ],
)
def test_data_errors(name, values, options, message):
    with pytest.raises(ValueError, match=message):
        domain.rect().variable(name, values, **options)


def test_a_region_cannot_take_the_name_of_data():
    d = domain.rect()
    d.variable("k", np.ones(3))
    with pytest.raises(ValueError, match="'k' already names data"):
        d.tag("k", lambda x, y: x > 0.5)


# -- randomness ----


def draw(d, *tags):
    for tag in tags:
        d.variable(tag, (5, None))
    return {tag: d.context[tag].copy() for tag in tags}


def test_sampling_is_reproducible_from_the_seed(monkeypatch):
    first = draw(2 * domain.rect(), "interior", "left")
    np.random.seed(0)  # noqa: NPY002  (the global generator must not matter)
    second = draw(2 * domain.rect(), "interior", "left")
    assert all(np.array_equal(first[tag], second[tag]) for tag in first)
    monkeypatch.setenv("JNO_SEED", "7")
    third = draw(2 * domain.rect(), "interior", "left")
    assert not np.array_equal(first["interior"], third["interior"])


def test_the_global_generator_is_not_advanced():
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random(2)  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    draw(domain.rect(), "interior")
    assert np.array_equal(np.random.random(2), expected)  # noqa: NPY002


def test_draws_are_uniform():
    d = 400 * domain.line(mesh_size=0.1)
    *_, indices = d.variable("interior", (3, None), return_indices=True)
    counts = np.bincount(indices.ravel(), minlength=11)
    expected = 400 * 3 / 11
    assert np.sum((counts - expected) ** 2 / expected) < 29.6  # chi-squared, 10 degrees of freedom, p = 0.001


# -- candidates and replay ----


def test_draw_candidates():
    d = domain.rect(time=(0, 1, 3))
    points, normals = d.draw_candidates("left")
    assert points.shape == normals.shape == (11, 2)
    assert d.draw_candidates("interior")[1] is None
    assert d.draw_candidates("nowhere") == (None, None)
    x, *_ = d.variable("left", (3, None), normals=True, reverse_normals=True, split=True)
    assert np.allclose(d.draw_candidates(x.tag)[1], [1.0, 0.0])
    assert d.draw_candidates("initial")[0].shape == (121, 2)
    assert (domain.rect() + domain.rect(mesh_size=0.5)).draw_candidates("top")[0].shape == (14, 2)
    assert (3 * domain.rect()).draw_candidates("top")[0].shape == (11, 2)


def test_context_for_replays_all_requests():
    train = domain.rect(mesh_size=0.25, time=(0.0, 1.0, 3))
    train.variable("interior", (6, None))
    train.variable("interior", (7, None))
    train.variable("left", normals=True)
    train.variable("initial")
    train.variable("hot", where=lambda x, y: x > 0.6)
    train.variable("k", np.ones((1, 2)))
    other = 2 * domain.rect(mesh_size=0.125, time=(0.0, 1.0, 5))
    before = dict(other.context)
    context = other.context_for(train)
    assert other.context == before
    assert "hot" not in other.available_mesh_tags
    shapes = {name: array.shape for name, array in context.items()}
    assert shapes == {
        "interior": (2, 5, 6, 2),
        "interior@1": (2, 5, 7, 2),
        "left": (2, 5, 9, 2),
        "n_left": (2, 5, 9, 2),
        "initial": (2, 1, 81, 2),
        "hot": (2, 5, 36, 2),
        "k": (1, 2),
        "__time__": (5, 1),
        "__time_initial__": (1, 1),
    }
    assert np.array_equal(context["__time__"][:, 0], np.linspace(0, 1, 5))


def test_initial_points_are_replayed_at_the_own_start():
    train = domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3))
    train.variable("initial")
    train.variable("interior", time_value=0.9)
    context = domain.rect(mesh_size=0.5, time=(0.5, 1.4, 4)).context_for(train)
    assert context["initial"].shape == (1, 1, 9, 2)
    assert context["__time_initial__"].tolist() == [[0.5]]
    # the nearest level of each domain: 1.0 of the first, 1.1 of the second
    np.testing.assert_allclose(context["__time_interior__"], [[1.1]], rtol=1e-6)


def test_context_for_uses_all_points_when_there_are_fewer():
    train, other = domain.rect(mesh_size=0.1), domain.rect(mesh_size=0.5)
    train.variable("left", (8, None), normals=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        context = other.context_for(train)
    assert context["left"].shape == context["n_left"].shape == (1, 1, 3, 2)


def test_context_for_keeps_what_the_other_domain_has():
    train = domain.rect()
    train.variable("interior", (5, None))
    train.variable("left")
    cloud = domain.from_array({"interior": np.full((3, 2), 0.5)})
    context = cloud.context_for(train)
    assert np.all(context["interior"] == 0.5)
    assert context["interior"].shape == (1, 1, 3, 2)
    assert "left" not in context
    other = domain.rect()
    other.variable("left", (4, None))
    train.variable("left", normals=True)
    context = other.context_for(train)
    assert np.array_equal(context["left"], other.context["left"])
    assert np.allclose(context["n_left"], [-1.0, 0.0])
    assert context["n_left"].shape == (1, 1, 4, 2)
    assert "n_left" not in other.context
