"""jno.utils.ad_mode: defaults, scheme strings, JAX transformations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jno.utils import ad_mode

SECOND_ORDER = {
    "fwd-over-rev": ("forward", "reverse"),
    "fwd-over-fwd": ("forward", "forward"),
    "rev-over-rev": ("reverse", "reverse"),
    "rev-over-fwd": ("reverse", "forward"),
}


def test_defaults():
    assert ad_mode.get_ad_mode() == "reverse"
    assert ad_mode.get_hessian_mode() == "fwd-over-rev"
    assert ad_mode.configured_ad_mode() is None
    assert ad_mode.configured_hessian_mode() is None


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_set_ad_mode(mode):
    ad_mode.set_ad_mode(mode)
    assert ad_mode.get_ad_mode() == ad_mode.configured_ad_mode() == mode
    assert ad_mode.parse_ad_scheme("automatic_differentiation") == mode
    ad_mode.reset_ad_mode()
    assert ad_mode.configured_ad_mode() is None


@pytest.mark.parametrize(("mode", "pair"), SECOND_ORDER.items())
def test_set_hessian_mode(mode, pair):
    ad_mode.set_hessian_mode(mode)
    assert ad_mode.get_hessian_mode() == ad_mode.configured_hessian_mode() == mode
    assert ad_mode.parse_hessian_scheme("automatic_differentiation") == pair


@pytest.mark.parametrize("mode", ["sideways", "fwd", "fwd-over-rev", ""])
def test_invalid_first_order_mode(mode):
    with pytest.raises(ValueError, match='allowed: "forward", "reverse"'):
        ad_mode.set_ad_mode(mode)
    with pytest.raises(ValueError, match='allowed: "forward", "reverse"'):
        ad_mode.ad_fn(mode)
    assert ad_mode.configured_ad_mode() is None


def test_invalid_hessian_mode():
    with pytest.raises(ValueError, match="rev-over-fwd"):
        ad_mode.set_hessian_mode("forward-over-reverse")


def test_defaults_from_configuration_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".jno.toml").write_text('[jno]\ndiff_type = "forward"\nhessian_type = "rev-over-rev"\n')
    assert ad_mode.configured_ad_mode() == ad_mode.get_ad_mode() == "forward"
    assert ad_mode.configured_hessian_mode() == ad_mode.get_hessian_mode() == "rev-over-rev"
    ad_mode.set_ad_mode("reverse")
    assert ad_mode.get_ad_mode() == "reverse"


def test_invalid_mode_in_configuration_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".jno.toml").write_text('[jno]\ndiff_type = "up"\nhessian_type = "down"\n')
    with pytest.raises(ValueError, match=r"diff_type in the \[jno\].*'up'"):
        ad_mode.get_ad_mode()
    with pytest.raises(ValueError, match=r"hessian_type in the \[jno\].*'down'"):
        ad_mode.get_hessian_mode()


@pytest.mark.parametrize(
    ("scheme", "mode"),
    [
        ("automatic_differentiation", "reverse"),
        ("automatic_differentiation:forward", "forward"),
        ("automatic_differentiation:reverse", "reverse"),
    ],
)
def test_parse_ad_scheme(scheme, mode):
    assert ad_mode.parse_ad_scheme(scheme) == mode


@pytest.mark.parametrize(("suffix", "pair"), SECOND_ORDER.items())
def test_parse_hessian_scheme(suffix, pair):
    assert ad_mode.parse_hessian_scheme(f"automatic_differentiation:{suffix}") == pair


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_first_order_suffix_is_shorthand_for_second_order(mode):
    assert ad_mode.parse_hessian_scheme(f"automatic_differentiation:{mode}") == (mode, mode)


@pytest.mark.parametrize(
    "scheme",
    [
        "foo",
        "finite_difference",
        "finite_difference:lsq",
        "automatic_differentiation:",
        "automatic_differentiation:up",
    ],
)
def test_parse_rejects(scheme):
    with pytest.raises(ValueError, match="automatic_differentiation:forward"):
        ad_mode.parse_ad_scheme(scheme)
    with pytest.raises(ValueError, match="automatic_differentiation:fwd-over-rev"):
        ad_mode.parse_hessian_scheme(scheme)


def test_second_order_suffix_is_no_first_order_scheme():
    with pytest.raises(ValueError, match="order 1"):
        ad_mode.parse_ad_scheme("automatic_differentiation:fwd-over-rev")


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "scheme",
    [
        "automatic_differentiation",
        "automatic_differentiation:forward",
        "automatic_differentiation:reverse",
        "finite_difference",
        *(
            f"finite_difference:{name}"
            for name in ("lsq", "least_squares", "uniform", "inverse_distance", "cotangent", "area_weighted")
        ),
    ],
)
def test_validate_scheme_accepts(scheme, order):
    assert ad_mode.validate_scheme(scheme, order) == scheme


@pytest.mark.parametrize(
    ("scheme", "order"),
    [
        ("foo", 1),
        ("finite_difference:foo", 2),
        ("finite_difference:", 1),
        ("automatic_differentiation:rev-over-rev", 1),
        ("Automatic_Differentiation", 2),
    ],
)
def test_validate_scheme_rejects(scheme, order):
    with pytest.raises(ValueError, match=f"Unknown scheme '{scheme}'.*order {order}.*finite_difference:lsq"):
        ad_mode.validate_scheme(scheme, order)


def test_validate_scheme_explains_a_second_variable():
    with pytest.raises(TypeError, match=r"object.*u\.d\(x\)\.d\(y\)"):
        ad_mode.validate_scheme(object(), 1)


@pytest.mark.parametrize("order", [0, 3])
def test_validate_scheme_order(order):
    with pytest.raises(ValueError, match="order must be 1 or 2"):
        ad_mode.validate_scheme("automatic_differentiation", order)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_ad_fn_is_the_jacobian(mode):
    point = jnp.array([1.0, 2.0])
    jacobian = ad_mode.ad_fn(mode)(lambda x: jnp.array([x[0] * x[1], x[0] ** 3]))(point)
    np.testing.assert_allclose(jacobian, [[2.0, 1.0], [3.0, 0.0]], rtol=1e-6)
    assert ad_mode.ad_fn(mode) is {"forward": jax.jacfwd, "reverse": jax.jacrev}[mode]


@pytest.mark.parametrize("suffix", SECOND_ORDER)
def test_every_composition_gives_the_hessian(suffix):
    outer, inner = (ad_mode.ad_fn(mode) for mode in ad_mode.parse_hessian_scheme(f"automatic_differentiation:{suffix}"))
    hessian = outer(inner(lambda x: x[0] ** 2 * x[1]))(jnp.array([2.0, 3.0]))
    np.testing.assert_allclose(hessian, [[6.0, 4.0], [4.0, 0.0]], rtol=1e-6)
