"""The node classes: constructing them by hand, walking and pickling graphs."""

import pickle
from typing import Any

import cloudpickle
import numpy as np
import pytest
from helpers import evaluate, mlp, unit_square

import jno
from jno.trace import (
    BinaryOp,
    FunctionCall,
    Hessian,
    Integral,
    IntegralTime,
    Jacobian,
    Literal,
    Model,
    NetworkGradient,
    Placeholder,
    Pointwise,
    TensorTag,
    Variable,
    WeightedMean,
    dump_tree,
    flatten,
    unflatten,
    walk,
)

X = Variable("interior", [0, 1], None)


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (X + 1.0, Pointwise.YES),
        (X @ X, Pointwise.NO),
        (-X, Pointwise.YES),
        (X.T, Pointwise.NO),
        (X.mean, Pointwise.NO),
        (X[..., 0], Pointwise.YES),
        (X[1:], Pointwise.NO),
        (X.reshape(-1), Pointwise.NO),
        (X.d(X), Pointwise.YES),
        (X.d(X, "finite_difference"), Pointwise.PER_SAMPLE),
        (X.integrate(), Pointwise.PER_SAMPLE),
        (TensorTag("k", None), Pointwise.PER_SAMPLE),
        (Literal(2.0), Pointwise.YES),
        (Literal(np.ones(3)), Pointwise.PER_SAMPLE),
        (jno.np.sin(X), Pointwise.YES),
        (jno.np.norm(X, axis=-1), Pointwise.YES),
        (jno.np.inner(X, X), Pointwise.BY_SHAPE),
        (jno.fn.mse(X, 0.0), Pointwise.NO),
        (jno.fn(np.cumsum, [X]), Pointwise.BY_FUNCTION),
        (jno.np.concat([X, X]), Pointwise.YES),
    ],
    ids=str,
)
def test_every_node_says_whether_it_is_pointwise(node, kind):
    assert node.pointwise() is kind


def test_weighted_means_are_read():
    """Weight, reduction and residual of a constraint; what is not a mean over points has none."""
    residual = X - 1.0
    for constraint, reduction, weight in [
        (residual.mse, "mse", 1.0),
        (2.0 * residual.mae / 4.0, "mae", 0.5),
        (residual.mean * 3.0, "mean", 3.0),
        (X.mean * residual.mse, "mse", None),
        (-1.0 * residual.mse, "mse", None),
    ]:
        mean = WeightedMean.of(constraint)
        assert (mean.reduction, mean.weight) == (reduction, weight)
        assert mean.residual is residual
    difference = WeightedMean.of(jno.fn.mse(X, 2.0) / X.max)
    assert repr(difference.residual) == repr(X - 2.0)
    assert difference.weight is None
    for constraint in [residual, residual.max, residual.mse + residual.mae, 2.0 / residual.mse]:
        assert WeightedMean.of(constraint) is None


def test_nodes_can_be_constructed_by_hand(square):
    domain, (x, y, _) = square
    u = x * y**2
    nodes = [
        BinaryOp("+", x, Literal(1.0)),
        FunctionCall(np.add, [x, y]),
        Jacobian(u, (x,), "automatic_differentiation"),
        Hessian(u, (x, y), "automatic_differentiation", trace=True),
        Integral(u),
        Variable("interior", [0, 1], domain),
    ]
    assert all(isinstance(node, Placeholder) for node in nodes)
    plus, _, first, laplacian, total, again = evaluate([nodes[0], x, *nodes[2:]])
    np.testing.assert_allclose(plus, evaluate(x) + 1)
    np.testing.assert_allclose(first, evaluate(y**2), rtol=1e-6)
    np.testing.assert_allclose(laplacian, evaluate(2 * x), rtol=1e-6)
    np.testing.assert_allclose(again, evaluate(x))
    assert total.size == 1


def test_which_node_each_method_builds(square):
    domain, (x, y, t) = square
    net = mlp(2)
    u = net(x, y)
    assert isinstance(u.d(x), Jacobian)
    assert isinstance(u.diff(x), Jacobian)
    assert isinstance(u.d2(x), Hessian)
    assert isinstance(u.dd(x), Hessian)
    assert isinstance(u.grad(net), NetworkGradient)
    assert isinstance(u.integrate(), Integral)
    assert isinstance(u.integrate(t), IntegralTime)
    assert isinstance(net, Model)
    data = domain.variable("some_data", np.ones((1, 2)))
    assert isinstance(data, TensorTag)


def test_variable_fields(square):
    x, y, t = square[1]
    assert (x.tag, tuple(x.dim), x.axis, x.size) == ("interior", (0, 1), "spatial", 1)
    assert tuple(y.dim) == (1, 2)
    assert (t.tag, t.axis) == ("__time__", "temporal")
    with pytest.raises(ValueError, match="allowed are 'spatial' and 'temporal'"):
        Variable("interior", [0, 1], None, axis="time")


def test_function_call_arguments_are_checked(xy):
    number: Any = 3
    with pytest.raises(TypeError, match=r"needs a callable|fn=3"):
        FunctionCall(number, [xy[0]])
    with pytest.raises(ValueError, match="align='rows': allowed are"):
        FunctionCall(np.sin, [xy[0]], align="rows")


def test_walk_visits_each_node_once_children_first(xy):
    x, y = xy
    u = x * y
    root = u + u.d(x)
    order = list(walk([root]))
    assert len(order) == len(set(order)) == 5
    assert order[-1] is root
    assert order.index(u) > order.index(x)


def test_flat_records_hold_the_same_graph(square):
    """Integrals without an outer variable, calls of many arguments, and what is shared."""
    domain, (x, y, t) = square
    a, b, _ = domain.variable("interior")
    u = jno.np.concat([x, y, x * y]).name("u")
    roots = [u.integrate() + u[..., 0], (x * a + b * y).integrate(var=x), u.hessian(x, y), (x * t).integrate(t), u]
    again = unflatten(*flatten(roots))
    assert list(map(dump_tree, again)) == list(map(dump_tree, roots))
    assert len(list(walk(again))) == len(list(walk(roots)))
    assert again[0].left.integration_var is None
    assert again[0].left.target is again[2].target is again[4]
    assert again[1].integration_var is again[2].variables[0]


def _shifted(m, v):
    return m.sin(v) + 1


def test_expressions_survive_pickling():
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    u = _shifted(jno.np, x) * y
    again = cloudpickle.loads(cloudpickle.dumps(u))
    np.testing.assert_array_equal(again.eval(), u.eval())
    assert isinstance(pickle.loads(pickle.dumps(x + 1)), BinaryOp)
