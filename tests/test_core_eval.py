"""core.eval: shapes, weights, other domains, random terms."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno


def line(n=1, mesh_size=0.25, **options):
    domain = jno.domain.line(mesh_size=mesh_size, **options)
    domain = domain if n == 1 else n * domain
    x, t = domain.variable("interior")
    return domain, x, t


def network(seed=0, outputs=1, inputs=1):
    module = foundax.mlp(inputs, output_dim=outputs, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(seed))
    return jno.nn(module)


# --- shapes -----------------------------------------------------------------------------------------------------
def test_shapes_of_a_steady_problem():
    _, x, _ = line()
    net, pair = network(), network(outputs=3)
    u, v = net(x), pair(x)
    crux = jno.core([u.mse, v.mse])
    expressions = [x, u, v, u.mse, u.mean, u.d(x), u.hessian(x), u.grad(net)]
    shapes = [value.shape for value in crux.eval(expressions)]
    assert shapes == [(1, 5, 1), (1, 5, 1), (1, 5, 3), (1,), (1,), (1, 5, 1), (1, 5, 1, 1), (1, 5, 13)]


def test_shapes_over_samples():
    domain, x, _ = line(n=3)
    f = domain.variable("f", np.arange(3.0)[:, None])
    crux = jno.core([f * x])
    product, total, alone = crux.eval([f * x, (f * x).mean, x])
    assert (product.shape, total.shape) == ((3, 5, 1), (3,))
    np.testing.assert_allclose(total, [0.0, 0.5, 1.0], rtol=1e-6)
    assert alone.shape[0] in (1, 3)


@pytest.mark.parametrize(("window", "levels"), [(2, [1.0, 2.0]), (3, [1.0, 2.0, 3.0]), (None, [1.0, 2.0, 3.0])])
def test_windows_start_at_the_first_level(window, levels):
    _, x, t = line(time=(1.0, 3.0, 3))
    crux = jno.core([x + t])
    assert crux.eval(x + t).shape == (1, 5, 1)
    got = crux.eval(x + t, min_consecutive=window)
    assert got.shape == (1, len(levels), 5, 1)
    np.testing.assert_allclose(got[0, :, 0, 0], levels, rtol=1e-6)
    reduced = crux.eval((x + t).mean, min_consecutive=window)
    assert reduced.shape == (1, len(levels))
    np.testing.assert_allclose(reduced[0], np.array(levels) + 0.5, rtol=1e-6)


@pytest.mark.parametrize("window", [0, -1])
def test_bad_window(window):
    _, x, t = line(time=(1.0, 3.0, 3))
    crux = jno.core([x + t])
    with pytest.raises(ValueError, match=f"min_consecutive={window}"):
        crux.eval(x + t, min_consecutive=window)


def test_one_expression_and_lists():
    _, x, _ = line()
    crux = jno.core([x])
    assert crux.eval(x).shape == (1, 5, 1)
    assert crux.eval([x]).shape == (1, 5, 1)
    both = crux.eval([x, 2.0 * x])
    assert isinstance(both, list)
    np.testing.assert_allclose(both[1], 2.0 * both[0])
    assert len(crux.eval((x, x, x))) == 3
    with pytest.raises(ValueError, match="at least one expression"):
        crux.eval([])


def test_a_tracker_is_evaluated_as_its_expression():
    _, x, _ = line()
    crux = jno.core([x.mse, x.mean.tracker()])
    np.testing.assert_allclose(crux.eval(crux.trackers[0]), [0.5], rtol=1e-6)


# --- weights ----------------------------------------------------------------------------------------------------
def test_weights_before_and_after_training():
    domain, x, _ = line()
    net = network().optimizer(optax.adam(1e-2))
    crux = jno.core([(net(x) - 1.0).mse])
    points = domain.context["interior"][0, 0]
    for _ in range(2):
        np.testing.assert_allclose(crux.eval(net(x))[0], net.module(points), rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(crux.eval(net(x)), crux.eval(net(x)))
        crux.solve(3)


def test_an_unknown_model():
    _, x, _ = line()
    known, other = jno.nn(network().module, name="known"), jno.nn(network().module, name="other")
    crux = jno.core([known(x).mse])
    with pytest.raises(ValueError, match=r"No model for 'other' in this core: it knows \['known'\]"):
        crux.eval(other(x) + known(x))
    with pytest.raises(ValueError, match="No model for 'other'"):
        jno.core([], domain=crux.domain).eval(other(x))


def test_a_core_without_constraints():
    _, x, _ = line()
    crux = jno.core([])
    np.testing.assert_allclose(crux.eval((2.0 * x).mean), [1.0], rtol=1e-6)
    assert (crux.n_constraints, crux.models, crux.constraints) == (0, {}, [])
    with pytest.raises(ValueError, match="at least one constraint"):
        crux.solve(1)
    with pytest.raises(ValueError, match="no Variables or TensorTags"):
        crux.eval(jno.np.parameter(()) * 0.0)


@pytest.mark.parametrize("samples", ["auto", "point"])
def test_samples(samples):
    _, x, _ = line()
    np.testing.assert_allclose(jno.core([x]).eval(x.mean, samples=samples), [0.5], rtol=1e-6)


def test_samples_of_no_bayesian_model():
    _, x, _ = line()
    with pytest.raises(ValueError, match="samples='chain'"):
        jno.core([x]).eval(x, samples="chain")
    with pytest.raises(ValueError, match="samples='all': allowed are 'auto', 'chain' and 'point'"):
        jno.core([x]).eval(x, samples="all")


@pytest.mark.parametrize("thing", [None, object()])
def test_no_expression(thing):
    _, x, _ = line()
    with pytest.raises(TypeError, match="entry 1 of the list is no expression"):
        jno.core([x]).eval([x, thing])


def test_a_network_that_was_not_called():
    _, x, _ = line()
    net = jno.nn(network().module, name="net")
    with pytest.raises(TypeError, match="'net'; call it with variables first"):
        jno.core([net(x)]).eval(net)


def test_points_that_training_has_replaced():
    domain = jno.domain.csg([(0, 0), (1, 0), (1, 1), (0, 1)])
    x, _, _ = domain.variable("interior", (6, None), jno.sampler.random(2, 1.0, 0))
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([x.mean + 0.0 * p])
    seen = []
    for _ in range(3):
        np.testing.assert_allclose(crux.eval(x)[0, :, 0], domain.context["interior"][0, 0, :, 0], rtol=1e-6)
        seen.append(float(crux.eval(x.mean)[0]))
        crux.solve(3)
    assert len(set(seen)) == 3


class Dropped(eqx.Module):
    """Points, half of them dropped in training."""

    dropout: eqx.nn.Dropout = eqx.field(default_factory=lambda: eqx.nn.Dropout(0.5))

    def __call__(self, x, key=None):
        return self.dropout(x, key=key)


def test_evaluation_is_inference():
    domain, x, _ = line()
    net = jno.nn(Dropped())
    crux = jno.core([net(x).mse])
    for key in (jax.random.PRNGKey(1), None):
        np.testing.assert_array_equal(crux.eval(net(x), key=key)[0], domain.context["interior"][0, 0])


# --- another domain ---------------------------------------------------------------------------------------------
def sampled(mesh_size):
    return line(mesh_size=mesh_size)[0]


def fresh(mesh_size):
    return jno.domain.line(mesh_size=mesh_size)


@pytest.mark.parametrize("make", [sampled, fresh])
def test_a_denser_mesh(make):
    _, x, _ = line()
    net = network().optimizer(optax.adam(1e-2))
    crux = jno.core([(net(x) - x).mse])
    crux.solve(2)
    fine = make(0.05)
    before = {tag: np.array(array) for tag, array in fine.context.items()}
    got = crux.eval(net(x).d(x) + x, domain=fine)
    assert got.shape == (1, 21, 1)
    points = jnp.linspace(0.0, 1.0, 21)[:, None]
    slopes = jax.jit(jax.vmap(jax.grad(lambda p: net.module(p[None])[0, 0])))(points)
    np.testing.assert_allclose(got[0], slopes + points, rtol=1e-5, atol=1e-6)
    assert before.keys() == fine.context.keys()
    assert all(np.array_equal(before[tag], fine.context[tag]) for tag in before)
    assert crux.eval(net(x)).shape == (1, 5, 1)


@pytest.mark.parametrize(
    "make",
    [
        sampled,
        pytest.param(
            fresh,
        ),
    ],
)
def test_data_is_taken_along(make):
    domain, x, _ = line()
    f = domain.variable("f", np.array([[3.0]]))
    crux = jno.core([f * x])
    fine = make(0.1)
    before = set(fine.context)
    got = crux.eval(f * x, domain=fine)
    np.testing.assert_allclose(got[0, :, 0], 3.0 * np.linspace(0.0, 1.0, 11), rtol=1e-6)
    assert set(fine.context) == before
    assert set(domain.context) == {"interior", "__time__", "f"}


@pytest.mark.parametrize("make", [sampled, fresh])
def test_two_other_domains_do_not_get_mixed_up(make):
    _, x, _ = line()
    crux = jno.core([x])
    sizes = [0.1, 0.5, 0.1, 0.2]
    shapes = [crux.eval(x, domain=make(h)).shape[1] for h in sizes]
    assert shapes == [11, 3, 11, 6]


def test_variables_of_another_domain_are_not_read_at_points_of_this_one():
    """Both have an `interior`; which points are meant has to be said."""
    _, x, _ = line()
    fine = sampled(0.1)
    (z, _) = fine.variable("interior")
    crux = jno.core([x.mse])
    with pytest.raises(ValueError, match=r"eval\(\): 'interior' belongs to .*domain=other.*domain=core\.domain"):
        crux.eval(z**2)
    with pytest.raises(ValueError, match="'f' belongs to"):
        crux.eval(fine.variable("f", np.array([[3.0]])) * x)
    assert crux.eval(z**2, domain=fine).shape[1] == len(fine.points)
    np.testing.assert_array_equal(crux.eval(z**2, domain=crux.domain), crux.eval(x**2))
    with pytest.raises(ValueError, match="'interior' belongs to"):
        crux.eval(z**2)


def test_variables_that_a_core_has_moved_to_its_domain_stay_there():
    _, x, _ = line()
    fine = sampled(0.1)
    crux = jno.core([x.mse], domain=fine)
    np.testing.assert_allclose(crux.eval(2 * x)[0], 2 * fine.context["interior"][0, 0])


# --- random terms -----------------------------------------------------------------------------------------------
def test_noise_needs_a_key():
    _, x, _ = line()
    noisy = x + jno.noise.gaussian(0.5)
    crux = jno.core([noisy])
    np.testing.assert_array_equal(crux.eval(noisy), crux.eval(x))
    first = crux.eval(noisy, key=jax.random.PRNGKey(1))
    np.testing.assert_array_equal(first, crux.eval(noisy, key=jax.random.PRNGKey(1)))
    assert (first != crux.eval(noisy, key=jax.random.PRNGKey(2))).all()
    assert len(set((first - crux.eval(x)).ravel().tolist())) == 5


def test_a_key_makes_the_window_random():
    _, x, t = line(time=(1.0, 3.0, 3))
    crux = jno.core([x + t])
    starts = {round(float(crux.eval((t + 0.0 * x).mean, key=jax.random.PRNGKey(k))[0]), 4) for k in range(20)}
    assert starts == {1.0, 2.0, 3.0}


def test_eval_does_not_move_the_training():
    _, x, _ = line()
    net = network().optimizer(optax.sgd(0.1))
    crux = jno.core([(net(x) + jno.noise.gaussian()).mse])
    before = np.asarray(crux.rng)
    crux.eval(net(x) + jno.noise.gaussian(), key=jax.random.PRNGKey(0))
    np.testing.assert_array_equal(crux.rng, before)
    assert crux.training_logs == []
