"""Constraints that are arrays over points: a warning where their mean has no lower bound."""

import numpy as np
import optax
import pytest

import jno


def points():
    domain = jno.domain.line(mesh_size=0.25)
    return domain, domain.variable("interior")[0]


def said(capsys, *constraints, domain=None):
    """What is printed when a problem of these constraints is built, by a logger that has said nothing yet."""
    jno.core(list(constraints), domain=domain)
    return [line for line in capsys.readouterr().out.splitlines() if "is no loss but an array" in line]


@pytest.fixture(autouse=True)
def _nothing_said():
    jno.core([]).log._said.clear()


def test_a_forgotten_reduction_is_named_once(capsys):
    _, x = points()
    loss, residual = (x - 0.5).mse, (x - 0.5).tracker()
    wrong = x - 2.0
    wrong.metadata.label = "pde"
    (line,) = said(capsys, loss, residual, wrong)
    assert "constraint pde is no loss but an array of shape (5, 1) that can be negative" in line
    assert ".mse" in line
    assert said(capsys, loss, residual, wrong) == []
    (line,) = said(capsys, loss, x - 1.0)
    assert "constraint C1 " in line


def test_what_it_warns_of():
    """The mean of such an array falls as long as one trains."""
    _, x = points()
    a = jno.np.parameter(()).optimizer(optax.sgd(1.0))
    history = jno.core([a * (x + 1.0)]).solve(100)
    assert history.training_logs[-1]["losses"][-1].item() == pytest.approx(-99 * 1.5**2, rel=1e-4)


SIGNED = {
    "network": lambda x, y, a: a * x,
    "difference": lambda x, y, a: x**2 - y**2,
    "cube": lambda x, y, a: (x - y) ** 3,
    "negated": lambda x, y, a: -abs(x - y),
    "weighted": lambda x, y, a: a * (x - y) ** 2,
    "logarithm": lambda x, y, a: jno.np.log(abs(x) + 1e-3),
    "branch": lambda x, y, a: jno.np.where(x < 0.5, x - y, 0.0),
    "data": lambda x, y, a: y * x,
    "own": lambda x, y, a: jno.fn(lambda array: array - 1, [x]),
}
UNSIGNED = {
    "scalar": lambda x, y, a: (x - 2).mean,
    "number": lambda x, y, a: a - 2.0,
    "energy": lambda x, y, a: (-x).integrate(),
    "square": lambda x, y, a: (x - y) ** 2,
    "product": lambda x, y, a: (x - y) * (x - y),
    "absolute": lambda x, y, a: abs(x - y) / 2 + 1.0,
    "norm": lambda x, y, a: jno.np.norm(jno.np.concat([x - y, a * x]), axis=-1),
    "masked": lambda x, y, a: jno.np.where(x < 0.5, (x - y) ** 2, 0.0),
    "clipped": lambda x, y, a: jno.np.maximum(0.0, y - x),
    "weighted": lambda x, y, a: x * (x - y) ** 2 * jno.np.exp(-y),
}


@pytest.mark.parametrize(("kind", "expected"), [(SIGNED, 1), (UNSIGNED, 0)], ids=["signed", "unsigned"])
def test_arrays_that_can_be_negative(capsys, kind, expected):
    domain, x = points()
    y = domain.variable("y", np.linspace(-1, 1, 5), point_data=True)
    a = jno.np.parameter(()).optimizer(optax.sgd(1.0))
    for number, (name, build) in enumerate(kind.items()):
        constraint = build(x, y, a)
        constraint.metadata.label = f"{number}"
        assert len(said(capsys, constraint, domain=domain)) == expected, name


def test_evaluation_warns_of_nothing(capsys):
    _, x = points()
    (x - 1.0).eval()
    assert "is no loss" not in capsys.readouterr().out
