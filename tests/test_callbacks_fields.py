"""Residual statistics and input sensitivities, against the same numbers in NumPy."""

import numpy as np
import optax
import pytest
from helpers import coordinates, unit_square

import jno


def square():
    domain = unit_square(0.25)
    x, y, _ = domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.0))
    return domain, x, y, p


# --- residuals --------------------------------------------------------------------------------------------------
def statistics(values):
    size = np.abs(values)
    return size.mean(), size.std(), size.max(), np.percentile(size, 99.0)


def shown(callback, number):
    return [callback.value[name][number] for name in ("means", "stds", "maxes", "p99")]


def test_reductions_and_weights_are_taken_off(tmp_path):
    domain, x, y, p = square()
    residual = p * x - y
    w = jno.fn.adaptive.softadapt([residual.mse, residual.mae])
    constraints = [
        residual.mse,
        3.0 * residual.mae,
        residual.mean / 2.0,
        residual,
        w[0] * residual.mse,
        p * residual.mse,
        jno.fn.mse(p * x, y),
        -1.0 * (2.0 * residual.mse),
    ]
    stats = jno.callbacks.residual_stats(interval=1)
    jno.core([*constraints, residual.mse + residual.mae]).solve(2, callbacks=[stats])
    a, b = coordinates(domain, "interior")
    expected = statistics(2.0 * a - b)
    for number in range(len(constraints)):
        np.testing.assert_allclose(shown(stats, number), expected, rtol=1e-5)
    value = np.mean((2.0 * a - b) ** 2) + np.mean(np.abs(2.0 * a - b))
    np.testing.assert_allclose(shown(stats, len(constraints)), [value, 0.0, value, value], rtol=1e-5, atol=1e-6)
    assert stats.result["p99"].shape == (2, 9)
    np.testing.assert_array_equal(stats.result["indices"], np.arange(9))
    assert stats.plot(tmp_path / "r.png") is stats
    assert (tmp_path / "r.png").stat().st_size > 5000


def test_of_some_constraints():
    domain, x, y, p = square()
    first, second, third = (p * x).mse, (p * y).mse, (p * x * y).mse
    stats = jno.callbacks.residual_stats(constraints=[third, first])
    crux = jno.core([first, second, third])
    crux.solve(1, callbacks=[stats])
    a, b = coordinates(domain, "interior")
    np.testing.assert_array_equal(stats.value["indices"], [2, 0])
    np.testing.assert_allclose(shown(stats, 0), statistics(2.0 * a * b), rtol=1e-5)
    np.testing.assert_allclose(shown(stats, 1), statistics(2.0 * a), rtol=1e-5)
    with pytest.raises(ValueError, match=r"was not found among the constraints of this core.*C0, C1, C2"):
        crux.solve(1, callbacks=[jno.callbacks.residual_stats(constraints=[(p * x).mse])])


# --- inputs -------------------------------------------------------------------------------------------------------
def test_sensitivities_follow_the_weights(tmp_path):
    """``u = p x³ + sin(4 y) t``: means of ``3 p x²``, ``|4 cos(4 y) t|``, ``|sin 4 y|`` over points and times.

    The parameter falls, and the last two change their sign.
    """
    domain = unit_square(0.25, time=(0.0, 1.0, 3))
    x, y, t = domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    u = p * x**3 + jno.np.sin(4.0 * y) * t
    sensitivity = jno.callbacks.input_sensitivity(u, interval=2)
    jno.core([p**2 + 0.0 * u.mean]).solve(3, min_consecutive=None, callbacks=[sensitivity])
    a, b = coordinates(domain, "interior")
    assert sensitivity.inputs == ("x", "y", "t")
    slopes = [3.0 * np.mean(a**2), 0.5 * np.mean(np.abs(4.0 * np.cos(4.0 * b))), np.mean(np.abs(np.sin(4.0 * b)))]
    expected = [[2.0 * 0.8 ** (epoch + 1) * slopes[0], slopes[1], slopes[2]] for epoch in (0, 2)]
    np.testing.assert_allclose(sensitivity.result["values"], expected, rtol=1e-5)
    np.testing.assert_array_equal(sensitivity.result["epochs"], [0, 2])
    assert sensitivity.plot(tmp_path / "s.png") is sensitivity
    assert (tmp_path / "s.png").stat().st_size > 5000


def test_sensitivities_of_a_vector_at_the_boundary():
    """Normals are no inputs; the mean of a vector is over its components as well."""
    domain, _, _, p = square()
    x, y, _ = domain.variable("boundary")
    n = domain.variable("boundary", normals=True)[-2]
    u = jno.np.concat([p * x, 4.0 * y + 0.0 * x]) + 0.0 * n
    sensitivity = jno.callbacks.input_sensitivity(u)
    jno.core([u.mse]).solve(1, callbacks=[sensitivity])
    assert sensitivity.inputs == ("x", "y")
    np.testing.assert_allclose(sensitivity.value["values"], [1.0, 2.0], rtol=1e-6)


def test_no_inputs():
    _, x, y, p = square()
    with pytest.raises(TypeError, match=r"takes an expression, such as net\(x, y\), got Model"):
        jno.callbacks.input_sensitivity(p.model)
    with pytest.raises(ValueError, match="contains no coordinate"):
        jno.callbacks.input_sensitivity(p**2)
    other = jno.np.parameter(()).name("other")
    with pytest.raises(ValueError, match=r"this core does not contain 'other', it knows \['"):
        jno.core([(p * x).mse]).solve(1, callbacks=[jno.callbacks.input_sensitivity(other * y)])
