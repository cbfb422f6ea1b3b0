"""Evaluating with a core that was read from a file, and evaluating at any points."""

import subprocess
import sys

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno


def mlp(seed=0, width=4):
    return foundax.mlp(1, hidden_dims=width, num_layers=1, key=jax.random.PRNGKey(seed))


def line(**options):
    return jno.domain.line(mesh_size=0.25, **options).variable("interior")


def saved(crux, tmp_path):
    path = tmp_path / "core.jno"
    crux.save(path)
    return jno.core.load(path)


# --- with expressions of the process ----------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["u", ""])
def test_expressions_of_the_process_that_saved(tmp_path, name):
    x, _ = line()
    net = jno.nn(mlp(), name=name).optimizer(optax.sgd(0.1))
    u = net(x)
    crux = jno.core([(u - x).mse])
    crux.solve(2)
    wanted = crux.eval([u, u.d(x), u.grad(net)])
    loaded = saved(crux, tmp_path)
    crux.solve(2)  # the loaded weights stay what they were
    for value, expected in zip(loaded.eval([u, u.d(x), u.grad(net)]), wanted, strict=True):
        np.testing.assert_array_equal(value, expected)
    assert not np.array_equal(crux.eval(u), wanted[0])


def test_models_are_matched_by_name(tmp_path):
    x, _ = line()
    u, v = jno.nn(mlp(0), name="u"), jno.nn(mlp(1), name="v")
    crux = jno.core([(u(x) - v(x)).mse])
    loaded = saved(crux, tmp_path)
    y, _ = line()
    other_v, other_u = jno.nn(mlp(7), name="v"), jno.nn(mlp(8), name="u")  # as another script builds them
    got = loaded.eval([other_u(y), other_v(y).d(y)])
    for value, expected in zip(got, crux.eval([u(x), v(x).d(x)]), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_models_that_cannot_be_matched(tmp_path):
    x, _ = line()
    loaded = saved(jno.core([jno.nn(mlp(), name="u")(x).mse]), tmp_path)
    with pytest.raises(ValueError, match=r"No model for 'w' in this core, which was loaded: it knows \['u'\]"):
        loaded.eval(jno.nn(mlp(), name="w")(x))
    with pytest.raises(ValueError, match=r"No model for 'model_\d+' .* a network without a name cannot be told"):
        loaded.eval(jno.nn(mlp())(x))
    wide = r"'u' of the expression is not the one .*hidden_layers/0/weight: \(8, 1\) here, \(4, 1\) in the file"
    with pytest.raises(ValueError, match=wide):
        loaded.eval(jno.nn(mlp(width=8), name="u")(x))
    with pytest.raises(ValueError, match=r"two models of the expression stand for the model 'u' .*\['u', 'u'\]"):
        loaded.eval(jno.nn(mlp(1), name="u")(x) - jno.nn(mlp(2), name="u")(x))
    p, *_ = jno.domain.rect(mesh_size=0.5).variable("interior")
    with pytest.raises(ValueError, match="on a domain of 2 dimensions, the loaded core on one of 1"):
        loaded.eval(jno.nn(mlp(), name="u")(p))


def test_two_loaded_models_of_one_name(tmp_path):
    x, _ = line()
    crux = jno.core([(jno.nn(mlp(0), name="u")(x) - jno.nn(mlp(1), name="u")(x)).mse])
    with pytest.raises(ValueError, match=r"2 models for 'u' in this core"):
        saved(crux, tmp_path).eval(jno.nn(mlp(3), name="u")(x))


def test_a_core_that_was_built_here_matches_nothing_by_name():
    x, _ = line()
    crux = jno.core([jno.nn(mlp(0), name="u")(x).mse])
    with pytest.raises(ValueError, match="No model for 'u' in this core"):
        crux.eval(jno.nn(mlp(1), name="u")(x))


def test_adapters_do_not_change_what_a_model_is(tmp_path):
    x, _ = line()
    tuned = jno.nn(mlp(), name="u").lora(1, 1.0).optimizer(optax.sgd(0.1))
    crux = jno.core([(tuned(x) - 1.0).mse])
    crux.solve(1)
    loaded = saved(crux, tmp_path)
    np.testing.assert_array_equal(loaded.eval(jno.nn(mlp(5), name="u")(x)), crux.eval(tuned(x)))


# --- from the file alone ----------------------------------------------------------------------------------------
SCRIPT = """
import sys, jno, numpy
loaded = jno.core.load(sys.argv[1])
print(loaded.eval(loaded.expression("u"), domain=numpy.array([[0.3], [7.0]])).tolist())
"""


def test_named_expressions_of_a_file(tmp_path):
    x, _ = line()
    k = jno.np.parameter((), name="k").initialize(3.0)
    u = (k * x).name("u")
    loss, level = (u - x).mse.name("fit"), u.mean.name("level").tracker()
    loaded = saved(jno.core([loss, level]), tmp_path)
    np.testing.assert_allclose(loaded.eval(loaded.expression("u"))[0, :, 0], 3.0 * np.linspace(0, 1, 5), rtol=1e-6)
    np.testing.assert_allclose(loaded.eval(loaded.expression("fit")), [4.0 * (0 + 1 + 4 + 9 + 16) / 80], rtol=1e-6)
    np.testing.assert_allclose(loaded.eval(loaded.expression("level")), [1.5], rtol=1e-6)
    assert float(loaded.eval(loaded.expression("k"))) == 3.0
    with pytest.raises(ValueError, match=r"no expression is named 'w': there are 'k', 'u', 'fit', 'level'"):
        loaded.expression("w")
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path / "core.jno"], capture_output=True, text=True)
    np.testing.assert_allclose(eval(done.stdout)[0], [[0.9], [21.0]], rtol=1e-6)


def test_one_name_for_two_expressions():
    x, _ = line()
    crux = jno.core([(x + 1.0).name("u").mse, (x + 2.0).name("u").mse])
    with pytest.raises(ValueError, match="2 different expressions are named 'u'"):
        crux.expression("u")
    same = jno.core([(x + 1.0).name("u").mse, ((x + 1.0).name("u") * 2.0).mse])
    np.testing.assert_allclose(same.eval(same.expression("u")).mean(), 1.5)


# --- at any points ----------------------------------------------------------------------------------------------
def test_points_in_space():
    x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
    net = jno.nn(foundax.mlp(2, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0)), name="u")
    u = net(x, y)
    crux = jno.core([u.mse])
    points = np.random.default_rng(0).uniform(-1.0, 2.0, (7, 2))
    for given in (points, jnp.asarray(points), 2.0 * points, points[:1], points.tolist()):
        columns = jnp.asarray(given)
        value, slope, product = crux.eval([u, u.d(y), x * y], domain=given)
        expected = jax.vmap(net.module)(columns)
        np.testing.assert_allclose(value[0], expected, rtol=1e-5, atol=1e-6)
        gradient = jax.vmap(jax.grad(lambda p: net.module(p)[0]))(columns)
        np.testing.assert_allclose(slope[0, :, 0], gradient[:, 1], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(product[0, :, 0], columns[:, 0] * columns[:, 1], rtol=1e-6)
    assert crux.eval(u).shape == (1, 9, 1)


def test_points_in_time():
    x, t = line(time=(0.0, 1.0, 3))
    crux = jno.core([x * t])
    points = np.array([[2.0], [3.0]])
    np.testing.assert_allclose(crux.eval(x * t, domain=(points, 5.0)), [[[10.0], [15.0]]])
    got = crux.eval((x**2 * t).d(x), domain=(points, [0.5, 1.5, 2.0, 4.0]), min_consecutive=None)
    np.testing.assert_allclose(got[0, :, :, 0], 2.0 * np.outer([0.5, 1.5, 2.0, 4.0], [2.0, 3.0]))
    np.testing.assert_allclose(crux.eval(x**2, domain=points)[0, :, 0], [4.0, 9.0])
    with pytest.raises(ValueError, match=r"the expressions depend on time: write domain=\(points, times\)"):
        crux.eval(x * t, domain=points)
    with pytest.raises(ValueError, match=r"2 times, and min_consecutive=1 would evaluate the first 1; write"):
        crux.eval(x * t, domain=(points, [0.0, 1.0]))
    with pytest.raises(ValueError, match="do not depend on time; leave the times out"):
        crux.eval(x, domain=(points, 1.0))
    with pytest.raises(ValueError, match=r"times must be a number or an array \(T,\); got \(2, 1\)"):
        crux.eval(x * t, domain=(points, points))


def test_points_and_data_of_the_samples():
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    f = domain.variable("f", np.array([[1.0], [2.0], [3.0]]))
    crux = jno.core([f * x])
    got = crux.eval(f * x, domain=[[2.0], [10.0]])
    np.testing.assert_allclose(got[..., 0], np.outer([1.0, 2.0, 3.0], [2.0, 10.0]))
    table = domain.variable("table", np.ones((3, 5, 1)))
    with pytest.raises(ValueError, match=r"data 'table' of shape \(3, 5, 1\) has an entry for each of the 5 points"):
        jno.core([table * x]).eval(table * x, domain=np.ones((5, 1)))


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.ones(3), r"must be an array \(n, 2\), the coordinates of 'interior'; got shape \(3,\)"),
        (np.ones((3, 3)), r"got shape \(3, 3\)\. Times are given apart"),
        (np.ones((0, 2)), r"got shape \(0, 2\)"),
        (np.array([[1.0, np.nan]]), "the points must be finite; 1 numbers are not"),
        ("interior", r"give a domain, an array \(n, d\) of points, or \(points, times\)"),
        ([[1.0, 2.0], [3.0]], "the points are no array"),
    ],
)
def test_points_that_are_none(points, message):
    x, y, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
    with pytest.raises((ValueError, TypeError), match=message):
        jno.core([x * y]).eval(x * y, domain=points)


def test_expressions_that_need_more_than_points():
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    xb, _, _, nx, _ = domain.variable("boundary", normals=True, split=True)
    p = jno.np.parameter((), name="p")
    crux = jno.core([x * y, xb * nx, p])
    points = np.ones((2, 2))
    for expression, message in (
        ((x * y).integrate(), "it integrates over the mesh"),
        ((x * y).d(x, scheme="finite_difference"), "it is a finite difference on the mesh"),
        (xb * nx, "normals belong to the boundary"),
        (p * 2.0, "these depend on none"),
    ):
        with pytest.raises(ValueError, match=message):
            crux.eval(expression, domain=points)
    with pytest.raises(ValueError, match="these depend on 'interior', 'boundary'"):
        crux.eval([x, xb], domain=points)


def test_a_core_takes_no_points():
    x, _ = line()
    with pytest.raises(TypeError, match=r"core\(domain=ndarray\): a jno.domain is needed"):
        jno.core([x.mse], domain=np.ones((3, 1)))
    with pytest.raises(ValueError, match="these depend on none"):
        jno.core([x.mse]).eval(jno.np.parameter(()).freeze() * 2.0, domain=np.ones((3, 1)))


# --- looking at it ----------------------------------------------------------------------------------------------
def test_domain_data():
    domain = 2 * jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    data = jno.core([x * y]).domain_data
    assert data.dimension == 2
    assert data.context.keys() == domain.context.keys()
    assert all(isinstance(array, jax.Array) for array in data.context.values())
    np.testing.assert_allclose(data.context["interior"], domain.context["interior"])
    with pytest.raises(ValueError, match="no domain_data"):
        _ = jno.core([]).domain_data


def test_printing_to_a_file(tmp_path, capsys):
    x, _ = line()
    crux = jno.core([x.mse.name("fit")])
    for method in ("print_tree", "print_plan"):
        getattr(crux, method)()
        printed = capsys.readouterr().out
        path = tmp_path / "deep" / method
        assert getattr(crux, method)(str(path)) is crux
        getattr(crux, method)(path)
        assert (path.read_text(), capsys.readouterr().out) == (printed, "")
        with (tmp_path / "stream").open("w") as stream:
            getattr(crux, method)(file=stream)
        assert (tmp_path / "stream").read_text() == printed
        with pytest.raises(TypeError, match="file=3: expected a path or a text stream"):
            getattr(crux, method)(3)
