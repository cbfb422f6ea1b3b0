"""The residuals behind constraints, and the choice of some of them."""

import jax
import numpy as np
import pytest

import jno
from jno.compiler import Program
from jno.optimizers import engd
from jno.training._residuals import Residuals


def problem():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    a = jno.np.parameter((), name="a").initialize(2.0)
    residual, other = a * x - 1, a - 5
    constraints = [3 * residual.mse, other.mse / 4, (a * x).mae]
    jno.core(constraints)  # sets the initial values
    program = Program(constraints, domain)
    call = Residuals(program)
    modules = {model.layer_id: model.module for model in program.models}
    return constraints, residual, other, lambda terms: np.asarray(call(modules, program.data, None, terms))


def test_chosen_terms_have_their_weight_in_the_total():
    constraints, residual, other, residuals = problem()
    x = np.linspace(0, 1, 5)
    expected = np.sqrt(3 / 3 / 5) * (2 * x - 1)  # weight, constraints, points
    np.testing.assert_allclose(np.sort(residuals([0])), expected, rtol=1e-6, atol=1e-7)
    for same in ([constraints[0]], [residual], [0, residual]):
        np.testing.assert_array_equal(residuals(same), residuals([0]))
    np.testing.assert_allclose(residuals([other]), [-3 * np.sqrt(1 / 12)], rtol=1e-6)
    np.testing.assert_allclose(residuals([other, 0]), np.concatenate([residuals([0]), residuals([1])]))


def test_terms_that_are_refused():
    constraints, _, _, residuals = problem()
    with pytest.raises(ValueError, match="there is no constraint 3; positions are 0 to 2"):
        residuals([3])
    with pytest.raises(ValueError, match="neither a constraint of this core nor an expression"):
        residuals([constraints[0] + 1])
    with pytest.raises(ValueError, match=r"needs constraints that are mean squares.* constraint 2 is"):
        residuals([2])


def test_in_a_core():
    with jax.enable_x64(True):
        x, _ = jno.domain.line(mesh_size=0.25).variable("interior")
        a = jno.np.parameter((), name="a").initialize(2.0).optimizer(engd([0], line_search=False))
        crux = jno.core([(a - 1).mse, (a * x).mean])
        crux.solve(1)
        # Gram matrix 1/2 of the first, half the gradient of both
        assert float(a.module.value) == pytest.approx(2 - 2 * (0.5 + 0.5 / 4), rel=1e-12)
