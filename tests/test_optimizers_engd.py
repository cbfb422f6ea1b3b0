"""Energy natural gradients: exact on linear problems in every form, and in a core on a differential equation."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.optimizers import _engd, engd
from jno.optimizers._alternating_units import AlternatingUnits
from jno.optimizers._normal_matrix import NormalMatrix


def linear(rows, columns, seed=0):
    random = np.random.default_rng(seed)
    return jnp.asarray(random.normal(size=(rows, columns))), jnp.asarray(random.normal(size=rows))


class Squares:
    """The loss of residuals."""

    def __init__(self, *residuals):
        self._terms = residuals

    def residuals(self, parameters, terms=None):
        terms = range(len(self._terms)) if terms is None else terms
        return jnp.concatenate([self._terms[number](parameters) for number in terms])

    def __call__(self, parameters):
        return jnp.sum(self.residuals(parameters) ** 2)


def one_step(optimizer, matrix, right, start):
    @jax.jit
    def step(start):
        loss = Squares(lambda p: matrix @ p["a"] - right)
        updates, state = optimizer.update(jax.grad(loss)(start), optimizer.init(start), start, value_fn=loss, value=0.0)
        return optax.apply_updates(start, updates)["a"], state

    return step(start)


@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (7, 7)])
@pytest.mark.parametrize("form", ["dense", "conjugate gradients"])
def test_one_step_solves_a_linear_problem(shape, form, monkeypatch):
    if form != "dense":
        monkeypatch.setattr(_engd, "_DENSE", 1)
    with jax.enable_x64(True):
        matrix, right = linear(*shape)
        start = jnp.asarray(np.random.default_rng(1).normal(size=shape[1]))
        found, _ = one_step(engd(), matrix, right, {"a": start})
        change = np.linalg.lstsq(matrix, right - matrix @ start, rcond=None)[0]
        np.testing.assert_allclose(found - start, change, rtol=1e-6, atol=1e-8)


# at 1e-25 the gradient, the square of the scale, is zero: only what works with the residual itself has a step
@pytest.mark.parametrize(("scale", "interval"), [(1e-25, 1), (1e15, 1), (1e15, 2)])
def test_no_unit_of_the_loss_underflows_in_single_precision(scale, interval):
    matrix, right = (jnp.asarray(array, jnp.float32) for array in linear(9, 4))
    optimizer = engd(line_search=False, gram_interval=interval)
    step, _ = one_step(optimizer, matrix * scale, right * scale, {"a": jnp.zeros(4, jnp.float32)})
    np.testing.assert_allclose(step, np.linalg.lstsq(matrix, right, rcond=None)[0], rtol=1e-3)


def test_without_line_search_the_step_is_the_whole_direction():
    with jax.enable_x64(True):
        matrix, right = linear(9, 4)
        found, _ = one_step(engd(line_search=False), matrix, right, {"a": jnp.zeros(4)})
        np.testing.assert_allclose(found, np.linalg.lstsq(matrix, right, rcond=None)[0], rtol=1e-6)


def test_the_gram_matrix_is_kept_for_an_interval():
    with jax.enable_x64(True):
        matrix, right = linear(9, 4)
        optimizer, start = engd(gram_interval=3), {"a": jnp.zeros(4)}
        found, state = one_step(optimizer, matrix, right, start)
        np.testing.assert_allclose(found, np.linalg.lstsq(matrix, right, rcond=None)[0], rtol=1e-6)
        calls = []

        other = Squares(lambda p: 2 * (matrix @ p["a"] - right))  # the kept matrix is that of the first problem
        update = jax.jit(lambda state: optimizer.update(start, state, start, value_fn=other)[1])
        for _ in range(3):
            state = update(state)
            calls.append(np.asarray(state.metric.values))
        np.testing.assert_array_equal(calls[0], calls[1])
        np.testing.assert_allclose(calls[2], 2 * calls[1], rtol=1e-9)


def test_the_gram_matrix_of_chosen_terms(monkeypatch):
    with jax.enable_x64(True):
        (matrix, right), (other, shift) = linear(9, 4), linear(3, 4, seed=1)
        loss = Squares(lambda p: matrix @ p - right, lambda p: other @ p - shift)
        start = jnp.ones(4)
        gradient = jax.jit(jax.grad(loss))(start)
        for interval in (1, 2):
            optimizer = engd([0], gram_interval=interval, line_search=False)
            step = jax.jit(lambda p, g, own=optimizer: own.update(g, own.init(p), p, value_fn=loss)[0])
            updates = step(start, gradient)
            np.testing.assert_allclose(updates, -np.linalg.solve(matrix.T @ matrix, gradient / 2), rtol=1e-9)
        monkeypatch.setattr(_engd, "_DENSE", 1)  # by conjugate gradients
        optimizer = engd([0], line_search=False)
        step = jax.jit(lambda p, g: optimizer.update(g, optimizer.init(p), p, value_fn=loss)[0])
        np.testing.assert_allclose(step(start, gradient), -np.linalg.solve(matrix.T @ matrix, gradient / 2), rtol=1e-6)


@pytest.mark.parametrize("shape", [(9, 4), (4, 9)])
def test_a_matrix_that_is_kept_gives_the_step_of_a_new_one(shape):
    with jax.enable_x64(True):
        matrix, right = linear(*shape)
        start = {"a": jnp.ones(shape[1])}
        kept, _ = one_step(engd(gram_interval=2), matrix, right, start)
        new, _ = one_step(engd(), matrix, right, start)
        np.testing.assert_allclose(kept, new, rtol=1e-9)


def test_the_condition_number_is_not_squared():
    # with J' J, whose condition number is 1e20, no digit of the third parameter would be right
    with jax.enable_x64(True):
        matrix = jnp.diag(jnp.array([1.0, 1e-5, 1e-10]))
        found, _ = one_step(engd(rcond=1e-22), matrix, matrix @ jnp.ones(3), {"a": jnp.zeros(3)})
        np.testing.assert_allclose(found, 1.0, rtol=1e-5)


def test_small_eigenvalues_are_cut_off():
    with jax.enable_x64(True):
        matrix = jnp.diag(jnp.array([1.0, 1e-3, 1e-5]))
        found, _ = one_step(engd(rcond=1e-8), matrix, matrix @ jnp.ones(3), {"a": jnp.zeros(3)})
        np.testing.assert_allclose(found, [1.0, 1.0, 0.0], rtol=1e-9)


def test_damped_where_the_direction_does_not_improve():
    """In any units: the damping is measured by the largest eigenvalue, here the square of the scale."""

    def residual(p):  # a barrier on the way of Gauss and Newton, and none for large damping
        return jnp.array([1e-6 * (p[0] - 1.0), p[1] - 1.0, jnp.where(p[0] > 3e-10, 9.0, 0.0)])

    @jax.jit
    def step(scale):
        start, loss, optimizer = jnp.zeros(2), Squares(lambda p: scale * residual(p)), engd()
        return optimizer.update(jax.grad(loss)(start), optimizer.init(start), start, value_fn=loss)[0]

    with jax.enable_x64(True):
        # the smallest damping 0.001 * 4**k whose step stays in front of the barrier is 0.004
        expected = np.array([1e-12, 1.0]) / (np.array([1e-12, 1.0]) + 0.004)
        for scale in (1.0, 3e-4, 700.0):
            np.testing.assert_allclose(step(scale), expected, rtol=1e-9)


@pytest.mark.parametrize("form", ["dense", "conjugate gradients"])
def test_steps_to_losses_that_are_not_numbers_are_passed_over(form, monkeypatch):
    """Newton's step for log p = 0 from 3 ends at 3 - 3 log 3 < 0, half of it in front of the root."""
    if form == "dense":
        damping = 1e-3 * 4**4  # the first one whose acceleration is at most three quarters of its velocity
        velocity = 3 * np.log(3.0) / (1 + damping)
        expected = velocity - velocity**2 / 6 / (1 + damping)
    else:
        monkeypatch.setattr(_engd, "_DENSE", 0)
        expected = 1.5 * np.log(3.0)
    with jax.enable_x64(True):
        start, loss, optimizer = jnp.array([3.0]), Squares(jnp.log), engd()
        step = jax.jit(lambda p: optimizer.update(jax.grad(loss)(p), optimizer.init(p), p, value_fn=loss)[0])
        np.testing.assert_allclose(step(start), -expected, rtol=1e-12)


def descent(loss, start, steps):
    """Losses before the steps of engd, and the damping of each."""
    optimizer = engd()

    def one(carry, _):
        p, state = carry
        updates, following = optimizer.update(jax.grad(loss)(p), state, p, value_fn=loss)
        return (optax.apply_updates(p, updates), following), (loss(p), state.units.damping[0])

    return jax.jit(lambda p: jax.lax.scan(one, (p, optimizer.init(p)), length=steps)[1])(start)


def test_steps_follow_a_curved_valley():
    """Rosenbrock's valley, which bends by the square: steps without the acceleration are at 0.8 after 30 of them."""
    with jax.enable_x64(True):
        loss = Squares(lambda p: jnp.array([100 * (p[1] - p[0] ** 2), 1 - p[0]]))
        losses, _ = descent(loss, jnp.array([-1.2, 1.0]), 30)
        assert np.all(np.diff(losses) <= 0)
        assert losses[-1] < 1e-20


def test_the_damping_is_remembered():
    """It is raised by four where a step fails, and lowered by ten after one that gains most of what was promised."""
    with jax.enable_x64(True):
        loss = Squares(lambda p: jnp.arctan(5 * p))
        losses, damping = descent(loss, jnp.array([2.0]), 6)
        assert losses[-1] < 1e-15
        # seven failures and a gain, a gain, and then whole steps, which leave it as it is
        np.testing.assert_allclose(damping, 1e-3 * np.cumprod([1.0, 4.0**7 / 10, 0.1, 1.0, 1.0, 1.0]))


def test_where_nothing_improves_the_weights_stay():
    with jax.enable_x64(True):
        loss = Squares(lambda p: jnp.where(p == 3.0, 1.0, 2.0) + 0.0 * p)
        start, optimizer = jnp.array([3.0]), engd()
        updates, state = optimizer.update(jnp.array([1.0]), optimizer.init(start), start, value_fn=loss)
        assert updates == 0.0
        assert state.units.damping[0] > 1.0  # the next step goes on from there


def test_directions_of_no_weight_are_left_out():
    with jax.enable_x64(True):
        matrix = jnp.array([[1.0, 0.0], [0.0, 0.0]])
        found, _ = one_step(engd(), matrix, jnp.array([3.0, 5.0]), {"a": jnp.array([0.0, 7.0])})
        np.testing.assert_allclose(found, [3.0, 7.0], rtol=1e-9)


def test_a_differential_equation_to_high_accuracy():
    with jax.enable_x64(True):
        domain = jno.domain.line(mesh_size=0.02)
        x, _ = domain.variable("interior")
        net = jno.nn(foundax.mlp(1, hidden_dims=8, num_layers=1, key=jax.random.key(0))).optimizer(engd())
        u = net(x) * x * (1 - x)
        crux = jno.core([2.0 * (u.d2(x) + np.pi**2 * jno.np.sin(np.pi * x)).mse])
        crux.solve(60)
        error = np.asarray(crux.eval(u)).reshape(-1) - np.sin(np.pi * domain.points[:, 0])
        assert np.abs(error).max() < 1e-5


def test_several_constraints_models_and_frozen_leaves():
    with jax.enable_x64(True):
        domain = jno.domain.line(mesh_size=0.1)
        x, _ = domain.variable("interior")
        a = jno.np.parameter((), name="a").optimizer(engd())
        b = jno.np.parameter((), name="b").initialize(0.5).freeze()
        crux = jno.core([(a * x + b - 3 * x - 0.5).mse, (a - 5).mse / 4])
        crux.solve(1)
        mean = np.mean(domain.points[:, 0] ** 2)
        assert float(a.module.value) == pytest.approx((3 * mean + 5 / 4) / (mean + 1 / 4), rel=1e-9)


def test_constraints_that_are_no_mean_squares():
    x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
    net = jno.nn(eqx.nn.Linear(1, 1, key=jax.random.key(0))).optimizer(engd())
    crux = jno.core([net(x).mse, (net(x) - x).mae])
    with pytest.raises(ValueError, match=r"needs constraints that are mean squares.* constraint 1 is"):
        crux.solve(1)


def test_what_is_refused():
    with pytest.raises(ValueError, match="gram_interval=0"):
        engd(gram_interval=0)
    with pytest.raises(ValueError, match="gram_interval=True"):
        engd(gram_interval=True)
    with pytest.raises(ValueError, match=r"rcond=-1.0\): it must be at least 0 and below 1"):
        engd(rcond=-1.0)
    with pytest.raises(ValueError, match="name at least one constraint"):
        engd([])
    with pytest.raises(TypeError, match="must be a sequence of constraints"):
        engd("residual")
    with pytest.raises(TypeError, match=r"0\.5 is a float; allowed are positions"):
        engd([0.5])
    optimizer = engd()
    with pytest.raises(ValueError, match="needs the parameters and a value_fn with residuals"):
        optimizer.update(jnp.zeros(2), optimizer.init(jnp.zeros(2)), jnp.zeros(2))


@pytest.mark.parametrize("shape", [(12, 5), (5, 12)])
def test_the_matrix_that_is_factorised_gives_the_steps_of_the_singular_values(shape, monkeypatch):
    with jax.enable_x64(True):
        matrix, right = linear(*shape)
        loss, start = Squares(lambda p: jnp.sinh(matrix @ p - right)), jnp.ones(shape[1])

        def two_steps(optimizer):
            def one(carry, _):
                p, state = carry
                updates, state = optimizer.update(jax.grad(loss)(p), state, p, value_fn=loss)
                return (optax.apply_updates(p, updates), state), None

            return jax.jit(lambda p: jax.lax.scan(one, (p, optimizer.init(p)), length=3)[0])(start)

        by_values, state = two_steps(engd())
        monkeypatch.setattr(_engd, "_BY_SINGULAR_VALUES", 1)
        factorised, damping = two_steps(engd())
        np.testing.assert_allclose(factorised, by_values, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(damping.units.damping[0], state.units.damping[0])


@pytest.mark.parametrize("shape", [(30, 13), (13, 30), (9, 3)])
def test_the_gram_matrix_of_blocks(shape):
    """Of the shorter side, relative to the largest entry, of columns in their units."""
    with jax.enable_x64(True):
        matrix = np.asarray(linear(*shape)[0])
        metric = NormalMatrix.of(jnp.asarray(matrix))
        scaled = matrix / np.abs(matrix).max()
        if shape[0] >= shape[1]:
            scaled = scaled / np.sqrt(np.linalg.norm(scaled, axis=0))
        short = scaled if shape[0] >= shape[1] else scaled.T
        np.testing.assert_allclose(metric.matrix, short.T @ short, rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(metric.matrix, metric.matrix.T)


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_damping_is_that_of_marquardt_or_half_way_between_it_and_that_of_levenberg(exponent):
    """Weights inside a network change residuals a hundred times less than those of its output, or more."""
    with jax.enable_x64(True):
        matrix, right = linear(12, 5)
        columns = matrix * jnp.array([1e-2, 0.3, 1.0, 7.0, 50.0])

        def direction(jacobian):
            metric = NormalMatrix.of(jacobian, exponent)
            slope = metric.slope_of(right, lambda: metric.jacobian.T @ right)
            return metric, metric.damped(jnp.asarray(0.1)).direction(slope)

        metric, step = direction(columns)
        units = np.linalg.norm(columns / metric.size, axis=0) ** exponent
        largest = np.linalg.norm(columns / units, 2) ** 2
        np.testing.assert_allclose(metric.largest * metric.size**2, largest, rtol=0.1)
        gram = columns.T @ columns + 0.1 * metric.largest * metric.size**2 * np.diag(units**2)
        np.testing.assert_allclose(step, np.linalg.solve(gram, columns.T @ right), rtol=1e-6)
        _, unchanged = direction(matrix.at[:, 2].set(0.0))
        assert unchanged[2] == 0.0  # a parameter that changes nothing stays
        assert jnp.all(jnp.isfinite(unchanged))


def test_units_take_turns_and_the_better_ones_stay():
    """The loss falls by a factor in units of each kind: first the second ones are better, from the second cycle not."""
    units, loss, used = AlternatingUnits.initial(jnp.dtype(jnp.float32)), jnp.float32(1.0), []
    for count in range(60):
        position = units.position(jnp.int32(count))
        factor = ((0.9, 0.5) if count < 30 else (0.7, 0.8))[int(position)]
        units = units.with_damping(position, units.damping[position] * 2)
        units = units.compared(jnp.int32(count), position, loss, loss * factor)
        loss, used = loss * factor, [*used, int(position)]
    assert used == [0] * 5 + [1] * 25 + [0] * 5 + [1] * 5 + [0] * 20
    np.testing.assert_allclose(units.damping, [1e-3 * 2.0**30, 1e-3 * 2.0**30])  # each has its own
    np.testing.assert_allclose(units.decrease, [-5 * np.log(0.7), -5 * np.log(0.8)], rtol=1e-5)


def test_a_step_that_is_left_out_or_ends_at_zero_counts_without_becoming_infinite():
    first, three = jnp.int32(0), jnp.float32(3.0)
    units = AlternatingUnits.initial(jnp.dtype(jnp.float32)).compared(first, first, three, three)
    assert units.decrease[0] == 0.0
    assert jnp.isfinite(units.compared(jnp.int32(1), first, three, jnp.float32(0.0)).decrease[0])


def test_what_the_damped_step_promises_is_what_the_linear_model_gains():
    with jax.enable_x64(True):
        matrix, right = linear(12, 5)
        metric = NormalMatrix.of(matrix)
        damped, slope = metric.damped(jnp.asarray(0.1)), metric.slope_of(right, lambda: matrix.T @ right)
        gain = right @ right - jnp.sum((right - matrix @ damped.direction(slope)) ** 2)
        np.testing.assert_allclose(damped.promised(slope), gain, rtol=1e-9)


def test_a_cut_off_needs_a_matrix(monkeypatch):
    monkeypatch.setattr(_engd, "_DENSE", 1)
    matrix, right = linear(9, 4)
    with pytest.raises(ValueError, match=r"rcond=0.1\): .* conjugate gradients"):
        one_step(engd(rcond=0.1), matrix, right, {"a": jnp.zeros(4)})
