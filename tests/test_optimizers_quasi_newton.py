"""Self-scaled quasi-Newton directions: against the formulas in NumPy, finite termination, safeguards."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jno.optimizers import scale_by_ss_quasi_newton

METHODS = ("bfgs", "ssbfgs", "ssbroyden")


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def spd(n, condition, seed=0):
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))
    return (basis * np.geomspace(1.0, condition, n)) @ basis.T


def exact_line_search(matrix):
    """The minimum along the update of a quadratic with this Hessian."""

    def update(updates, state, params, *, value, grad, value_fn):
        return updates * (-(grad @ updates) / (updates @ matrix @ updates)), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


# --- the formulas -----------------------------------------------------------------------------------------------
def scaling_by_the_papers(method, s, y, inverse, n):
    """`tau`, `phi` with the inverse of H formed."""
    hessian = np.linalg.inv(inverse)
    b, h = s @ hessian @ s / (y @ s), y @ inverse @ y / (y @ s)
    if method == "bfgs":
        return 1.0, 1.0
    tau1 = min(1.0, 1.0 / b)
    if method == "ssbfgs":
        return tau1, 1.0
    a = h * b - 1.0
    c = np.sqrt(a / (a + 1.0))
    rho = min(1.0, h * (1.0 - c))
    theta = max((rho - 1.0) / a, min(1.0 / rho, (1.0 - b) / b))
    sigma = 1.0 + a * theta
    root = abs(sigma) ** (1.0 / (1.0 - n))
    tau = tau1 * min(root, 1.0 / theta) if theta > 0 else min(tau1 * root, sigma)
    return tau, (1.0 - theta) / (1.0 + a * theta)


def updated_by_the_papers(method, s, y, inverse):
    tau, phi = scaling_by_the_papers(method, s, y, inverse, len(s))
    moved = inverse @ y
    v = np.sqrt(y @ moved) * (s / (y @ s) - moved / (y @ moved))
    inner = inverse - np.outer(moved, moved) / (y @ moved) + phi * np.outer(v, v)
    return inner / tau + np.outer(s, s) / (y @ s)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("scale_init", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_updates_are_those_of_the_papers(method, scale_init):
    """Steps of very different length along the direction, so that all branches of the scaling are taken."""
    matrix = spd(5, 30.0)
    transform = scale_by_ss_quasi_newton(method, scale_init)
    update = jax.jit(transform.update)
    gradient = lambda x: matrix @ x + x**3  # noqa: E731
    x = np.array([1.0, -0.5, 2.0, 0.3, -1.0])
    state, inverse, taken = transform.init(jnp.asarray(x)), np.eye(5), 0
    previous = None
    for factor in (0.05, 0.3, 0.02, 1.3, 0.1, 0.9, 0.3, 1.1, 0.5, 1.0):
        g = gradient(x)
        if previous is not None:
            s, y = x - previous[0], g - previous[1]
            assert y @ s > 0
            if scale_init and taken == 0:
                inverse = np.eye(5) * (y @ s) / (y @ y)
            inverse = updated_by_the_papers(method, s, y, inverse)
            taken += 1
        direction, state = update(jnp.asarray(g), state, jnp.asarray(x))
        expected = inverse @ g
        if scale_init and taken == 0:
            expected = g * min(1.0, 1.0 / np.linalg.norm(g))
        np.testing.assert_allclose(direction, expected, rtol=1e-8)
        np.testing.assert_allclose(state.inverse_hessian, inverse, rtol=1e-7, atol=1e-10)
        if previous is not None:
            np.testing.assert_allclose(state.inverse_hessian @ y, s, rtol=1e-9, atol=1e-12)  # the secant equation
            assert np.linalg.eigvalsh(state.inverse_hessian).min() > 0
        previous = x, g
        x = x - factor * np.asarray(direction) / np.linalg.norm(direction)
    assert int(state.pairs) == 9


@pytest.mark.usefixtures("float64")
def test_all_branches_of_the_broyden_scaling_are_those_of_the_papers():
    from jno.optimizers._self_scaling import scaling

    rng, signs = np.random.default_rng(1), set()
    for _ in range(200):
        inverse = spd(4, 10.0 ** rng.uniform(0, 3), int(rng.integers(1000))) * 10.0 ** rng.uniform(-2, 2)
        s, y = rng.normal(size=4), rng.normal(size=4)
        if y @ s < 0.1:
            continue
        b, h = s @ np.linalg.inv(inverse) @ s / (y @ s), y @ inverse @ y / (y @ s)
        tau, phi = scaling("ssbroyden", jnp.asarray(b), jnp.asarray(h), 4)
        np.testing.assert_allclose(
            (float(tau), float(phi)), scaling_by_the_papers("ssbroyden", s, y, inverse, 4), rtol=1e-6
        )
        signs.add((float(phi) > 1.0, b > 1.0))
    assert signs == {(False, False), (True, True)}  # theta = (1 - b) / b has the sign of 1 - b; phi > 1 for theta < 0


# --- minima -----------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("method", METHODS)
def test_with_exact_line_searches_all_methods_are_bfgs_and_end_after_n_steps(method):
    n = 6
    matrix = spd(n, 50.0)
    start = np.linspace(1.0, 2.0, n)

    # BFGS in product form
    x, inverse, expected = start.copy(), np.eye(n), []
    for _ in range(n):
        g = matrix @ x
        p = -inverse @ g
        s = -(g @ p) / (p @ matrix @ p) * p
        y = matrix @ s
        left = np.eye(n) - np.outer(s, y) / (y @ s)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (y @ s)
        x = x + s
        expected.append(x)

    loss = lambda x: 0.5 * x @ (jnp.asarray(matrix) @ x)  # noqa: E731
    optimizer = optax.chain(
        scale_by_ss_quasi_newton(method, scale_init_precond=False), optax.scale(-1.0), exact_line_search(matrix)
    )
    x, state, iterates = jnp.asarray(start), optimizer.init(jnp.asarray(start)), []
    update = jax.jit(lambda g, s, x: optimizer.update(g, s, x, value=loss(x), grad=g, value_fn=loss))
    for _ in range(n):
        updates, state = update(matrix @ x, state, x)
        x = x + updates
        iterates.append(x)
    np.testing.assert_allclose(np.array(iterates), np.array(expected), atol=1e-9)
    assert np.linalg.norm(iterates[-1]) < 1e-9
    assert np.linalg.norm(iterates[-2]) > 1e-3


# --- safeguards -------------------------------------------------------------------------------------------------
def run(pairs, method="ssbfgs"):
    """State after each of the `(x, g)`."""
    transform = scale_by_ss_quasi_newton(method)
    update = jax.jit(transform.update)
    state = transform.init(jnp.asarray(pairs[0][0], dtype=float))
    found = []
    for x, g in pairs:
        direction, state = update(jnp.asarray(g, dtype=float), state, jnp.asarray(x, dtype=float))
        found.append((np.asarray(direction), state))
    return found


@pytest.mark.parametrize("method", METHODS)
def test_negative_curvature_leaves_the_matrix(method):
    convex = [([0.0, 0.0], [1.0, 2.0]), ([-0.1, -0.3], [0.5, 1.0])]
    first, second = run([*convex, ([-0.2, -0.4], [0.9, 1.5])], method)[1:]
    np.testing.assert_array_equal(first[1].inverse_hessian, second[1].inverse_hessian)
    assert int(second[1].pairs) == 1
    np.testing.assert_allclose(second[0], first[1].inverse_hessian @ np.array([0.9, 1.5]), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_curvature_of_the_size_of_rounding_leaves_the_matrix(method):
    """The gradient turns at a right angle to the step but for 1e-9 of it, which single precision does not resolve."""
    known = [([0.0, 0.0], [1.0, 2.0]), ([-0.1, -0.3], [0.5, 1.0])]
    across = ([0.9, -0.3], [0.5 + 2.0**-24, 2.0])
    before, after = run([*known, across], method)[1:]
    assert 0 < np.float32(across[1][0]) - np.float32(0.5) < 1e-7
    np.testing.assert_array_equal(before[1].inverse_hessian, after[1].inverse_hessian)
    assert int(after[1].pairs) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_gives_no_update_and_is_forgotten(bad):
    start, spoilt, after = run([([0.0, 0.0], [1.0, 2.0]), ([-0.1, -0.2], [bad, 1.0]), ([-0.1, -0.2], [0.5, 1.0])])
    np.testing.assert_array_equal(spoilt[0], 0.0)
    for before, now in zip(start[1], spoilt[1], strict=True):
        np.testing.assert_array_equal(before, now)
    assert int(after[1].pairs) == 1
    np.testing.assert_allclose(after[1].inverse_hessian @ np.array([-0.5, -1.0]), [-0.1, -0.2], rtol=1e-5)


def test_a_step_that_did_not_move_starts_again_with_the_gradient():
    *_, found = run([([0.0, 0.0], [1.0, 2.0]), ([-0.1, -0.3], [0.5, 1.0]), ([-0.1, -0.3], [0.5, 0.5])])
    assert int(found[1].pairs) == 0
    np.testing.assert_allclose(found[0], [0.5, 0.5])


def test_a_matrix_that_gives_no_descent_starts_again_with_the_gradient():
    transform = scale_by_ss_quasi_newton()
    x, g = jnp.zeros(2), jnp.array([0.3, 0.4])
    for matrix in (-jnp.eye(2), jnp.full((2, 2), jnp.nan)):
        state = transform.init(x)._replace(pairs=jnp.int32(3), inverse_hessian=matrix)
        direction, state = jax.jit(transform.update)(g, state, x)
        np.testing.assert_allclose(direction, g)
        assert int(state.pairs) == 0


# --- errors -----------------------------------------------------------------------------------------------------
def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="unknown method 'dfp', allowed are bfgs, ssbfgs, ssbroyden"):
        scale_by_ss_quasi_newton("dfp")


def test_parameters_are_needed():
    transform = scale_by_ss_quasi_newton()
    with pytest.raises(ValueError, match=r"the parameters are needed, call update\(gradients, state, params\)"):
        transform.update(jnp.ones(2), transform.init(jnp.ones(2)))


@pytest.mark.parametrize("dtype", [jnp.int32, jnp.complex64])
def test_only_real_parameters(dtype):
    with pytest.raises(TypeError, match=f"real floating point parameters, got {jnp.dtype(dtype)}"):
        scale_by_ss_quasi_newton().init({"w": jnp.ones(2, dtype)})
