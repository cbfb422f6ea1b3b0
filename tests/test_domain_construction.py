"""What a domain can be made from: dispatch, clones, point clouds, pickles, parameters."""

import doctest
import inspect

import cloudpickle
import meshio
import numpy as np
import pytest
from shapely.geometry import box

from jno.domain import domain, from_array

CLOUD = {"interior": np.arange(8.0).reshape(4, 2), "left": np.zeros((2, 2))}


# -- dispatch ----


def test_unknown_keywords_are_listed():
    with pytest.raises(TypeError, match=r"unknown keyword\(s\) \['mesh_sise'\]; allowed: \['algorithm', 'time'"):
        domain(domain.line(), mesh_sise=0.1)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (None, ValueError, "must provide"),
        (42, ValueError, "cannot make a domain from this"),
        ("missing.npz", FileNotFoundError, "missing.npz"),
        ("missing.msh", FileNotFoundError, "missing.msh"),
        (lambda geo: geo, ValueError, r"must return \(geo, dimension, mesh_size\) .*; it returned"),
        (lambda geo: (geo, 2, 0.1), ValueError, "drew no entity of dimension 2"),
        (lambda geo: (geo, 4, 0.1), ValueError, "it returned the dimension 4"),
        (lambda geo: (geo, 2, -0.1), ValueError, "mesh_size must be a positive finite number; got -0.1"),
        (lambda geo: ("geo", 2, 0.1), ValueError, "it returned the geometry 'geo'"),
        ([(0, 0), (1, 0)], ValueError, "at least three"),
        ({"a": [(0, 0), (1, 1), (1, 0), (0, 1)]}, ValueError, "Invalid polygon"),
    ],
)
def test_sources_that_make_no_domain(source, error, message):
    with pytest.raises(error, match=message):
        domain(source)


def test_no_argument():
    with pytest.raises(ValueError, match="must provide"):
        domain()


TRIANGLE = [(0, 0), (1, 0), (0, 1)]


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        (box(0, 0, 1, 1), {"interior", "boundary", "left", "right", "bottom", "top"}),
        (TRIANGLE, {"interior", "boundary", "interior_polygon", "boundary_polygon"}),
        (np.array(TRIANGLE), {"interior", "boundary", "interior_polygon", "boundary_polygon"}),
        ({"a": TRIANGLE, "b": box(2, 0, 3, 1)}, {"interior", "boundary", "interior_a", "boundary_a", "interior_b"}),
    ],
)
def test_polygons_make_lazy_domains(source, tags):
    d = domain(source)
    assert isinstance(d, domain.csg)
    assert isinstance(d, domain)
    assert d.mesh is None
    assert d.context == {}
    assert tags <= set(d.available_mesh_tags)


def test_mesh_files_keep_points_cells_and_named_sets(tmp_path):
    path = tmp_path / "mesh.inp"
    points = np.array([[0.0, 0, 0], [2, 0, 0], [2, 1, 0], [0, 1, 0]])
    cells = [("triangle", np.array([[0, 1, 2], [0, 2, 3]])), ("line", np.array([[0, 1]]))]
    none = np.zeros(0, dtype=int)
    sets = {"floor": [none, np.array([0])], "lower": [np.array([0]), none]}
    meshio.Mesh(points, cells, cell_sets=sets).write(path)
    for source in (path, str(path)):
        d = domain(source)
        assert set(d.available_mesh_tags) == {"interior", "boundary", "floor", "lower"}
        assert np.array_equal(d.points, points[:, :2])
        measures = [d.quadrature(tag).weights.sum() for tag in ("interior", "boundary", "floor", "lower")]
        assert measures == pytest.approx([2.0, 6.0, 2.0, 1.0])
        assert np.allclose(d.normals_by_tag["floor"], [0.0, -1.0])


def test_what_is_no_mesh_file(tmp_path):
    path = tmp_path / "mesh.msh"
    path.write_text("")
    with pytest.raises(ValueError, match=r"mesh\.msh"):
        domain(str(path))


def test_geometry_callables_are_meshed():
    def draw(geo):
        geo.occ.addRectangle(0, 0, 0, 2, 1)
        return geo, 2, 0.5

    d = domain(draw)
    assert (d.dimension, d.ds) == (2, 0.5)
    assert d.quadrature("interior").weights.sum() == pytest.approx(2.0)
    sides = [d.quadrature(f"edge_{number}").weights.sum() for number in (1, 2, 3, 4)]
    assert sides == pytest.approx([2.0, 1.0, 2.0, 1.0])


def test_geometry_callables_may_return_a_mesh():
    points = np.array([[0.0, 0], [1, 0], [0, 1], [5, 5]])
    mesh = meshio.Mesh(points, [("triangle", np.array([[0, 1, 2]]))])
    assert len(domain(lambda geo: (mesh, 2, 0.1)).points) == 3
    kept = domain(lambda geo: (mesh, 2, 0.1), keep_orphan_nodes=True)
    assert len(kept.points) == 4
    assert len(kept._mesh_pool["interior"]) == 3


def test_options_that_mean_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match="keep_orphan_nodes= and mesh_size= mean nothing for a clone"):
        domain(domain.line(), keep_orphan_nodes=True)
    with pytest.raises(ValueError, match=r"mesh_size=0\.1 means nothing for a geometry callable"):
        domain(lambda geo: (geo, 2, 0.1), mesh_size=0.1)
    np.savez(tmp_path / "cloud.npz", **CLOUD)
    with pytest.raises(ValueError, match="keep_orphan_nodes=True concerns mesh files only"):
        domain(tmp_path / "cloud.npz", keep_orphan_nodes=True)


# -- clones ----


def test_clone_with_time_equals_building_directly():
    direct = domain.line(mesh_size=0.25, time=(0, 1, 5), compute_mesh_connectivity=False)
    clone = domain(
        constructor=domain.line(mesh_size=0.25, time=(0, 9, 3)),
        time=(0, 1, 5),
        compute_mesh_connectivity=False,
    )
    assert clone.time == direct.time
    assert clone.mesh_connectivity is None
    for d in (direct, clone):
        d.variable("interior", (3, None))
        d.variable("initial")
    assert clone.context.keys() == direct.context.keys()
    assert all(np.array_equal(clone.context[key], direct.context[key]) for key in direct.context)


def test_clone_is_independent():
    original = 2 * domain.rect()
    original.variable("left")
    original.variable("k", np.ones(3))
    _ = original < ("nu", 0.1)
    clone = domain(original)
    assert clone.total_samples == 2
    assert clone.context.keys() == original.context.keys()
    clone.variable("interior", (4, None))
    clone.tag("hot", lambda x, y: x > 0.5)
    _ = clone < ("nu", 0.2)
    assert "interior" not in original.context
    assert "hot" not in original.available_mesh_tags
    assert original.parameters == {"nu": 0.1}
    assert len(original.sample_dict) == 1


def test_clone_with_new_time_drops_samples_but_keeps_data():
    original = domain.rect(time=(0, 1, 3))
    original.variable("interior")
    original.variable("initial")
    original.variable("k", np.ones(3))
    clone = domain(original, time=(0, 2, 4))
    assert set(clone.context) == {"k", "__time__"}
    assert clone.tensor_tags == {"k"}
    assert domain(original).time == (0.0, 1.0, 3)


# -- point clouds ----


@pytest.mark.parametrize("build", [domain.from_array, from_array])
def test_from_array(build):
    d = build(CLOUD)
    assert isinstance(d, domain)
    assert (d.mesh, d.mesh_connectivity, d.ds, d.dimension) == (None, None, None, 2)
    assert d.context["interior"].shape == (1, 1, 4, 2)
    assert d.context["left"].shape == (1, 1, 2, 2)
    x, y, _t = d.variable("interior")
    assert (x.tag, y.tag, x.copy) == ("interior", "interior", 0)
    assert np.array_equal(d.context["interior"][0, 0], CLOUD["interior"])
    assert set(d.context) == {"interior", "left", "__time__"}
    assert d.boundary_tags() == []
    with pytest.raises(RuntimeError, match="no mesh"):
        d.built_mesh  # noqa: B018


def test_cloud_sampling():
    d = domain.from_array(CLOUD)
    x, *_ = d.variable("interior", (3, None))
    assert x.tag == "interior"  # nobody had used the whole set
    assert d.context["interior"].shape == (1, 1, 3, 2)
    y, *_ = d.variable("interior")
    assert (y.tag, d.context["interior@1"].shape) == ("interior@1", (1, 1, 4, 2))
    with pytest.raises(ValueError, match="no outward normals"):
        d.variable("left", normals=True)
    assert d.tag("far", lambda x, y: x > 3)._mesh_pool["far"].tolist() == [[4.0, 5.0], [6.0, 7.0]]


def test_cloud_batches_and_time():
    d = domain.from_array(CLOUD)
    assert (3 * d).context["interior"].shape == (3, 1, 4, 2)
    merged = d + domain.from_array({"interior": np.ones((4, 2))})
    assert merged.context["interior"].shape == (2, 1, 4, 2)
    timed = domain(d, time=(0, 1, 3))
    assert timed.context["interior"].shape == (1, 3, 4, 2)
    timed.variable("initial")
    assert timed.context["initial"].shape == (1, 1, 4, 2)


def test_dummy_cloud_and_empty_tags():
    assert domain.from_array({"_": np.zeros((1, 1))}).dimension == 1
    assert domain.from_array({"file": np.zeros((1, 3))}).available_mesh_tags == ["file"]
    d = domain.from_array({"none": np.zeros((0, 3)), "some": np.ones((2, 2))})
    assert d.dimension == 2
    assert d.context["none"].shape == (1, 1, 0, 2)
    with pytest.raises(ValueError, match="'none' has no points to sample from"):
        d.variable("none", (1, None))


def test_npz(tmp_path):
    path = tmp_path / "cloud.npz"
    np.savez(path, **CLOUD, extra=np.ones((3, 2)))
    for source in (str(path), path):
        d = domain(source, time=(0, 1, 2))
        assert set(d.available_mesh_tags) == {"interior", "left", "extra"}
        assert d.context["extra"].shape == (1, 2, 3, 2)
    np.savez(tmp_path / "empty.npz")
    with pytest.raises(ValueError, match="at least one tag"):
        domain(str(tmp_path / "empty.npz"))


@pytest.mark.parametrize(
    ("tags", "error", "message"),
    [
        ({}, ValueError, "at least one tag"),
        ({"a": np.zeros(3)}, ValueError, r"tag 'a' must be a 2-D array \(N, D\); got shape \(3,\)"),
        (
            {"a": np.zeros((3, 1)), "b": np.zeros((3, 2))},
            ValueError,
            "same number of columns; got {'a': 1, 'b': 2}",
        ),
        ({"a": np.array([["x"]])}, ValueError, "must be real numbers"),
        ({"a@1": np.zeros((3, 1))}, ValueError, "reserved"),
    ],
)
def test_cloud_errors(tags, error, message):
    with pytest.raises(error, match=message):
        domain.from_array(tags)


def test_cloud_has_no_connectivity():
    with pytest.raises(ValueError, match="no mesh connectivity"):
        domain.from_array(CLOUD, compute_mesh_connectivity=True)


# -- parameters and arrays ----


def test_parameters_and_arrays():
    d = domain.rect()
    assert (d < ("nu", 1)) is d
    _ = d < ("table", [1, 2, 3])
    assert d.parameters == {"nu": 1.0}
    assert isinstance(d.parameters["nu"], float)
    assert d.arrays["table"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("entry", ["nu", ("nu",), ("nu", 1, 2), (1, 2)])
def test_parameter_pairs(entry):
    with pytest.raises(ValueError, match=r"needs a pair with a string name"):
        _ = domain.rect() < entry


def test_parameter_types():
    with pytest.raises(ValueError, match="value of 'nu' must be a number, list, tuple or array"):
        _ = domain.rect() < ("nu", "one")


# -- the object ----


def test_examples_in_the_class():
    # the class reports another module than the one it is written in, so a search by module does not find them
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    texts = [domain.__doc__, *(method.__doc__ for method in vars(domain).values() if inspect.isroutine(method))]
    for text in texts:
        runner.run(doctest.DocTestParser().get_doctest(text or "", {}, "domain", None, 0))
    results = runner.summarize(verbose=False)
    assert results.attempted > 10
    assert results.failed == 0


def test_pickle():
    d = 2 * domain.rect(mesh_size=0.25, time=(0, 1, 3))
    d.tag("hot", lambda x, y: x > 0.4)
    d.variable("hot", (5, None))
    d.variable("left", normals=True)
    copy = cloudpickle.loads(cloudpickle.dumps(d))
    assert domain.__module__ == "jno.domain"
    assert type(copy) is domain
    assert all(np.array_equal(copy.context[key], d.context[key]) for key in d.context)
    d.variable("interior", (5, None))
    copy.variable("interior", (5, None))
    assert np.array_equal(copy.context["interior"], d.context["interior"])
    assert np.array_equal(copy.quadrature("hot").weights, d.quadrature("hot").weights)


def test_meshes_cannot_be_changed():
    d = domain.rect()
    with pytest.raises(ValueError, match="read-only"):
        d.points[0, 0] = 5.0
    with pytest.raises(ValueError, match="read-only"):
        d.mesh.cells[0, 0] = 5


def test_representation_and_summary(capfd):
    d = domain.rect(mesh_size=0.5, time=(0, 1, 3))
    assert repr(d).startswith("domain(2-D, 9 points, tags=['interior', 'boundary'")
    assert "8 triangle cells" in repr(d.mesh)
    d.variable("k", np.ones((2, 3)))
    assert d.summary() is d
    out = capfd.readouterr()
    text = out.out + out.err
    assert "data k: shape (2, 3)" in text
    assert "left: 3 points" in text
    assert "mean normal [-1.0, 0.0]" in text


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: domain.disk(radius=1e90, mesh_size=0.5),
            r"disk\(\): mesh_size=0.5 on an extent of .* nodes; at most 5e\+07",
        ),
        (lambda: domain.polygon([(0, 0), (1, 0), (0, 1)], mesh_size=1e-9), r"mesh_size=1e-09 .* about 1.2e\+18 nodes"),
        (lambda: domain.rect(mesh_size=1e-90), r"mesh_size=1e-90 on a length of 1 .* at most 5e\+07"),
        (lambda: domain.cube(mesh_size=1e-3), r"1001 x 1001 x 1001 nodes gives a mesh of about 1.0e\+09 nodes"),
        (lambda: domain.poseidon(10**30, 4), r"nx=9+, ny=3 cells .* at most"),
        (lambda: domain.disk(num_points=10**12), r"num_points=1000000000000 gives a mesh of about 1.0e\+12"),
        (lambda: domain.disk(radius=1e-300), r"radius must lie between 1e-100 and 1e\+100; got 1e-300"),
        (lambda: domain([(0, 0), (1, 0), (0, 1)]).build_mesh(1e-300), r"build_mesh: mesh_size=1e-300 .* at most"),
        (
            lambda: domain([(0, 0), (1, 0), (0, 1)]).build_mesh(0.5, sizes={"polygon": 1e-7}),
            r"build_mesh: sizes\['polygon'\]=1e-07 gives a mesh",
        ),
    ],
)
def test_a_mesh_of_too_many_nodes_is_refused_with_the_estimate(make, match):
    with pytest.raises(ValueError, match=match):
        make()


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: domain.line(compute_mesh_connectivity=1), "compute_mesh_connectivity=1: it must be True or False"),
        (lambda: domain.l_shape(separate_boundary="yes"), "separate_boundary='yes'"),
        (lambda: domain.line(algorithm="six"), "algorithm must be one of gmsh's 2-D algorithms .*; got 'six'"),
        (lambda: domain.line((float("nan"), 1.0)), "x_range must be two different finite numbers"),
        (
            lambda: domain.line().variable("left", normals=2),
            r"variable\(normals=2\): normals must be True or False or one",
        ),
        (
            lambda: domain.line().variable("left", split=np.ones(3)),
            r"split=ndarray of shape \(3,\)\): split must be True",
        ),
        (lambda: domain.line().draw_candidates(3), "tag must be a string"),
        (lambda: domain.line().plot(5), r"plot\(save_path=5\): save_path must be the path of a file"),
        (lambda: domain.line().plot_mesh("a.png", figsize=(1e9, 1.0)), "figsize must be two positive finite numbers"),
        (lambda: domain.line().sample([("left", 1)]), "spec must be a dict"),
        (lambda: domain(lambda: None), "takes one argument, the empty gmsh.model"),
    ],
)
def test_arguments_of_another_kind_are_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make()
