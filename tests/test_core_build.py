"""Building a core: what is accepted, what is refused, and looking at it."""

from typing import Any

import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import pytest

import jno


def line(**options):
    domain = jno.domain.line(mesh_size=0.25, **options)
    x, t = domain.variable("interior")
    return domain, x, t


def network(name=""):
    return jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0)), name=name)


# --- accepted ---------------------------------------------------------------------------------------------------
def test_attributes():
    domain, x, _ = line()
    net = network()
    loss, tracker = net(x).mse, net(x).mean.tracker()
    crux = jno.core([tracker, loss])
    assert crux.domain is domain
    assert (crux.constraints, crux.trackers, crux.all_ops) == ([loss], [tracker], [tracker, loss])
    assert crux.n_constraints == 1
    assert crux.models == {net.layer_id: net.module}
    assert crux.training_logs == []
    assert crux.seed == 42


def test_repr_names_constraints_models_and_domain():
    domain, x = line()[:2]
    net = network("u")
    crux = jno.core([net(x).mse.name("energy"), (net(x) - x).mse])
    assert repr(crux) == f"core(constraints=['energy', 'C1'], models=[{net!r}], domain={domain!r})"


def test_an_explicit_domain():
    domain, _, _ = line()
    p = jno.np.parameter(()).initialize(3.0)
    crux = jno.core([(p - 1.0).mse], domain=domain)
    assert crux.domain is domain
    assert float(crux.eval((p - 1.0).mse)) == 4.0


def test_the_domain_is_found_through_data():
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    f = domain.variable("f", np.array([[2.0]]))
    assert jno.core([(f * jno.np.parameter(())).mse]).domain is domain


def test_no_device_mesh():
    _, x, _ = line()
    assert jno.core([x], mesh=None).eval(x).shape == (1, 5, 1)
    crux = jno.core([x], mesh=(1, 1))
    assert crux.compile() is crux
    assert crux.compile(mesh=None) is crux


def test_compile_keeps_weights_and_continues_from_them():
    _, x, _ = line()
    net = network().optimizer(optax.sgd(0.1))
    crux = jno.core([(net(x) - 1.0).mse])
    crux.solve(2)
    crux.compile()
    losses = crux.solve(1).total_loss_history
    assert losses[2] < losses[1] < losses[0]


def test_two_networks_of_one_initializer_differ():
    _, x, _ = line()
    first, second = (network().initialize(jax.nn.initializers.normal(0.5)) for _ in range(2))
    jno.core([first(x) - second(x)])
    pairs = zip(*(jax.tree_util.tree_leaves(eqx.filter(n.module, eqx.is_array)) for n in (first, second)), strict=True)
    assert not any(np.array_equal(a, b) for a, b in pairs)


# --- refused ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("make", [lambda x: x, lambda x: {"pde": x}, lambda x: {x}], ids=["one", "dict", "set"])
def test_no_list(make):
    _, x, _ = line()
    with pytest.raises(TypeError, match=r"takes a list of expressions, got .*; write core\(\[loss\]\)|list"):
        jno.core(make(x.mse))


def test_a_network_instead_of_an_expression():
    _, x, _ = line()
    with pytest.raises(TypeError, match="entry 1 is the network 'net'; call it with variables first"):
        jno.core([x, network("net")])


@pytest.mark.parametrize("thing", ["x", None, print], ids=["str", "None", "function"])
def test_something_else(thing):
    _, x, _ = line()
    with pytest.raises(TypeError, match="entry 1 of the list is no expression"):
        jno.core([x, thing])


def test_an_expression_alone_is_no_list():
    _, x, _ = line()
    with pytest.raises(TypeError, match="list"):
        jno.core(x)


def test_two_point_sets_in_one_sum():
    domain, x, _ = line()
    some, _ = domain.variable("interior", (3, None))
    with pytest.raises(ValueError, match=r"different point sets, with \[3, 5\] points"):
        jno.core([(x - some).mse])


def test_two_domains():
    _, x, _ = line()
    _, y, _ = line()
    with pytest.raises(ValueError, match="2 distinct domains in one problem"):
        jno.core([x.mse, y.mse])
    with pytest.raises(ValueError, match="2 distinct domains"):
        jno.core([(x - y).mse])


def test_no_domain():
    with pytest.raises(ValueError, match=r"no Variables or TensorTags; pass domain= explicitly"):
        jno.core([jno.np.parameter(()).mse])


def test_a_time_variable_without_time():
    _, x, t = line()
    with pytest.raises(ValueError, match="temporal Variable but the domain has no time axis"):
        jno.core([(x + t).mse])
    with pytest.raises(ValueError, match="temporal Variable"):
        jno.core([x.mse, t.mean.tracker()])
    with pytest.raises(ValueError, match="temporal Variable"):
        jno.core([x.mse]).eval(x + t)


def test_an_unknown_tag():
    domain, x, _ = line()
    with pytest.raises(ValueError, match="nowhere"):
        domain.variable("nowhere")
    other = jno.domain.line()
    with pytest.raises(ValueError, match="tag 'interior' is not in the domain's context"):
        jno.core([x.mse], domain=other)


def test_shapes_that_do_not_fit_are_found_when_built():
    domain, x, _ = line()
    two = domain.variable("two", np.ones((1, 1, 3, 1)))
    with pytest.raises(ValueError, match="interior"):
        jno.core([(x - two).mse])


@pytest.mark.parametrize("mesh", [(2, 1), (1, 2), (2, 2)])
def test_a_mesh_takes_all_devices(mesh):
    _, x, _ = line()
    product = mesh[0] * mesh[1]
    message = rf"mesh=\({mesh[0]}, {mesh[1]}\) asks for {product} devices, JAX has {len(jax.devices())}"
    with pytest.raises(ValueError, match=message):
        jno.core([x], mesh=mesh)
    with pytest.raises(ValueError, match=message):
        jno.core([x]).compile(mesh)


@pytest.mark.parametrize("mesh", [(1,), (0, 1), (1, 1, 1)])
def test_a_mesh_has_two_axes(mesh):
    _, x, _ = line()
    with pytest.raises(ValueError, match="expected \\(batch, model\\), two integers of at least 1"):
        jno.core([x], mesh=mesh)


def test_the_seed_is_no_argument():
    _, x, _ = line()
    options: dict[str, Any] = {"rng_seed": 1}
    with pytest.raises(TypeError, match="rng_seed"):
        jno.core([x], **options)


# --- looking ----------------------------------------------------------------------------------------------------
def test_print_shapes(capsys):
    _, x, _ = line()
    net = network("net")
    crux = jno.core([(net(x) - x).mse.name("fit"), net(x).tracker()])
    assert crux.print_shapes() is crux
    printed = capsys.readouterr().out
    for text in ("fit:", "T0:", "net", "(5, 1)"):
        assert text in printed


def test_print_tree(capsys, tmp_path):
    _, x, _ = line()
    crux = jno.core([(network("net")(x) - x).mse, x.mean.name("centre").tracker()])
    assert crux.print_tree() is crux
    printed = capsys.readouterr().out
    assert "C0:" in printed
    assert "centre:" in printed
    with (tmp_path / "tree.txt").open("w") as file:
        crux.print_tree(file)
    assert (tmp_path / "tree.txt").read_text() == printed
