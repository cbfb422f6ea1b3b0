"""Expressions as LaTeX: what stands on paper, brackets where they are needed, and text that parsers take."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from fuzz._recipes import RECIPES
from fuzz._world import World
from helpers import mlp
from matplotlib.mathtext import MathTextParser

import jno
from jno.trace import Placeholder

mathtext = MathTextParser("path")
ENVIRONMENT = re.compile(r"\\begin\{(\w+)\}((?:(?!\\begin\{).)*?)\\end\{\1\}")


def parse(latex):
    """Every part of a formula through matplotlib's parser, which has no environments."""
    while match := ENVIRONMENT.search(latex):
        for row in match[2].split(r"\\"):
            for cell in row.split("&"):
                if cell.strip():
                    mathtext.parse(f"${cell.strip()}$")
        latex = latex[: match.start()] + "{x}" + latex[match.end() :]
    mathtext.parse(f"${latex}$")


@pytest.fixture(scope="module")
def plane():
    domain = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3))
    return domain, *domain.variable("interior")


@pytest.fixture(scope="module")
def flow(plane):
    """Velocities, pressure and viscosity."""
    _, x, y, t = plane
    return (*(mlp(3, name=name)(x, y, t) for name in "uvp"), jno.np.parameter((), name="nu"))


def test_momentum_of_navier_stokes(plane, flow):
    (_, x, y, t), (u, v, p, nu) = plane, flow
    momentum = u.d(t) + u * u.d(x) + v * u.d(y) + p.d(x) - nu * u.laplacian(x, y)
    expected = (
        r"\frac{\partial u_{\theta}}{\partial t} + u_{\theta} \frac{\partial u_{\theta}}{\partial x}"
        r" + v_{\theta} \frac{\partial u_{\theta}}{\partial y} + \frac{\partial p_{\theta}}{\partial x}"
        r" - \nu \Delta u_{\theta}"
    )
    assert momentum.latex() == expected
    assert momentum._repr_latex_() == rf"$\displaystyle {expected}$"
    assert momentum.mse.latex(width=None) == rf"\frac{{1}}{{N}} \sum_{{\Omega}} \left| {expected} \right|^{{2}}"
    parse(expected)


def test_long_losses_name_their_residual(plane, flow):
    (_, x, y, t), (u, v, p, nu) = plane, flow
    momentum = u.d(t) + u * u.d(x) + v * u.d(y) + p.d(x) - nu * u.laplacian(x, y)
    lines = (0.5 * momentum.mse).latex(width=25).removeprefix(r"\begin{aligned} ").split(r" \\ ")
    assert lines[0] == r"& 0.5 \frac{1}{N} \sum_{\Omega} \left| r \right|^{2}"
    assert lines[1].startswith(r"& r = \frac{\partial u_{\theta}}{\partial t} + ")
    assert all(line.startswith((r"& \quad + ", r"& \quad - ")) for line in lines[2:])
    assert lines[-1].endswith(r" \end{aligned}")
    assert len(lines) == 3
    parse((0.5 * momentum.mse).latex(width=25))


def test_derivatives_are_gathered(plane, flow):
    (_, x, y, t), (u, *_) = plane, flow
    written = {
        u: r"u_{\theta}(x, y, t)",
        u.d(x).d(y).d(x): r"\frac{\partial^{3} u_{\theta}}{\partial x^{2} \, \partial y}",
        u.d(t).d2(x): r"\frac{\partial^{3} u_{\theta}}{\partial x^{2} \, \partial t}",
        u.laplacian(x, y).laplacian(x, y): r"\Delta^{2} u_{\theta}",
        u.laplacian(x, t): r"\Delta_{x, t} u_{\theta}",
        u.grad(x, y): r"\nabla u_{\theta}",
        u.hessian(x, y): r"\nabla^{2} u_{\theta}",
        (x * (1 - x) * u).d2(x): r"\frac{\partial^{2}}{\partial x^{2}} (x \, (1 - x) \, u_{\theta})",
        u.d(x).mean.d(t): None,
        u.d(t)(x, y, 0.0): r"\left. \frac{\partial u_{\theta}}{\partial t} \right|_{t = 0}",
        u(x, y, 0.0).d(x): r"\frac{\partial}{\partial x} u_{\theta}(x, y, 0)",
        u.d(x) ** 2: r"\left( \frac{\partial u_{\theta}}{\partial x} \right)^{2}",
        u.d(x).bind(x=x).x: r"\frac{\partial^{2} u_{\theta}}{\partial x^{2}}",
    }
    for expression, text in written.items():
        assert text is None or expression.latex() == text
        parse(expression.latex())


def test_brackets_stand_where_they_must(plane):
    _, x, y, t = plane
    written = {
        x + (y + t): "x + y + t",
        x - (y - t): "x - (y - t)",
        x - (-y): "x + y",
        -(x + y) * 2: "-2 (x + y)",
        x * (-2): "-2 x",
        (x + y) * (x - y): r"(x + y) \, (x - y)",
        x * 3 * 2: r"2 \cdot 3 x",
        (x + y) / (x - y): r"\frac{x + y}{x - y}",
        -(x + y) / 2: r"-\frac{x + y}{2}",
        (-x) ** 2: "(-x)^{2}",
        (x**2) ** 3: "(x^{2})^{3}",
        (x / y) ** 2: r"\left( \frac{x}{y} \right)^{2}",
        x ** (y + 1): "x^{y + 1}",
        (x + 1) ** 0.5: r"\sqrt{x + 1}",
        jno.np.sin(x) ** 2: r"\sin^{2}(x)",
        jno.np.exp(-(x**2 + y**2) / 0.02): r"e^{-\frac{x^{2} + y^{2}}{0.02}}",
        (x < 0.5) & (y > t): r"x < 0.5 \wedge y > t",
        ((x < 0.5) | (y > t)) & (x < t): r"(x < 0.5 \vee y > t) \wedge x < t",
        jno.np.where(x < 0.5, x, -y): (
            r"\begin{cases} x & \mathrm{if}\ x < 0.5 \\ -y & \mathrm{otherwise} \end{cases}"
        ),
    }
    for expression, text in written.items():
        assert expression.latex() == text
        parse(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (2.0, "2"),
        (2 * np.pi**2, r"2 \pi^{2}"),
        (np.float32(np.pi), r"\pi"),
        (0.01 / np.pi, r"\frac{0.01}{\pi}"),
        (np.pi / 4, r"\frac{\pi}{4}"),
        (1 / 3, r"\frac{1}{3}"),
        (0.1, "0.1"),
        (1e-7, "10^{-7}"),
        (1.5e-7, r"1.5 \cdot 10^{-7}"),
        (0.123456789, "0.1235"),
        (1 - 2j, "1 - 2 i"),
        (float("inf"), r"\infty"),
    ],
)
def test_numbers(number, text):
    x = jno.np.sin(number)
    assert x.latex() == rf"\sin({text})" or (r"\frac" in text and x.latex() == rf"\sin\left( {text} \right)")
    parse(x.latex())


def test_names_stand_for_parts(plane):
    _, x, y, _ = plane
    u = (x * (1 - x) * y).name("u")
    residual = (u.laplacian(x, y) + jno.np.exp(u)).name("residual")
    assert residual.latex() == r"\Delta u + e^{u}"
    assert residual.latex(expand=True) == r"\Delta (x \, (1 - x) \, y) + e^{x \, (1 - x) \, y}"
    assert (2 * residual).latex() == r"2 \, \mathrm{residual}"
    assert (x + 1).name("k_1").mean.latex() == r"\frac{1}{N} \sum_{\Omega} k_{1}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("u", r"u_{\theta}"),
        ("psi", r"\psi_{\theta}"),
        ("u_x", r"u_{x, \theta}"),
        ("u2", r"u_{2, \theta}"),
        ("stress_xx", r"\mathrm{stress}_{\mathrm{xx}, \theta}"),
        ("50 % & <b>", r"\mathrm{50\ \%\ \&\ <b>}_{\theta}"),
        ("a{b}^c\\d", r"\mathrm{a\{b\}\wedge{}c\backslash{}d}_{\theta}"),
    ],
)
def test_names_of_networks(plane, name, text):
    _, x, y, t = plane
    latex = mlp(3, name=name)(x, y, t).latex()
    assert latex == f"{text}(x, y, t)"


def test_networks_without_a_name(plane):
    _, x, y, t = plane
    one, two = mlp(3), mlp(1)
    assert one(jno.np.concat([x, y, t])).latex() == r"u_{\theta}(x, y, t)"
    assert (one(x, y, t) * two(t)).latex() == r"u_{\theta_1}(x, y, t) \, u_{\theta_2}(t)"
    assert (jno.np.parameter(()) * one(x, y, t)).latex() == r"\theta_{1} u_{\theta}(x, y, t)"
    assert one(x, y, t)[..., 0].d(x).latex() == r"\frac{\partial u_{\theta, 1}}{\partial x}"
    assert one(x, y, t).grad(one).latex() == r"\nabla_{\theta} u_{\theta}(x, y, t)"


def test_regions(plane):
    domain, x, y, t = plane
    u = mlp(3, name="u")
    xl, yl, tl = domain.variable("left")
    xr, yr, tr, normal = domain.variable("right", normals="vector")
    x0, y0, _ = domain.variable("initial")
    ui, ul, ur = u(x, y, t), u(xl, yl, tl), u(xr, yr, tr)
    assert ul.mse.latex() == r"\frac{1}{N} \sum_{\Gamma_{\mathrm{left}}} \left| u_{\theta}(x, y, t) \right|^{2}"
    assert r"\sum_{t = t_0}" in u(x0, y0, 0.0).mse.latex()
    assert ur.d(normal).latex() == r"\frac{\partial u_{\theta}}{\partial n}"
    assert (ul - ur).latex() == (
        r"u_{\theta}(x_{\mathrm{left}}, y_{\mathrm{left}}, t)"
        r" - u_{\theta}(x_{\mathrm{right}}, y_{\mathrm{right}}, t)"
    )
    assert (ui - ur).latex() == r"u_{\theta}(x, y, t) - u_{\theta}(x_{\mathrm{right}}, y_{\mathrm{right}}, t)"
    assert ui.integrate().latex() == r"\int_{\Omega} u_{\theta}(x, y, t) \, dx \, dy"
    assert ur.integrate().latex() == r"\int_{\Gamma_{\mathrm{right}}} u_{\theta}(x, y, t) \, ds"
    assert ui.integrate(t).latex() == r"\int u_{\theta}(x, y, t) \, dt"


def test_fredholm_kernels_have_two_variables():
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    s, _ = domain.variable("interior")
    u = mlp(1, name="u")
    assert (jno.np.exp(x * s) * u(s)).integrate(x).latex() == r"\int_{\Omega} e^{x x'} u_{\theta}(x') \, dx'"


def test_weak_terms_are_integrals():
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    xr, yr, _ = domain.variable("right")
    (u, v), (b, w) = domain.fem_symbols((), ("u", "v")), domain.fem_symbols((2,), ("b", "w"))
    ui, vi = u(x, y), v(x, y)
    assert (ui.x * vi.x - 2 * vi).latex() == (
        r"\int_{\Omega} \left( \frac{\partial u}{\partial x} \frac{\partial v}{\partial x} - 2 v \right) \, dx \, dy"
    )
    assert (-v(xr, yr)).latex() == r"\int_{\Gamma_{\mathrm{right}}} (-v) \, ds"
    assert (u(xr, yr) - 0.0).latex() == "u"
    assert (b(x, y)[1] * w(x, y)[0]).latex() == r"\int_{\Omega} \mathbf{b}_{2} \mathbf{w}_{1} \, dx \, dy"


def test_losses(plane):
    _, x, y, _ = plane
    assert jno.fn.mse(x, y).latex() == r"\frac{1}{N} \sum_{\Omega} \left| x - y \right|^{2}"
    assert jno.fn.relative_l2(x, y).latex() == (r"\frac{\left\| x - y \right\|_{2}}{\left\| y \right\|_{2}}")
    assert jno.fn.huber(x, y, delta=0.5).latex() == (
        r"\frac{1}{N} \sum_{\Omega} \operatorname{huber}_{\delta = 0.5} \left( x - y \right)"
    )
    assert x.mae.latex() == r"\frac{1}{N} \sum_{\Omega} \left| x \right|"
    assert x.max.latex() == r"\max_{\Omega}(x)"


def test_shared_parts_that_would_be_endless_are_refused(plane):
    _, x, _, _ = plane
    power = x
    for _ in range(60):
        power = power * power + 1
    with pytest.raises(ValueError, match=r"more than 3000; give names to parts with \.name"):
        power.latex()
    assert power._repr_latex_() is None
    deep = x
    for _ in range(1400):
        deep = jno.np.sin(deep)
    assert deep.latex(width=None).count(r"\sin") == 1400


def test_wrong_options_are_refused(plane):
    _, x, _, _ = plane
    with pytest.raises(TypeError, match=r"latex\(expand=1\): expand must be True or False"):
        x.latex(expand=1)
    with pytest.raises(ValueError, match=r"latex\(width=3\): width must be an integer of at least 20, or None"):
        x.latex(width=3)


NAMED_BY_TITLE = {
    *("by_region", "distance", "einsum", "expand_dims", "gradient_alignment", "interp", "interpn", "isfinite", "isnan"),
    *("my_op", "reshape", "squeeze", "stack", "view_factor"),
}


def test_every_public_operation_is_written():
    world = World()
    building = [recipe for recipe in RECIPES if recipe.label.startswith(("jno.np.", "jno.fn", "Placeholder."))]
    count = 0
    for recipe in building:
        result = recipe.called(world)
        for expression in result if isinstance(result, tuple) else (result,):
            if isinstance(expression, Placeholder):
                parse(expression.latex())
                count += 1
                name = re.match(r"\\operatorname\{(\w+)\}", expression.latex())
                known = ("sign", "tr", "sym", "skew", "atan2", "mean", "median", "std", "var", "chol", "Re", "Im")
                known += ("arcsinh", "arccosh", "arctanh")
                assert name is None or name[1].replace("\\", "") in {*NAMED_BY_TITLE, *known}, recipe.label
    assert count > 110


def test_functions_of_the_user_have_their_name(plane):
    _, x, y, _ = plane
    assert jno.fn(lambda a, b: a + b, [x, y], name="my_op").latex() == r"\operatorname{my\_op}(x, y)"
    assert jno.fn(lambda: jnp.ones(()), name="one").latex() == r"\operatorname{one}"
