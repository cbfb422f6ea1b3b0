"""Which JAX composition a scheme runs, seen through functions that only some modes can differentiate."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import AD, COMPOSITIONS, FIRST_ORDER, count_primitive, evaluate, jaxpr_of, mlp, unit_square

import jno
from jno.utils.ad_mode import set_ad_mode, set_hessian_mode


@jax.custom_vjp
def only_reverse(x):
    """``x³``; JAX refuses forward mode of a ``custom_vjp`` function."""
    return x**3


only_reverse.defvjp(lambda x: (x**3, x), lambda x, g: (3 * x**2 * g,))


def only_forward(x):
    """``x³``; JAX refuses reverse mode of a loop with a condition."""
    return jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (0, jnp.ones_like(x)))[1]


@jax.custom_vjp
def reverse_inside_forward_outside(x):
    """``x³`` whose pull-back only forward mode can differentiate."""
    return x**3


reverse_inside_forward_outside.defvjp(lambda x: (x**3, x), lambda x, g: (3 * _square_forward(x) * g,))


def _square_forward(x):
    return jax.lax.while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, s[1] * x), (0, jnp.ones_like(x)))[1]


@jax.custom_vjp
def _square_reverse(x):
    return x**2


_square_reverse.defvjp(lambda x: (x**2, x), lambda x, g: (2 * x * g,))


@jax.custom_jvp
def reverse_outside(x):
    """``x³`` whose derivative only reverse mode can differentiate."""
    return x**3


@reverse_outside.defjvp
def _(primals, tangents):
    return primals[0] ** 3, 3 * _square_reverse(primals[0]) * tangents[0]


REFUSALS = (
    "forward-mode",
    "jvp",
    "everse-mode",
    "Differentiation rule for 'custom_lin'",
    "'NoneType' and 'tuple'",  # JAX 0.9.0 for reverse mode of a loop with a condition
)
FORWARD, REVERSE = FIRST_ORDER[1:]
WORKS: dict[Any, set[str]] = {
    only_reverse: {"rev-over-rev", "fwd-over-rev"},
    only_forward: {"fwd-over-fwd"},
    reverse_inside_forward_outside: {"fwd-over-rev"},
    reverse_outside: {"rev-over-rev", "rev-over-fwd"},
}


@pytest.fixture(scope="module")
def line():
    domain = jno.domain.line((0.25, 1.0), mesh_size=0.25)
    return domain, domain.variable("interior")[0]


def outcome(node, expected):
    """Whether the node can be evaluated, to the expected value."""
    try:
        value = evaluate(node)
    except (TypeError, ValueError, NotImplementedError) as error:
        if not any(word in str(error) for word in REFUSALS):
            raise
        return False
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    return True


@pytest.mark.parametrize("scheme", [FORWARD, REVERSE])
def test_scheme_of_a_first_derivative(line, scheme):
    _, x = line
    expected = 3 * evaluate(x) ** 2
    assert outcome(jno.np.function(only_reverse, [x]).d(x, scheme), expected) == (scheme == REVERSE)
    assert outcome(jno.np.function(only_forward, [x]).d(x, scheme), expected) == (scheme == FORWARD)


@pytest.mark.parametrize("function", WORKS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("scheme", COMPOSITIONS)
def test_scheme_of_a_second_derivative(line, scheme, function):
    _, x = line
    name = scheme.split(":")[1]
    works = outcome(jno.np.function(function, [x]).d2(x, scheme), 6 * evaluate(x))
    assert works == (name in WORKS[function])


@pytest.mark.parametrize(("suffix", "name"), [("forward", "fwd-over-fwd"), ("reverse", "rev-over-rev")])
def test_first_order_suffix_on_a_second_derivative(line, suffix, name):
    _, x = line
    for function in (only_reverse, only_forward):
        works = outcome(jno.np.function(function, [x]).laplacian(x, scheme=f"{AD}:{suffix}"), 6 * evaluate(x))
        assert works == (name in WORKS[function])


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_configured_first_order_mode(line, mode):
    _, x = line
    set_ad_mode(mode)
    expected = 3 * evaluate(x) ** 2
    assert outcome(jno.np.function(only_reverse, [x]).d(x), expected) == (mode == "reverse")
    assert outcome(jno.np.function(only_forward, [x]).d(x), expected) == (mode == "forward")


def test_scheme_of_the_call_wins_over_the_configuration(line):
    _, x = line
    set_ad_mode("forward")
    set_hessian_mode("fwd-over-fwd")
    u = jno.np.function(only_reverse, [x])
    assert outcome(u.d(x, REVERSE), 3 * evaluate(x) ** 2)
    assert outcome(u.d2(x, f"{AD}:rev-over-rev"), 6 * evaluate(x))
    assert not outcome(u.d2(x), 6 * evaluate(x))


@pytest.mark.parametrize("name", ["fwd-over-rev", "fwd-over-fwd", "rev-over-rev", "rev-over-fwd"])
def test_configured_second_order_mode(line, name):
    _, x = line
    set_hessian_mode(name)
    for function, modes in WORKS.items():
        assert outcome(jno.np.function(function, [x]).laplacian(x), 6 * evaluate(x)) == (name in modes)


def test_setup_configures_the_modes(line, tmp_path):
    _, x = line
    jno.setup(tmp_path / "script.py", diff_type="reverse", hessian_type="rev-over-rev")
    assert outcome(jno.np.function(only_reverse, [x]).d(x), 3 * evaluate(x) ** 2)
    assert outcome(jno.np.function(reverse_outside, [x]).d2(x), 6 * evaluate(x))
    assert not outcome(jno.np.function(only_forward, [x]).d(x), 3 * evaluate(x) ** 2)


def test_configuration_file_configures_the_modes(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".jno.toml").write_text('[jno]\ndiff_type = "reverse"\nhessian_type = "fwd-over-rev"\n')
    _, x = line
    assert outcome(jno.np.function(only_reverse, [x]).d(x), 3 * evaluate(x) ** 2)
    assert outcome(jno.np.function(reverse_inside_forward_outside, [x]).d2(x), 6 * evaluate(x))


def test_the_mode_is_looked_up_when_the_problem_is_compiled(line):
    """The same expression follows a configuration that was changed after it was written."""
    _, x = line
    node = jno.np.function(only_reverse, [x]).d(x)
    set_ad_mode("reverse")
    assert outcome(node, 3 * evaluate(x) ** 2)
    set_ad_mode("forward")
    assert not outcome(node, 3 * evaluate(x) ** 2)


def test_modes_differ_in_what_they_compute():
    """Reverse mode of a vector network needs one pull-back per component."""
    domain = unit_square(0.5)
    x, y, _ = domain.variable("interior")
    u = mlp(2, 3)(x, y)
    products = {
        scheme: count_primitive(jaxpr_of([u.d(x, scheme)], domain), "dot_general") for scheme in (FORWARD, REVERSE)
    }
    assert products[FORWARD] < products[REVERSE]
