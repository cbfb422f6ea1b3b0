"""Problems without a solution: a named error for whoever asks for it, a failed trial for an optimizer."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from weak_forms import double_precision  # noqa: F401

import jno
from jno.weak import SingularSystemError

REACHED = 0.1
"""The conductivity that is looked for."""


class Rod:
    """u'' = -2 with a conductivity to be found: without one, every matrix is zero."""

    def __init__(self, optimizer, law, start=1.0, time=None):
        self.domain = jno.domain.line(mesh_size=0.25, time=time)
        x = self.domain.variable("interior")[0]
        b = self.domain.variable("boundary")[0]
        u, v = self.domain.fem_symbols()
        ui, vi = u(*self.domain.variable("interior")), v(x)
        self.k = jno.np.parameter((1,), name="k").initialize(start).optimizer(optimizer)
        rate = 0.0 if time is None else ui.t * vi
        self.problem = jno.fem([rate + law(self.k) * ui.x * vi.x - 2 * vi, u(b) - 0.0])
        nodes = self.problem.points[:, 0]
        self.exact = nodes * (1 - nodes)

    @property
    def value(self):
        """The conductivity as it is."""
        return float(np.asarray(self.k.module.value)[0])


LAWS = {
    "a matrix of zeros": (lambda k: jno.np.maximum(k, 0.0), SingularSystemError, r"the system is singular"),
    "no number": (jno.np.log1p, ValueError, r"the matrix has entries that are not finite"),
}


def test_trial_steps_of_engd_without_a_solution_are_failed_trials():
    rod = Rod(jno.optimizers.engd(), lambda k: jno.np.maximum(k, 0.0))
    trials = []

    def seen(values):
        trials.append(np.isfinite(values).all())
        return values

    solve = rod.problem._direct.solve_on_host
    rod.problem._direct.solve_on_host = lambda *arrays, **options: seen(solve(*arrays, **options))
    # the first step of Gauss and Newton goes from 1 to -8
    crux = jno.core([(rod.problem.solve() - rod.exact / REACHED).mse])
    history = crux.solve(20)
    assert rod.problem._direct.error is not None
    assert all(trials)
    assert np.all(np.isfinite(history.total_loss_history))
    assert rod.value == pytest.approx(REACHED, rel=1e-6)


@pytest.mark.parametrize("name", LAWS)
def test_accepted_weights_without_a_solution_end_training_with_the_named_error(name):
    law, kind, text = LAWS[name]
    rod = Rod(optax.sgd(1e3), law)
    crux = jno.core([(rod.problem.solve() - rod.exact / REACHED).mse])
    with pytest.raises(kind, match=text):
        crux.solve(5)
    # the model has the last weights with a finite loss
    assert rod.value == pytest.approx(1.0)
    assert np.all(np.isfinite(crux.eval(rod.problem.solve())))


@pytest.mark.parametrize(
    ("name", "time"), [("a matrix of zeros", None), ("no number", None), ("no number", (0.0, 1.0, 3))]
)
def test_values_of_problems_without_a_solution_raise_the_named_error(name, time):
    law, kind, text = LAWS[name]
    rod = Rod(optax.sgd(1e-3), law, start=-2.0, time=time)
    solution = rod.problem.solve()
    crux = jno.core([solution.mse])
    for call in (lambda: crux.eval(solution), lambda: crux.solve(2)):
        with pytest.raises(kind, match=text):
            call()
    rod.k.freeze()
    with pytest.raises(kind, match=text):
        np.asarray(rod.problem.solve() if time is None else rod.problem.solve().eval())


def test_newtons_method_that_fails_in_training_says_so():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    b, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    k = jno.np.parameter((1,), name="k").initialize(1.0).optimizer(optax.sgd(1e4))
    # Bratu's equation has a solution up to k = 3.51
    problem = jno.fem([u(x).x * v(x).x - k * jno.np.exp(u(x)) * v(x), u(b) - 0.0])
    crux = jno.core([-1.0 * problem.solve().sum])
    with pytest.raises(ArithmeticError, match=r"did not reach its tolerance within 100 steps .* last residuals were"):
        crux.solve(5)
    assert np.asarray(k.module.value)[0] == pytest.approx(1.0)


def test_the_right_one_of_several_samples_is_named():
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    b, _ = domain.variable("boundary")
    a = domain.variable("a", np.array([[1.0], [2.0], [0.0]]))
    u, v = domain.fem_symbols()
    problem = jno.fem([a * u(x).x * v(x).x - 2 * v(x), u(b) - 0.0])
    with pytest.raises(SingularSystemError, match="the system is singular"):
        problem.solve().eval()


def test_losses_that_are_not_finite_for_other_reasons_are_reported_as_before():
    rod = Rod(optax.sgd(1e3), lambda k: 1.0 + 0.0 * k)
    crux = jno.core([(jno.np.log(rod.k) * rod.problem.solve()).sum])
    with pytest.warns(RuntimeWarning, match=r"non-finite loss"):
        crux.solve(5)
    assert jnp.isfinite(rod.value)
