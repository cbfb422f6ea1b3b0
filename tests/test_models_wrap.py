"""jno.nn / jno.nn.wrap: which modules are taken, how they are called, what a model is."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno

KEY = jax.random.PRNGKey(7)


class Quadratic(eqx.Module):
    """``a x² + b`` on whole arrays, with leaves of known names."""

    a: jax.Array
    b: jax.Array
    degree: int = eqx.field(static=True, default=2)

    def __call__(self, x):
        return self.a * x**self.degree + self.b


class Sum(eqx.Module):
    """Two separate inputs and no parameters."""

    def __call__(self, x, y):
        return x + 10.0 * y


def quadratic():
    return Quadratic(jnp.array(3.0), jnp.array(0.5))


def line():
    domain = jno.domain.line(mesh_size=0.25)
    x, t = domain.variable("interior")
    return domain, x, t


def points_of(domain):
    return jnp.asarray(domain.context["interior"][0, 0])


def value(expression, constraint=None):
    return np.asarray(jno.core([expression if constraint is None else constraint]).eval(expression))


# --- what is wrapped ------------------------------------------------------------------------------------------
def test_nn_is_short_for_wrap_and_keeps_the_module():
    module = quadratic()
    for model in (jno.nn(module, name="q"), jno.nn.wrap(module, name="q")):
        assert type(model) is jno.Model
        assert model.module is module
        assert model.params is module
        assert (model.name, model.model_key) == ("q", "q")


def test_ids_are_unique_and_name_the_model():
    first, second = jno.nn(quadratic()), jno.nn(quadratic())
    assert first.layer_id != second.layer_id
    assert first.name == ""
    assert first.model_key == f"model_{first.layer_id}"
    assert repr(first) == f"Model(model_{first.layer_id}: Quadratic)"


def test_whole_array_module():
    domain, x, _ = line()
    got = value(jno.nn(quadratic())(x))
    assert got.shape == (1, 5, 1)
    np.testing.assert_allclose(got[0], 3.0 * points_of(domain) ** 2 + 0.5, rtol=1e-6)


def test_module_for_single_points_is_mapped_and_says_so_once(capsys):
    domain, x, _ = line()
    mlp = eqx.nn.MLP(1, 2, 4, 1, key=KEY)
    net = jno.nn(mlp, name="pointwise")
    crux = jno.core([net(x)])
    got = crux.eval(net(x))
    crux.eval(2.0 * net(x))
    np.testing.assert_allclose(got[0], jax.vmap(mlp)(points_of(domain)), rtol=1e-6, atol=1e-7)
    assert capsys.readouterr().out.count("pointwise takes single points") == 1


@pytest.mark.parametrize("error", [RuntimeError("the weights are missing"), AssertionError("width must be even")])
def test_module_that_fails_for_its_own_reason_says_why(error):
    """Mapped over the points it would run, and nobody would learn that it is broken."""

    class Broken(eqx.Module):
        def __call__(self, x):
            if x.ndim == 2:
                raise error
            return x

    _, x, _ = line()
    with pytest.raises(type(error), match=str(error)):
        jno.core([jno.nn(Broken())(x)])


def test_module_that_names_its_axes_for_single_points_is_mapped():
    einops = pytest.importorskip("einops")

    class Doubled(eqx.Module):
        def __call__(self, x):
            return einops.repeat(x, "width -> (two width)", two=2)

    domain, x, _ = line()
    np.testing.assert_allclose(value(jno.nn(Doubled())(x))[0], np.repeat(points_of(domain), 2, axis=1), rtol=1e-6)


def test_arguments_are_passed_separately():
    domain, x, _ = line()
    got = value(jno.nn(Sum())(x, 2.0 * x))
    np.testing.assert_allclose(got[0], 21.0 * points_of(domain), rtol=1e-6)


def test_time_argument_has_one_row_per_point():
    class Shapes(eqx.Module):
        def __call__(self, x, t):
            assert x.shape == t.shape
            return x + 10.0 * t

    domain = jno.domain.line(mesh_size=0.25, time=(1.0, 3.0, 3))
    x, t = domain.variable("interior")
    net = jno.nn(Shapes())
    got = np.asarray(jno.core([net(x, t)]).eval(net(x, t), min_consecutive=None))
    points = np.asarray(domain.context["interior"])[0, 0]
    np.testing.assert_allclose(got[0], [points + 10.0, points + 20.0, points + 30.0], rtol=1e-6)


def test_foundax_mlp():
    domain, x, _ = line()
    mlp = foundax.mlp(2, output_dim=3, hidden_dims=4, num_layers=1, key=KEY)
    net = jno.nn(mlp)
    crux = jno.core([net(x, x**2)])
    got = crux.eval(net(x, x**2))
    assert got.shape == (1, 5, 3)
    points = points_of(domain)
    np.testing.assert_allclose(got[0], mlp(points, points**2), rtol=1e-6, atol=1e-7)


def test_foundax_deeponet_over_samples():
    module = foundax.deeponet(
        n_sensors=3, coord_dim=1, basis_functions=2, hidden_dim=4, n_layers=1, key=jax.random.PRNGKey(3)
    )
    domain = 2 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    sensors = np.arange(6.0).reshape(2, 3)
    f = domain.variable("f", sensors)
    net = jno.nn(module)
    got = jno.core([net(f, x)]).eval(net(f, x))
    assert got.shape == (2, 5, 1)
    for row in range(2):
        wanted = module(jnp.asarray(sensors[row], dtype=jnp.float32), points_of(domain))
        np.testing.assert_allclose(got[row, :, 0], wanted, rtol=1e-5, atol=1e-6)


def test_flax_linen_is_initialised_by_the_first_core():
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            hidden = linen.tanh(linen.Dense(4)(x))
            return linen.Dense(1)(hidden)

    domain, x, _ = line()
    net = jno.nn(Net(), name="linen")
    crux = jno.core([(net(x) - x).mse])
    variables = net.module.variables
    assert variables["params"]["Dense_0"]["kernel"].shape == (1, 4)
    wanted = np.asarray(Net().apply(variables, points_of(domain)))
    np.testing.assert_allclose(crux.eval(net(x))[0], wanted, rtol=1e-6, atol=1e-7)
    net.optimizer(optax.sgd(0.1))
    history = crux.solve(3)
    assert history.total_loss_history[2] < history.total_loss_history[0]
    second = jno.core([(net(x) - 2.0 * x).mse])
    trained = net.module.variables["params"]["Dense_0"]["kernel"]
    assert not np.array_equal(trained, variables["params"]["Dense_0"]["kernel"])
    np.testing.assert_array_equal(second.models[net.layer_id].variables["params"]["Dense_0"]["kernel"], trained)


def test_flax_linen_with_two_arguments_learns_both_widths():
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x, y):
            return linen.Dense(1)(jnp.concatenate([x, y], axis=-1))

    _, x, _ = line()
    net = jno.nn.wrap(Net())
    jno.core([net(jno.np.concat([x, x]), x).mse])
    assert net.module.variables["params"]["Dense_0"]["kernel"].shape == (3, 1)


def test_flax_linen_weights_follow_the_seed(monkeypatch):
    from flax import linen

    def kernel(seed):
        monkeypatch.setenv("JNO_SEED", str(seed))
        _, x, _ = line()
        net = jno.nn(linen.Dense(2))
        jno.core([net(x).mse])
        return np.asarray(net.module.variables["params"]["kernel"])

    assert np.array_equal(kernel(1), kernel(1))
    assert not np.array_equal(kernel(1), kernel(2))


def test_flax_nnx():
    from flax import nnx

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.inner = nnx.Linear(1, 3, rngs=rngs)
            self.outer = nnx.Linear(3, 1, rngs=rngs)

        def __call__(self, x):
            return self.outer(jnp.tanh(self.inner(x)))

    domain, x, _ = line()
    module = Net(nnx.Rngs(0))
    net = jno.nn(module).optimizer(optax.sgd(0.1))
    crux = jno.core([(net(x) - 1.0).mse])
    np.testing.assert_allclose(crux.eval(net(x))[0], module(points_of(domain)), rtol=1e-6, atol=1e-7)
    history = crux.solve(3)
    assert history.total_loss_history[2] < history.total_loss_history[0]
    assert history.training_logs[0]["trainable_params"] == 10


def test_dropout_acts_in_training_and_not_in_eval():
    domain, x, _ = line()
    mlp = foundax.mlp(1, hidden_dims=32, num_layers=1, dropout_rate=0.5, key=KEY)
    net = jno.nn(mlp).optimizer(optax.sgd(0.0))
    crux = jno.core([net(x).mse])
    still = float(crux.eval(net(x).mse)[0])
    np.testing.assert_allclose(crux.eval(net(x))[0], eqx.nn.inference_mode(mlp)(points_of(domain)), rtol=1e-5)
    losses = crux.solve(4).total_loss_history
    assert len(set(losses.tolist())) == 4
    assert float(crux.eval(net(x).mse)[0]) == still


# --- what is refused ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("thing", [lambda x: x, 3.0, None, "mlp", np.zeros(3), [1]])
def test_no_module(thing):
    with pytest.raises(TypeError, match="takes an Equinox, Flax Linen or Flax NNX module, got"):
        jno.nn(thing)


def test_class_instead_of_instance():
    with pytest.raises(TypeError, match="got the class Quadratic; construct it first"):
        jno.nn(Quadratic)


def test_wrapped_twice():
    with pytest.raises(TypeError, match="already wrapped"):
        jno.nn(jno.nn(quadratic()))


def test_module_without_call():
    class Data(eqx.Module):
        a: float = 1.0

    with pytest.raises(TypeError, match="Data has no __call__"):
        jno.nn(Data())


def test_space_with_an_instance():
    with pytest.raises(ValueError, match="needs a module class, got an instance of Quadratic"):
        jno.nn(quadratic(), space={"width": [1, 2]})


def test_wrong_input_width_names_model_and_shape():
    _, x, _ = line()
    net = jno.nn(eqx.nn.MLP(3, 1, 4, 1, key=KEY), name="wide")
    with pytest.raises(ValueError, match=r"wide cannot be applied to arguments of shape \(5, 1\)"):
        jno.core([net(x).mse])


def test_wrong_number_of_arguments():
    _, x, _ = line()
    net = jno.nn(Sum(), name="sum")
    with pytest.raises(ValueError, match="sum cannot be applied"):
        jno.core([net(x).mse])


def test_module_returning_a_tuple():
    class Pair(eqx.Module):
        def __call__(self, x):
            return x, x

    _, x, _ = line()
    with pytest.raises(TypeError, match="pair returned tuple; a network must return one array"):
        jno.core([jno.nn(Pair(), name="pair")(x).mse])


def test_argument_that_is_no_expression():
    with pytest.raises(TypeError, match="str"):
        jno.nn(quadratic())("x")


def test_a_model_cannot_be_iterated():
    with pytest.raises(TypeError, match="is a network, not a sequence"):
        list(jno.nn(quadratic()))


def test_summary_prints_every_leaf_and_leaves_no_file(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = foundax.mlp(1, hidden_dims=4, num_layers=1, key=KEY)
    net = jno.nn(module, name="net").optimizer(optax.sgd(0.1))
    mask = eqx.tree_at(lambda m: m.output_layer.bias, jax.tree_util.tree_map(lambda _: False, module), True)
    net.mask(mask).freeze()
    assert net.summary() is net
    printed = capsys.readouterr().out
    for text in ("hidden_layers/0/weight", "output_layer/bias", "(4, 1)", "float32", "net"):
        assert text in printed
    assert "trained 12  adapter 0  frozen 1  total 13" in printed
    assert list(tmp_path.iterdir()) == []
