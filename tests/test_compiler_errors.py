"""Mistakes are found when the problem is built, with both operands and their shapes in the message."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
from helpers import evaluate, mlp, unit_square

import jno
from jno.compiler import Program, lowers
from jno.trace import BinaryOp, Placeholder


@pytest.fixture(scope="module")
def square():
    domain = unit_square(0.5)
    return domain, domain.variable("interior")


def refuse(node, message):
    """Building the problem raises; nothing is evaluated."""
    with pytest.raises(ValueError, match=message):
        jno.core([node])


# --- shapes ---------------------------------------------------------------------------------------------------
def test_points_of_different_tags(square):
    domain, (x, y, _) = square
    xb, yb, _ = domain.variable("left")
    refuse(x + xb, r"'\+' of Var\(interior.*\) \(9, 1\), Var\(left.*\) \(3, 1\): .*different point sets.*\[3, 9\]")
    refuse((x * y).d(x) - (xb * yb).d(xb), r"'-' of d\S* \(9, 1\), d\S* \(3, 1\): .*different point sets")
    refuse(mlp(2, name="net")(x, yb), r"'net' of Var\(interior.*\) \(9, 1\), Var\(left.*\) \(3, 1\): .*different")
    refuse(jno.np.concat([x, yb]), r"'concat' of .*\(9, 1\).*\(3, 1\)")
    refuse(jno.np.maximum(x, xb), r"'maximum' of .*\(9, 1\).*\(3, 1\)")
    refuse(x[..., 0] * xb, r"\(9,\).*\(3, 1\)")


def test_points_of_different_tags_can_be_reduced_first(square):
    domain, (x, _, _) = square
    xb, _, _ = domain.variable("left")
    assert evaluate(x + xb.mean).shape == (1, 9, 1)
    assert evaluate(x.mse + xb.mse).shape == (1,)


@pytest.mark.parametrize("operator", ["+", "*", "<"])
def test_components_that_do_not_match(square, operator):
    _, (x, y, _) = square
    two, three = jno.np.concat([x, y]), jno.np.concat([x, y, x])
    refuse(BinaryOp(operator, two, three), r"'.' of concat \(9, 2\), concat \(9, 3\)")


def test_a_row_that_does_not_match(square):
    _, (x, y, _) = square
    refuse(jno.np.concat([x, y]) * np.ones(3), r"'\*' of concat \(9, 2\), array\(3,\) \(3,\)")


def test_matrices_that_do_not_match(square):
    _, (x, y, _) = square
    refuse(jno.np.concat([x, y]) @ np.ones((3, 1)), r"'@' of concat \(9, 2\), array\(3, 1\) \(3, 1\)")


def test_wrong_shapes_are_refused_when_the_problem_is_built(square):
    """Whatever the message: no wrong shape reaches training."""
    _, (x, y, _) = square
    two, three = jno.np.concat([x, y]), jno.np.concat([x, y, x])
    for node in (two + three, two * np.ones(3), two @ np.ones((3, 1))):
        with pytest.raises((ValueError, TypeError), match=r"2.*3"):
            jno.core([node])


def test_a_network_with_another_number_of_inputs(square):
    _, (x, y, _) = square
    refuse(mlp(3, name="net")(x, y), r"net cannot be applied to arguments of shape \(9, 1\), \(9, 1\)")
    refuse(mlp(2, name="net")(x), r"net cannot be applied to arguments of shape \(9, 1\)")


# --- domains --------------------------------------------------------------------------------------------------
def test_two_domains(square):
    _, (x, _, _) = square
    other = unit_square(0.5).variable("interior")[0]
    with pytest.raises(ValueError, match="2 distinct domains in one problem"):
        jno.core([x.mse, other.mse])
    with pytest.raises(ValueError, match="2 distinct domains"):
        jno.core([x - other])


def test_no_domain():
    p = jno.np.parameter((1,))
    with pytest.raises(ValueError, match=r"no Variables or TensorTags; pass domain="):
        jno.core([(p - 1).mse])
    core = jno.core([(p - 1).mse], domain=unit_square(0.5))
    np.testing.assert_allclose(core.eval((p - 1).mse), 1.0)


def test_data_belong_to_a_domain_too(square):
    domain = unit_square(0.5)
    domain.variable("interior")
    data = domain.variable("data", np.ones((1, 2)))
    assert jno.core([data.mse]).domain is domain
    with pytest.raises(ValueError, match="2 distinct domains"):
        jno.core([data.mse, square[1][0].mse])


def test_data_without_any_points():
    domain = unit_square(0.5)
    data = domain.variable("data", np.ones((1, 2)))
    np.testing.assert_allclose(evaluate(data), np.ones((1, 2)))


def test_time_on_a_steady_domain(square):
    _, (x, _, t) = square
    for node in (x * t, (x * t).d(t), mlp(2)(x, t), (x**2).d(t)):
        refuse(node, r"temporal Variable but the domain has no time axis.*time=\(t0, t1, n\)")


def test_time_of_a_steady_evaluation_domain():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 2))
    x, t = domain.variable("interior")
    core = jno.core([(x * t).mse])
    with pytest.raises(ValueError, match="temporal Variable but the domain has no time axis"):
        core.eval(x * t, domain=jno.domain.line(mesh_size=0.5))


def test_a_tag_that_is_not_in_the_context(square):
    domain, _ = square
    from jno.trace import Variable

    refuse(Variable("nowhere", [0, 1], domain), r"tag 'nowhere' is not in the domain's context; it has \[.*'interior'")


# --- constraints ----------------------------------------------------------------------------------------------
def test_constraints_are_expressions(square):
    _, (x, _, _) = square
    with pytest.raises(TypeError, match=r"takes a list of expressions, got Reduction|'constraints'"):
        jno.core(x.mse)
    with pytest.raises(TypeError, match="entry 1 of the list is no expression"):
        jno.core([x.mse, "loss"])
    with pytest.raises(TypeError, match=r"entry 0 is the network 'net'; call it with variables first"):
        jno.core([mlp(2, name="net")])
    with pytest.raises(ValueError, match="at least one expression"):
        jno.core([x.mse]).eval([])


# --- new nodes ------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Mystery(Placeholder):
    child_fields: ClassVar[tuple[str, ...]] = ("target",)
    target: Placeholder


def test_a_node_without_a_rule(square):
    _, (x, _, _) = square
    with pytest.raises(NotImplementedError, match=r"no lowering rule for Mystery: write `@lowers\(Mystery\)`"):
        jno.core([Mystery(x) + 1])


def test_a_node_gets_its_meaning_from_one_rule(square):
    @dataclasses.dataclass(frozen=True, eq=False, repr=False)
    class Doubled(Placeholder):
        child_fields: ClassVar[tuple[str, ...]] = ("target",)
        target: Placeholder

    @lowers(Doubled)
    def doubled(node, scope, target):
        return dataclasses.replace(target, array=2 * target.array)

    _, (x, y, _) = square
    value, slope, shared = evaluate([Doubled(x * y), Doubled(x * y).d(x), Doubled(x) - Doubled(x)])
    xn, yn = evaluate([x, y])
    np.testing.assert_allclose(value, 2 * xn * yn)
    np.testing.assert_allclose(slope, 2 * yn)
    np.testing.assert_array_equal(shared, np.zeros_like(shared))
    assert "Doubled" in repr(Doubled(x))


def test_a_second_rule_is_refused():
    with pytest.raises(ValueError, match="BinaryOp already has a lowering rule"):
        lowers(BinaryOp)(lambda node, scope, left, right: left)


def test_programs_are_pure(square):
    """The same program twice on other data: nothing is remembered from the first call."""
    domain, (x, y, _) = square
    program = Program([x * y, (x * y).d(x)], domain)
    first = program({}, program.data)
    moved = {key: array + 1 for key, array in program.data.items()}
    second = program({}, moved)
    again = program({}, program.data)
    for a, b, c in zip(first, second, again, strict=True):
        np.testing.assert_array_equal(a, c)
        assert not np.allclose(a, b)
