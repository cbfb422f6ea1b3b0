import types

import jax
import numpy as np
import pytest
from reference_interpreter import evaluate

import jno
from jno import fn
from jno import jnp_ops as jnn
from jno.trace import FunctionCall, Hessian, Jacobian, UnaryOp, Variable, walk
from jno.utils.ad_mode import AUTOMATIC

N = 7
X = Variable("interior", [0, 1], None)
Y = Variable("interior", [1, 2], None)
Z = Variable("interior", [2, 3], None)
T = Variable("__time__", [0, 1], None, axis="temporal")
TIME = 0.3
POINTS = np.random.default_rng(1).uniform(0.2, 0.8, (N, 3))
x, y, z = (POINTS[:, i : i + 1] for i in range(3))
t = TIME


@pytest.fixture(autouse=True)
def _double_precision():
    with jax.enable_x64(True):
        yield


def value(expression):
    return np.asarray(evaluate(expression, {"interior": POINTS}, TIME))


def check(residual, expected):
    np.testing.assert_allclose(value(residual), np.broadcast_to(expected, (N, 1)), rtol=1e-9, atol=1e-9)


# --- the callable module -------------------------------------------------------------------------------------------
def test_module_is_callable():
    assert isinstance(fn, types.ModuleType)
    node = jno.fn(lambda a, b: a**2 + b, [X, Y], name="my_op", reduces_axis=0)
    assert isinstance(node, FunctionCall)
    assert (node.title, node.reduces_axis) == ("my_op", 0)
    check(node, x**2 + y)
    check(fn._module_call(np.add, [X, 1.0]), x + 1)
    assert value(fn(lambda: 2.0)) == 2.0


def test_module_call_refuses_bad_arguments():
    with pytest.raises(TypeError, match="as a list"):
        fn(np.sin, X)
    with pytest.raises(TypeError, match="fn"):
        fn(3.0, [X])


def test_math_is_that_of_the_np_namespace():
    for name in ["sin", "cos", "exp", "log", "sqrt", "abs", "where", "concat", "mean", "sum", "norm"]:
        assert getattr(fn, name) is getattr(jnn, name)


# --- losses --------------------------------------------------------------------------------------------------------
TARGET = Y
r = x - y
LOSSES = {
    "mse": ({}, np.mean(r**2)),
    "mae": ({}, np.mean(abs(r))),
    "rmse": ({}, np.sqrt(np.mean(r**2))),
    "huber": ({"delta": 0.2}, np.mean(np.where(abs(r) <= 0.2, r**2 / 2, 0.2 * (abs(r) - 0.1)))),
    "smooth_l1": ({"beta": 0.2}, np.mean(np.where(abs(r) < 0.2, r**2 / 0.4, abs(r) - 0.1))),
    "log_cosh": ({}, np.mean(np.log(np.cosh(r)))),
    "relative_l2": ({"eps": 0.1}, np.linalg.norm(r) / (np.linalg.norm(y) + 0.1)),
    "relative_l1": ({"eps": 0.1}, abs(r).sum() / (abs(y).sum() + 0.1)),
    "nmse": ({"eps": 0.1}, np.mean(r**2) / (np.var(y) + 0.1)),
    "mape": ({"eps": 0.1}, np.mean(abs(r) / (abs(y) + 0.1))),
    "linf": ({}, abs(r).max()),
    "quantile": ({"tau": 0.8}, np.mean(np.where(-r >= 0, 0.8 * -r, -0.2 * -r))),
    "cauchy": ({"c": 0.5}, np.mean(0.125 * np.log(1 + (r / 0.5) ** 2))),
}


@pytest.mark.parametrize("name", LOSSES)
def test_loss(name):
    options, expected = LOSSES[name]
    node = getattr(fn, name)(X, TARGET, **options)
    assert (node.title, node.reduces_axis, node.align) == (name, 0, "broadcast")
    assert value(node).shape == ()
    np.testing.assert_allclose(value(node), expected, rtol=1e-12)
    perfect = getattr(fn, name)(X, X)
    assert value(perfect) == pytest.approx(0.0, abs=1e-15)


DEFAULTS = {
    "huber": {"delta": 1.0},
    "smooth_l1": {"beta": 1.0},
    "quantile": {"tau": 0.5},
    "cauchy": {"c": 1.0},
    **{name: {"eps": 1e-8} for name in ("relative_l2", "relative_l1", "nmse", "mape")},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_loss_options(name):
    ((option, default),) = DEFAULTS[name].items()
    loss = getattr(fn, name)
    assert loss(X, Y).fn.keywords == {option: default}
    assert loss(X, Y, 0.5).fn.keywords == {option: 0.5}
    with pytest.raises(ValueError, match=rf"{name}\({option}=-1.0\): {option} must be a number"):
        loss(X, Y, -1.0)
    with pytest.raises(TypeError, match=r"unexpected keyword|missing a required|unknown"):
        loss(X, Y, unknown=1.0)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_shapes_that_meet_at_the_points(name):
    options, expected = LOSSES[name]
    np.testing.assert_allclose(value(getattr(fn, name)(X[..., 0], TARGET, **options)), expected, rtol=1e-12)


def test_sums_count_a_broadcast_target_once_per_entry():
    np.testing.assert_allclose(value(fn.relative_l2(X, 2.0, eps=0)), np.linalg.norm(x - 2) / (2 * np.sqrt(N)))
    np.testing.assert_allclose(value(fn.relative_l1(X, 2.0, eps=0)), abs(x - 2).sum() / (2 * N))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_has_a_finite_gradient_at_a_perfect_fit(name):
    kernel = getattr(fn, name)(X, Y).fn
    target = jax.numpy.asarray(y)
    assert np.all(np.isfinite(jax.grad(lambda p: kernel(p, target))(target)))
    assert np.all(np.isfinite(jax.grad(lambda q: kernel(target, q))(target)))


def test_smooth_losses_have_the_curvature_of_half_the_square_at_zero():
    for loss in (fn.log_cosh, fn.huber, fn.cauchy):
        kernel = loss(X, Y).fn
        curvature = jax.grad(jax.grad(lambda s, f=kernel: f(s, jax.numpy.zeros(()))))(0.0)
        assert curvature == pytest.approx(1.0)
    assert np.isfinite(fn.log_cosh(X, Y).fn(jax.numpy.asarray(1e4), jax.numpy.zeros(())))


def test_relative_losses_of_targets_of_both_signs():
    target, node = y - 0.5, Y - 0.5
    assert target.min() < -0.1
    assert target.max() > 0.1
    residual, size = x - target, abs(target)
    assert value(fn.relative_l1(X, node, eps=0.1)) == pytest.approx(abs(residual).sum() / (size.sum() + 0.1))
    expected = np.linalg.norm(residual) / (np.linalg.norm(target) + 0.1)
    assert value(fn.relative_l2(X, node, eps=0.1)) == pytest.approx(expected)
    assert value(fn.mape(X, node, eps=0.1)) == pytest.approx(np.mean(abs(residual) / (size + 0.1)))


def test_complex_residuals():
    assert value(fn.mse(X * 1j, Y)) == pytest.approx(np.mean(abs(1j * x - y) ** 2))
    assert value(fn.relative_l2(X * 1j, Y)) == pytest.approx(np.linalg.norm(1j * x - y) / np.linalg.norm(y))


# --- similarities --------------------------------------------------------------------------------------------------
def test_stop_gradient():
    assert isinstance(fn.stop_gradient(X), UnaryOp)
    check(fn.stop_gradient(X**2), x**2)
    check((fn.stop_gradient(X) * X).d(X), x)


def test_cosine_similarity_of_rows():
    a, b = POINTS, POINTS[:, [1, 2, 0]]
    cosines = (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
    node = fn.cosine_similarity(jnn.vector(X, Y, Z), jnn.vector(Y, Z, X))
    np.testing.assert_allclose(value(node), cosines, rtol=1e-12)
    small = fn.cosine_similarity(1e-3 * jnn.vector(X, Y, Z), 1e-3 * jnn.vector(Y, Z, X))
    np.testing.assert_allclose(value(small), cosines, rtol=1e-12)
    nothing = fn.cosine_similarity(jnn.vector(0 * X, 0 * Y), jnn.vector(X, Y))
    assert np.all(value(nothing) == 0)
    gradient = jax.grad(lambda v: nothing.fn(v, jax.numpy.ones(2)))(jax.numpy.zeros(2))
    assert np.all(np.isfinite(gradient))


def test_gradient_alignment_compares_mean_rows():
    a, b = POINTS.mean(0), POINTS[:3, [1, 2, 0]].mean(0)
    node = fn.gradient_alignment(jnn.vector(X, Y, Z), POINTS[:3, [1, 2, 0]])
    assert value(node) == pytest.approx(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
    assert value(fn.gradient_alignment([1.0, 0.0], [-2.0, 0.0])) == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="eps must be a number above 0"):
        fn.gradient_alignment(X, Y, eps=0)


# --- residuals -----------------------------------------------------------------------------------------------------
U = X**3 * Y**2 * (1 + T**2)
a = 1 + t**2
u = x**3 * y**2 * a
u_t = x**3 * y**2 * 2 * t
u_tt = x**3 * y**2 * 2
u_x, u_y = 3 * x**2 * y**2 * a, 2 * x**3 * y * a
u_xx, u_yy = 6 * x * y**2 * a, 2 * x**3 * a
lap = u_xx + u_yy
F, f = X + 2 * Y, x + 2 * y


def test_poisson():
    check(fn.poisson(U, F, X, Y, diffusion=2.5), -2.5 * lap - f)
    check(fn.poisson(U, 0, X), -u_xx)


def test_helmholtz():
    check(fn.helmholtz(U, F, X, Y, wave_number=3.0), -lap - 9 * u - f)
    check(fn.helmholtz(U, F, X, Y), -lap - u - f)


def test_heat():
    check(fn.heat(U, T, X, Y, diffusivity=0.5, source=F), u_t - 0.5 * lap - f)
    check(fn.heat(U, T, X), u_t - u_xx)
    check(fn.heat(U, T, X, diffusivity=F), u_t - f * u_xx)


def test_diffusion():
    check(fn.diffusion(U, X, Y, t=T, diffusivity=0.5, source=F), u_t - 0.5 * lap - f)
    check(fn.diffusion(U, X, Y, diffusivity=0.5, source=F), -0.5 * lap - f)


def test_wave():
    check(fn.wave(U, T, X, Y, speed=2.0, source=F), u_tt - 4 * lap - f)


def test_biharmonic():
    check(fn.biharmonic(X**4 * Y**2, F, X, Y, stiffness=3.0), 3 * (24 * y**2 + 2 * 24 * x**2) - f)


@pytest.mark.parametrize("velocity", [[2.0, F], (2.0, F), jnn.concat([2.0, F])], ids=["list", "tuple", "expression"])
def test_advection(velocity):
    check(fn.advection(U, velocity, X, Y, t=T, source=F), u_t + 2 * u_x + f * u_y - f)
    check(fn.advection(U, velocity, X, Y), 2 * u_x + f * u_y)


def test_advection_along_one_variable():
    for velocity in (2.0, np.float64(2.0), np.array(2.0), [2.0], np.array([2.0])):
        check(fn.advection(U, velocity, X), 2 * u_x)
    check(fn.advection(U, F, X), f * u_x)


def test_advection_diffusion_reaction():
    residual = fn.advection_diffusion_reaction(
        U, np.array([2.0, 3.0]), X, Y, t=T, diffusivity=0.5, reaction_coeff=4.0, source=F
    )
    check(residual, u_t + 2 * u_x + 3 * u_y - 0.5 * lap + 4 * u - f)
    check(fn.advection_diffusion_reaction(U, [2.0, 3.0], X, Y), 2 * u_x + 3 * u_y - lap)


def test_burgers():
    check(fn.burgers_1d(U, X, T, viscosity=0.3, forcing=F), u_t + u * u_x - 0.3 * u_xx - f)
    check(fn.burgers_1d(U, X, T), u_t + u * u_x - 0.01 / np.pi * u_xx)
    check(fn.burgers_inviscid_1d(U, X, T, forcing=F), u_t + u * u_x - f)


def test_allen_cahn():
    check(fn.allen_cahn(U, T, X, Y, epsilon=0.3, source=F), u_t - 0.09 * lap + u**3 - u - f)
    check(fn.allen_cahn(U, T, X), u_t - 1e-4 * u_xx + u**3 - u)


def test_fisher_kpp():
    residual = fn.fisher_kpp(U, T, X, Y, diffusivity=0.5, growth_rate=3.0, source=F)
    check(residual, u_t - 0.5 * lap - 3 * u * (1 - u) - f)
    check(fn.fisher_kpp(U, T, X), u_t - u_xx - u * (1 - u))


def test_cahn_hilliard():
    field, q, q_x, q_xx, q_4x = X**4 * T, x**4 * t, 4 * x**3 * t, 12 * x**2 * t, 24 * t
    cubic = 6 * q * q_x**2 + 3 * q**2 * q_xx
    check(
        fn.cahn_hilliard(field, T, X, epsilon=0.3, mobility=2.0, source=F),
        x**4 - 2 * (-0.09 * q_4x + cubic - q_xx) - f,
    )


def test_continuity():
    for velocity in ([U, X * Y], jnn.concat([U, X * Y])):
        check(fn.continuity(velocity, X, Y, source=F), u_x + x - f)


def test_navier_stokes():
    v_field, p_field = X * Y**3 * T, X**2 * Y
    v, v_t, v_x, v_y, v_lap = x * y**3 * t, x * y**3, y**3 * t, 3 * x * y**2 * t, 6 * x * y * t
    residuals = fn.navier_stokes_incompressible_2d(
        U, v_field, p_field, X, Y, T, density=2.0, viscosity=0.5, forcing_x=F, forcing_y=1.0, continuity_source=F
    )
    assert isinstance(residuals, tuple)
    momentum_x, momentum_y, mass = residuals
    check(momentum_x, 2 * (u_t + u * u_x + v * u_y) + 2 * x * y - 0.5 * lap - f)
    check(momentum_y, 2 * (v_t + u * v_x + v * v_y) + x**2 - 0.5 * v_lap - 1)
    check(mass, u_x + v_y - f)


def test_steady_channel_flow_solves_navier_stokes():
    for residual in fn.navier_stokes_incompressible_2d(Y * (1 - Y), 0.0, -2e-2 * X, X, Y):
        check(residual, 0.0)


def test_maxwell():
    fields = [Y * Z * T, X * T**2, X * Y * Z, X**2 * T, Y * Z**2, Z * X * T**2]
    residuals = fn.maxwell_3d(*fields, X, Y, Z, T, 1.0, 2.0, F, charge_density=F, permittivity=2.0, permeability=0.25)
    assert isinstance(residuals, tuple)
    faraday = [x**2 + x * z, 0 + y * t - y * z, 2 * z * x * t + t**2 - z * t]
    ampere = [y * z - 2 * (-2 * y * z) + 0.5, 2 * x * t + 2 * z * t**2 + 1.0, 0 * x + f / 2]
    expected = [*faraday, *ampere, x * y - f / 2, 2 * x * t + z**2 + x * t**2]
    assert len(residuals) == 8
    for residual, right in zip(residuals, expected, strict=True):
        check(residual, right)


def test_plane_wave_solves_maxwell():
    wave = jnn.sin(2 * X - 3 * T)
    speed = 1.5
    residuals = fn.maxwell_3d(
        0.0, speed * wave, 0.0, 0.0, 0.0, wave, X, Y, Z, T, permittivity=1 / speed, permeability=1 / speed
    )
    for residual in residuals:
        check(residual, 0.0)


RESIDUALS = {
    "poisson": lambda *v, **k: fn.poisson(U, F, *v, **k),
    "helmholtz": lambda *v, **k: fn.helmholtz(U, F, *v, **k),
    "heat": lambda *v, **k: fn.heat(U, T, *v, **k),
    "diffusion": lambda *v, **k: fn.diffusion(U, *v, t=T, **k),
    "wave": lambda *v, **k: fn.wave(U, T, *v, **k),
    "biharmonic": lambda *v, **k: fn.biharmonic(U, F, *v, **k),
    "allen_cahn": lambda *v, **k: fn.allen_cahn(U, T, *v, **k),
    "fisher_kpp": lambda *v, **k: fn.fisher_kpp(U, T, *v, **k),
    "cahn_hilliard": lambda *v, **k: fn.cahn_hilliard(U, T, *v, **k),
    "advection": lambda *v, **k: fn.advection(U, [1.0] * len(v), *v, t=T, **k),
    "advection_diffusion_reaction": lambda *v, **k: fn.advection_diffusion_reaction(U, [1.0] * len(v), *v, t=T, **k),
    "continuity": lambda *v, **k: fn.continuity([U] * len(v), *v, **k),
}
FIRST_ORDER = ("advection", "continuity")
FIXED = {
    "burgers_1d": lambda **k: fn.burgers_1d(U, X, T, **k),
    "burgers_inviscid_1d": lambda **k: fn.burgers_inviscid_1d(U, X, T, **k),
    "navier_stokes_incompressible_2d": lambda **k: fn.navier_stokes_incompressible_2d(U, U, U, X, Y, T, **k),
    "maxwell_3d": lambda **k: fn.maxwell_3d(*[U] * 6, X, Y, Z, T, **k),
}
ALL = {**{name: (lambda b=build, **k: b(X, Y, **k)) for name, build in RESIDUALS.items()}, **FIXED}


@pytest.mark.parametrize("name", RESIDUALS)
def test_residual_needs_spatial_variables(name):
    with pytest.raises(ValueError, match=f"{name} needs at least one spatial variable"):
        RESIDUALS[name]()
    with pytest.raises(ValueError, match=f"{name}: .* is time"):
        RESIDUALS[name](X, T)
    with pytest.raises(TypeError, match=f"{name}: spatial variables come from"):
        RESIDUALS[name](X, 2 * Y)


def test_time_in_the_place_of_space():
    with pytest.raises(ValueError, match=r"burgers_1d: .* is time"):
        fn.burgers_1d(U, T, X)
    with pytest.raises(ValueError, match=r"heat: .* is time"):
        fn.heat(U, X, T)


def schemes(residual):
    roots = residual if isinstance(residual, tuple) else (residual,)
    nodes = list(walk(roots))
    first = {node.scheme for node in nodes if isinstance(node, Jacobian)}
    return first, {node.scheme for node in nodes if isinstance(node, Hessian)}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("scheme", [AUTOMATIC, "automatic_differentiation:forward", "finite_difference:lsq"])
def test_scheme_reaches_every_derivative(name, scheme):
    first, second = schemes(ALL[name](scheme=scheme))
    assert first | second == {scheme}


@pytest.mark.parametrize("name", ALL)
def test_second_order_suffix(name):
    scheme = "automatic_differentiation:fwd-over-fwd"
    if name in (*FIRST_ORDER, "burgers_inviscid_1d", "maxwell_3d"):
        with pytest.raises(ValueError, match="Unknown scheme"):
            ALL[name](scheme=scheme)
        return
    first, second = schemes(ALL[name](scheme=scheme))
    assert first <= {AUTOMATIC}
    assert second == {scheme}


@pytest.mark.parametrize("name", ALL)
def test_unknown_scheme_and_keyword(name):
    with pytest.raises(ValueError, match="Unknown scheme 'foo'"):
        ALL[name](scheme="foo")
    with pytest.raises(TypeError, match="viscocity"):
        ALL[name](viscocity=1.0)


def test_velocity_must_fit_the_variables():
    with pytest.raises(ValueError, match=r"velocity has 1 component\(s\) but 2 variable\(s\)"):
        fn.advection(U, [1.0], X, Y)
    with pytest.raises(ValueError, match=r"velocity has 1 component\(s\) but 2 variable\(s\)"):
        fn.advection(U, 1.0, X, Y)
    with pytest.raises(ValueError, match="vector with 2 components"):
        value(fn.advection(U, F, X, Y))
    with pytest.raises(TypeError, match="velocity must be a list of components"):
        fn.advection(U, {"x": 1.0}, X)
