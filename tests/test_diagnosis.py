"""Problems made to have one illness each: exactly that is found; and healthy ones, of which nothing is said."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.diagnosis._examination import Examination
from jno.diagnosis._passage import passage_of
from jno.diagnosis._spectrum import slow_directions
from jno.utils.callbacks import Callback

PI = np.pi


def network(inputs=1, rate=1e-2, width=8, activation=jnp.tanh, changed=lambda leaf: leaf, steps=None):
    module = foundax.mlp(inputs, hidden_dims=width, num_layers=2, activation=activation, key=jax.random.PRNGKey(0))
    module = jax.tree_util.tree_map(lambda leaf: changed(leaf) if eqx.is_array(leaf) else leaf, module)
    schedule = rate if steps is None else optax.cosine_decay_schedule(rate, steps)
    return jno.nn(module, name="u").optimizer(optax.adam(schedule))


def on_a_line(target, **options):
    """A network that is to have given values on 51 points."""
    x, _ = jno.domain.line(mesh_size=0.02).variable("interior")
    return jno.core([(network(**options)(x) - target(x)).mse.name("data")])


def poisson(walls="boundary", weight=1.0, rate=1e-2, steps=None):
    domain = jno.domain.rect(mesh_size=0.2)
    x, y, _ = domain.variable("interior")
    xw, yw, _ = domain.variable(walls)
    net = network(2, rate=rate, steps=steps)
    source = 2 * PI**2 * jno.np.sin(PI * x) * jno.np.sin(PI * y)
    equation = weight * (net(x, y).laplacian(x, y) + source).mse
    return jno.core([equation.name("pde"), (100.0 * net(xw, yw).mse).name("walls")])


def by_construction(steps=None):
    x, _ = jno.domain.line(mesh_size=0.05).variable("interior")
    u = network(steps=steps)(x) * x * (1 - x)
    return jno.core([(u.d2(x) + PI**2 * jno.np.sin(PI * x)).mse.name("pde")])


def contradiction():
    x, _ = jno.domain.line(mesh_size=0.02).variable("interior")
    net = network()
    return jno.core([(net(x) - x).mse.name("low"), (net(x) - x - 1).mse.name("high")])


def in_micrometres():
    x, _ = jno.domain.line((0.0, 1e-6), mesh_size=2e-8).variable("interior")
    return jno.core([(network()(x) - jno.np.sin(3e6 * x)).mse.name("data")])


def cancellation():
    x, _ = jno.domain.line(mesh_size=0.02).variable("interior")
    shifted = network(steps=200)(x) + 1e7
    return jno.core([(shifted - (1e7 + jno.np.sin(3 * x))).mse.name("data")])


def without_a_beginning():
    x, t = jno.domain.line(mesh_size=0.1, time=(0.0, 1.0, 5)).variable("interior")
    u = network(2)(x, t) * x * (1 - x)
    return jno.core([(u.d(t) - u.d2(x) - 1).mse.name("heat")])


def sudden():
    x, t = jno.domain.line(mesh_size=0.1, time=(0.0, 1.0, 41)).variable("interior")
    target = jno.np.sin(3 * x) * t + 3 * jno.np.exp(-((t / 0.01) ** 2))
    return jno.core([(network(2, steps=200)(x, t) - target).mse.name("data")])


def overshooting():
    """Every step multiplies the error by -1.04."""
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(1.02))
    return jno.core([(p - 1.0).mse.name("level")], domain=jno.domain.line())


def deaf(leaf):
    """Biases at which every unit of relu is off."""
    return leaf - 50.0 if leaf.ndim == 1 and len(leaf) > 1 else leaf


def steep(leaf):
    return 100.0 * leaf if leaf.ndim == 2 else leaf


@dataclasses.dataclass(frozen=True)
class Illness:
    problem: Callable[[], Any]
    epochs: int
    kinds: tuple[str, ...]
    words: str
    """What the statement says."""
    remedy: str


ILLNESSES = {
    "terms that contradict each other": Illness(
        contradiction, 100, ("conflict",), "gradients of low and high", "envelope"
    ),
    "a starved condition": Illness(
        lambda: poisson(weight=1e6, rate=1e-3), 30, ("magnitudes",), "gradient of walls is", "gradient_norm_balanced"
    ),
    "rounding": Illness(cancellation, 200, ("rounding",), "rounding of float32", "jax_enable_x64"),
    "micrometres": Illness(in_micrometres, 30, ("inputs",), "runs from 0 to 1e-06", "scale the coordinates before"),
    "kilokelvins": Illness(
        lambda: on_a_line(lambda x: 1e4 * jno.np.sin(3 * x)), 30, ("outputs",), "are missing", "scale * net"
    ),
    "dead units": Illness(
        lambda: on_a_line(lambda x: jno.np.sin(3 * x), activation=jax.nn.relu, changed=deaf),
        10,
        ("layers",),
        "zero at all points (relu)",
        "initialise the network again",
    ),
    "saturated units": Illness(
        lambda: on_a_line(lambda x: jno.np.sin(3 * x), changed=steep, rate=1e-4),
        10,
        ("layers",),
        "bounds of tanh",
        "initialise the network again",
    ),
    "a side without a condition": Illness(
        lambda: poisson(walls="left", steps=400), 400, ("boundary",), "'bottom', 'right', 'top'", "add a term"
    ),
    "no initial condition": Illness(
        without_a_beginning, 100, ("boundary",), "no term gives values at t = 0", 'variable("initial")'
    ),
    "a large learning rate": Illness(overshooting, 30, ("learning rate",), "too large", "divide"),
    "a small learning rate": Illness(
        lambda: on_a_line(lambda x: jno.np.sin(3 * x), rate=1e-6), 30, ("learning rate",), "too small", "multiply"
    ),
    "a peak": Illness(
        lambda: on_a_line(lambda x: jno.np.sin(3 * x) + jno.np.exp(-(((x - 0.3) / 0.005) ** 2)), steps=400),
        400,
        ("concentration",),
        "x = 0.3",
        "jno.sampler.rad",
    ),
    "a first time that is not met": Illness(sudden, 200, ("concentration",), "t = 0", "train on a short time first"),
    "an oscillation": Illness(
        lambda: on_a_line(lambda x: jno.np.sin(60 * x), rate=1e-3), 200, ("spectrum",), "1/1000", "ssbroyden"
    ),
}


@pytest.mark.parametrize("name", ILLNESSES)
def test_an_illness_is_found_and_nothing_else(name, capsys):
    illness = ILLNESSES[name]
    crux = illness.problem()
    crux.solve(illness.epochs, min_consecutive=None)
    capsys.readouterr()
    diagnosis = crux.diagnose()
    printed = capsys.readouterr().out
    assert diagnosis.kinds == illness.kinds, printed
    assert any(illness.words in finding.statement for finding in diagnosis.findings), printed
    assert any(illness.remedy in finding.remedy for finding in diagnosis.findings), printed
    assert printed.count("\n") <= 60
    assert f"try: {diagnosis.findings[0].remedy[:20]}" in printed


@pytest.mark.parametrize("problem", [lambda: by_construction(600), lambda: poisson(steps=1500)])
def test_of_a_healthy_problem_nothing_is_said(problem, capsys):
    crux = problem()
    crux.solve(1500)
    diagnosis = crux.diagnose()
    assert diagnosis.findings == ()
    assert "nothing found" in capsys.readouterr().out


def test_training_goes_on_as_if_nobody_had_looked():
    def trained(look):
        crux = by_construction()
        crux.solve(5)
        if look:
            crux.diagnose(solved=0.0)
        return crux, crux.solve(5).total_loss_history

    seen, losses = trained(look=True)
    unseen, expected = trained(look=False)
    assert losses.tobytes() == expected.tobytes()
    assert np.array_equal(seen.rng, unseen.rng)
    leaves = zip(*(jax.tree_util.tree_leaves(list(crux.models.values())) for crux in (seen, unseen)), strict=True)
    assert all(np.array_equal(a, b) for a, b in leaves if eqx.is_array(a))


def test_in_the_middle_of_training_the_weights_of_that_epoch_are_looked_at():
    class Look(Callback):
        def on_epoch_end(self, **kw):
            if kw["epoch"] == 3:
                self.diagnosis = crux.diagnose()

    crux, look = by_construction(), Look()
    history = crux.solve(6, callbacks=[look])
    assert look.diagnosis.epoch == 4
    # the losses of an epoch are those before its update
    assert look.diagnosis.loss == pytest.approx(history.total_loss_history[4], rel=1e-4)


def test_a_picture_shows_where_the_residuals_are(tmp_path):
    crux = by_construction()
    crux.solve(2)
    crux.diagnose(tmp_path / "new" / "residuals.png")
    assert (tmp_path / "new" / "residuals.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_has_the_newest_diagnosis(tmp_path):
    crux = by_construction()
    history = crux.solve(2)
    crux.diagnose()
    history.report(tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert "Diagnosis" in page
    assert "after 2 epochs" in page


def test_what_is_not_finite_is_all_that_is_said():
    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    crux = jno.core([(network()(x) + jno.np.log(x - 0.35)).mse.name("logarithm")])
    with pytest.warns(RuntimeWarning, match="training stopped"):
        crux.solve(3)
    (finding,) = crux.diagnose().findings
    assert (finding.kind, finding.subject, finding.number) == ("non-finite", "logarithm", 4.0)


def test_sampled_points_that_nothing_reads_are_named():
    domain = jno.domain.line(mesh_size=0.05)
    x, _ = domain.variable("interior")
    domain.variable("left")
    u = network()(x) * x * (1 - x)
    crux = jno.core([(u.d2(x) + 1).mse])
    crux.solve(1)
    statements = [finding.statement for finding in crux.diagnose(solved=1.0).findings]
    assert statements == ["1 points of 'left' are sampled, and no term reads them"]


@pytest.mark.parametrize("periodic", [False, True])
def test_values_that_hold_by_construction_need_no_terms(periodic):
    domain = jno.domain.rect(mesh_size=0.3)
    x, y, _ = domain.variable("interior")
    if periodic:
        turns = [f(2 * PI * v) for v in (x, y) for f in (jno.np.sin, jno.np.cos)]
        u = network(4)(*turns)
    else:
        u = network(2)(x, y) * x * (1 - x) * y * (1 - y)
    crux = jno.core([(u.laplacian(x, y) + u - 1).mse])
    crux.solve(1)
    assert crux.diagnose(solved=1.0).findings == ()


class Scaled(eqx.Module):
    """A network that divides its inputs, and multiplies its output, by itself."""

    inner: Any
    size: float

    def __call__(self, x):
        return self.inner(x / self.size) / self.size


def test_what_the_first_layer_gets_counts_and_not_what_the_module_gets():
    x, _ = jno.domain.line((0.0, 1e-4), mesh_size=2e-6).variable("interior")
    module = Scaled(foundax.mlp(1, hidden_dims=8, num_layers=2, key=jax.random.PRNGKey(0)), 1e-4)
    net = jno.nn(module, name="u").optimizer(optax.adam(1e-2))
    crux = jno.core([(1e-4 * net(x) - jno.np.sin(1e4 * x)).mse])
    crux.solve(1)
    assert {"inputs", "outputs"}.isdisjoint(crux.diagnose().kinds)


@pytest.mark.parametrize("turned", [False, True])
def test_what_enters_and_leaves_the_layers_of_a_function(turned):
    """Whichever operand the data is, and whatever scales it before the first product and after the last."""
    keys, shapes = jax.random.split(jax.random.PRNGKey(0), 3), [(6, 2), (2, 4), (4, 3)]
    points, *weights = (jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))

    def function(weights, x):
        first, last = weights
        hidden = jnp.tanh((first.T @ (x / 10.0).T).T if turned else (x / 10.0) @ first)
        return 100.0 * (hidden @ last)

    passage = passage_of(function, weights, points)
    hidden = np.tanh(np.asarray(points) / 10.0 @ np.asarray(weights[0]))
    np.testing.assert_allclose(passage.inputs, points / 10.0, rtol=1e-6)
    np.testing.assert_allclose(passage.outputs, hidden @ np.asarray(weights[1]), rtol=1e-5, atol=1e-6)
    assert passage.names == ("tanh",)
    np.testing.assert_allclose(passage.activations[0], hidden, rtol=1e-5)


def test_a_factor_inside_a_residual_is_not_one_of_the_network():
    x, _ = jno.domain.line(mesh_size=0.02).variable("interior")
    crux = jno.core([(1e4 * (network()(x) - jno.np.sin(3 * x))).mse])
    crux.solve(1)
    assert "outputs" not in crux.diagnose().kinds


def test_rows_without_influence_are_seen_in_any_module():
    class Masked(eqx.Module):
        inner: Any
        used: Any = eqx.field(static=True)

        def __call__(self, x):
            hidden = jnp.sin(x @ self.inner)
            return jnp.sum(jnp.where(jnp.arange(hidden.shape[-1]) < self.used, hidden, 0.0), axis=-1, keepdims=True)

    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    weights = jax.random.normal(jax.random.PRNGKey(0), (1, 10))
    crux = jno.core([(jno.nn(Masked(weights, 3), name="u").optimizer(optax.adam(1e-3))(x) - 5.0).mse])
    crux.solve(1)
    (finding,) = crux.diagnose().findings
    assert (finding.kind, finding.number) == ("layers", pytest.approx(0.7))
    assert "u.inner" in finding.statement


def test_jacobian_of_a_linear_problem_has_its_singular_values():
    """Of r = a x + b y - 1 on points the residual that is orthogonal to both columns cannot be lowered."""
    x, y, _ = jno.domain.rect(mesh_size=0.25).variable("interior")
    a, b = (jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(1e-6)) for _ in "ab")
    crux = jno.core([(a * x + 1e-4 * b * y - y).mse])
    crux.solve(1)
    points = np.asarray(crux.domain.context["interior"])[0, 0]
    columns = np.stack([points[:, 0], 1e-4 * points[:, 1]], axis=1)
    residual = columns.sum(axis=1) - points[:, 1]
    along, _ = np.linalg.qr(columns[:, :1])
    expected = 1 - float((along[:, 0] @ residual) ** 2 / (residual @ residual))
    view = crux._solver.view(crux.training_logs)
    findings = slow_directions(Examination(view, 1e-3))
    assert [finding.number for finding in findings] == ([pytest.approx(expected, abs=1e-4)] if expected > 0.5 else [])


def operator():
    """Several samples with data of their own, and weights that follow the losses."""
    domain = 3 * jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior")
    k = domain.variable("k", np.array([[1.0], [2.0], [3.0]]))
    u = network(2)(jno.np.concat([x, k + 0 * x])) * x * (1 - x)
    losses = [(u.d2(x) + k).mse, (u - 0.5 * k * x * (1 - x)).mse]
    weights = jno.fn.adaptive.relobralo(losses)
    return jno.core([weights[0] * losses[0], weights[1] * losses[1]])


def searching():
    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    net = jno.nn(foundax.mlp(1, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0)), name="u")
    return jno.core([(net.optimizer(jno.optimizers.ssbroyden())(x) - jno.np.sin(9 * x)).mse])


def integrals():
    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    u = network()(x) * x * (1 - x)
    return jno.core([(u.d(x) ** 2 / 2 - u).integrate()])


@pytest.mark.parametrize("problem", [operator, searching, integrals])
def test_every_kind_of_problem_can_be_looked_at(problem):
    crux = problem()
    crux.solve(2)
    diagnosis = crux.diagnose(solved=0.0)
    assert np.isfinite(diagnosis.loss)
    assert {"non-finite", "boundary", "rounding", "inputs"}.isdisjoint(diagnosis.kinds)


def test_what_was_changed_after_training_is_not_probed():
    crux = by_construction()
    crux.solve(2)
    crux.diagnose()
    (model,) = crux._models
    model.module = jax.tree_util.tree_map(lambda leaf: 1.001 * leaf if eqx.is_array(leaf) else leaf, model.module)
    assert crux.diagnose().not_examined == ("learning rate: the models were changed after training",)


def test_what_cannot_be_diagnosed_is_refused():
    with pytest.raises(ValueError, match=r"diagnose\(\) needs at least one constraint"):
        jno.core([]).diagnose()
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    crux = jno.core([x.mse])
    with pytest.raises(ValueError, match="solved=-1"):
        crux.diagnose(solved=-1.0)
    with pytest.raises(ValueError, match="nothing to train"):
        crux.diagnose()
