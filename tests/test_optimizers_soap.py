"""SOAP: against Adam, against the pseudo code in NumPy, and on rotated quadratics."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import final_loss

import jno
from jno.optimizers import scale_by_soap, soap


def gradients(tree, count, seed=0):
    rng = np.random.default_rng(seed)
    return [jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), leaf.dtype), tree) for _ in range(count)]


def updates_of(optimizer, params, grads):
    state, found = optimizer.init(params), []
    update = jax.jit(optimizer.update)
    for grad in grads:
        updates, state = update(grad, state, params)
        found.append(updates)
    return found, state


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


# --- Adam -------------------------------------------------------------------------------------------------------
def test_without_rotations_it_is_adam_after_one_step_of_zero():
    params = {"w": jnp.ones((3, 2)), "b": jnp.ones(4), "s": jnp.float32(1.0), "none": None}
    grads = gradients(params, 6)
    found, state = updates_of(soap(1e-2, b1=0.9, b2=0.99, max_precond_dim=1), params, grads)
    assert not jax.tree.leaves(state[0].bases)
    expected, _ = updates_of(optax.adam(1e-2, 0.9, 0.99), params, grads[1:])
    for leaf in jax.tree.leaves(found[0]):
        np.testing.assert_array_equal(leaf, 0.0)
    for ours, adams in zip(found[1:], expected, strict=True):
        assert jax.tree.structure(ours) == jax.tree.structure(adams)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5), ours, adams)


def test_vectors_and_long_axes_stay_as_they_are_unless_asked():
    params = [jnp.ones(3), jnp.ones((4, 2)), jnp.ones((1, 3)), jnp.ones((2, 3, 5)), jnp.float32(0.0)]
    shapes = lambda state: [[None if q is None else q.shape[0] for q in bases] for bases in state.bases]  # noqa: E731
    assert shapes(scale_by_soap().init(params)) == [[None], [4, 2], [None, 3], [2, 3, 5], []]
    assert shapes(scale_by_soap(max_precond_dim=3).init(params)) == [[None], [None, 2], [None, 3], [2, 3, None], []]
    assert shapes(scale_by_soap(precondition_1d=True).init(params)) == [[3], [4, 2], [None, 3], [2, 3, 5], []]


def test_without_bias_correction():
    params = jnp.ones(2)
    found, _ = updates_of(scale_by_soap(b1=0.9, b2=0.99, correct_bias=False), params, [params, params])
    np.testing.assert_allclose(found[1], 0.1 / np.sqrt(0.01), rtol=1e-5)


# --- the algorithm ----------------------------------------------------------------------------------------------
def by_the_pseudo_code(grads, b1, b2, beta, eps, frequency):
    """Directions for one matrix: algorithm 3 of the paper, with eigenvectors sorted before they are refreshed."""
    m, n = grads[0].shape
    mean, square = np.zeros((m, n)), np.zeros((m, n))
    left, right = (1 - beta) * grads[0] @ grads[0].T, (1 - beta) * grads[0].T @ grads[0]
    ql, qr = np.linalg.eigh(left)[1][:, ::-1], np.linalg.eigh(right)[1][:, ::-1]
    found = [np.zeros((m, n))]
    for t, g in enumerate(grads[1:], 1):
        mean = b1 * mean + (1 - b1) * g
        square = b2 * square + (1 - b2) * (ql.T @ g @ qr) ** 2
        projected = ql.T @ mean @ qr / (1 - b1**t)
        found.append(ql @ (projected / (np.sqrt(square / (1 - b2**t)) + eps)) @ qr.T)
        left = beta * left + (1 - beta) * g @ g.T
        right = beta * right + (1 - beta) * g.T @ g
        if t % frequency == 0:
            rows, columns = np.argsort(-np.diag(ql.T @ left @ ql)), np.argsort(-np.diag(qr.T @ right @ qr))
            square = square[rows][:, columns]
            ql, qr = np.linalg.qr(left @ ql[:, rows])[0], np.linalg.qr(right @ qr[:, columns])[0]
    return found


@pytest.mark.parametrize("shampoo_beta", [-1, 0.8])
def test_matrices_follow_the_pseudo_code(shampoo_beta):
    with jax.enable_x64(True):
        params = jnp.zeros((4, 3))
        grads = gradients(params, 12)
        transform = scale_by_soap(0.9, 0.95, shampoo_beta, 1e-8, precondition_frequency=3, qr_dtype=None)
        found, _ = updates_of(transform, params, grads)
        beta = 0.95 if shampoo_beta < 0 else shampoo_beta
        expected = by_the_pseudo_code([np.asarray(g) for g in grads], 0.9, 0.95, beta, 1e-8, 3)
        for ours, reference in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, reference, rtol=1e-6, atol=1e-9)


def test_bases_are_orthogonal_eigenvectors():
    """Gradients of one covariance: the moments settle, and so do their eigenvectors, largest first."""
    a, b = rotation(6, 1), rotation(4, 2)
    scales = np.outer(np.geomspace(30.0, 1.0, 6), np.geomspace(8.0, 1.0, 4))
    rng = np.random.default_rng(0)
    grads = [jnp.asarray(a @ (scales * rng.choice([-1.0, 1.0], size=(6, 4))) @ b.T, jnp.float32) for _ in range(150)]
    params = jnp.zeros((6, 4))
    _, state = updates_of(scale_by_soap(b2=0.99, precondition_frequency=2), params, grads)
    for moment, basis in zip(state.moments[0], state.bases[0], strict=True):
        n = basis.shape[0]
        np.testing.assert_allclose(basis.T @ basis, np.eye(n), atol=3e-6)
        rotated = np.asarray(basis.T @ moment @ basis, dtype=float)
        diagonal = np.diag(rotated)
        assert (np.diff(diagonal) < 0).all()
        root = np.sqrt(diagonal)
        assert np.abs(rotated / np.outer(root, root) - np.eye(n)).max() < 0.05
        np.testing.assert_allclose(diagonal / np.linalg.eigvalsh(moment)[::-1], 1.0, atol=0.01)


def test_a_tensor_is_rotated_along_each_axis():
    """Rotating all gradients rotates the directions."""
    with jax.enable_x64(True):
        params = jnp.zeros((3, 4, 2))
        grads = gradients(params, 5)
        bases = [rotation(n, n) for n in params.shape]
        turn = lambda g: jnp.einsum("abc,ia,jb,kc->ijk", g, *bases)  # noqa: E731
        transform = scale_by_soap(precondition_frequency=2, qr_dtype=None)
        found, _ = updates_of(transform, params, grads)
        turned, _ = updates_of(transform, params, [turn(g) for g in grads])
        for one, other in zip(found, turned, strict=True):
            np.testing.assert_allclose(turn(one), other, atol=1e-7)


def test_small_gradients_keep_their_eigenbasis_in_a_narrower_type():
    with jax.enable_x64(True):
        params = jnp.zeros((3, 3))
        grads = gradients(params, 4)
        found, _ = updates_of(scale_by_soap(eps=0.0), params, grads)
        small, _ = updates_of(scale_by_soap(eps=0.0), params, [1e-30 * g for g in grads])
        np.testing.assert_allclose(small[-1], found[-1], rtol=1e-5)


def test_a_rotated_quadratic_is_minimised_better_than_by_adam():
    """Curvatures over six decades in rotated bases of rows and columns; each method at its best rate."""
    a, b = rotation(8, 3), rotation(6, 4)
    left = jnp.asarray((a * np.geomspace(1.0, 1e-3, 8)) @ a.T, jnp.float32)
    right = jnp.asarray((b * np.geomspace(1.0, 1e-3, 6)) @ b.T, jnp.float32)
    target = jnp.asarray(np.random.default_rng(5).normal(size=(8, 6)), jnp.float32)
    loss = lambda w: 0.5 * jnp.sum((w - target) * (left @ (w - target) @ right))  # noqa: E731
    start, steps, rates = jnp.zeros((8, 6)), 300, (1.0, 0.3, 0.1, 0.03)
    adam = final_loss(lambda rate: optax.adam(rate, 0.95, 0.95), loss, start, steps)
    ours = final_loss(lambda rate: soap(rate, precondition_frequency=5), loss, start, steps)
    assert min(map(ours, rates)) < 1e-2 * min(map(adam, rates))


# --- parts of the chain -----------------------------------------------------------------------------------------
def test_the_learning_rate_may_be_a_schedule():
    params = jnp.ones((3, 2))
    grads = gradients(params, 4)
    found, _ = updates_of(soap(lambda step: 0.1 / (1.0 + step)), params, grads)
    directions, _ = updates_of(scale_by_soap(), params, grads)
    for step, (update, direction) in enumerate(zip(found, directions, strict=True)):
        np.testing.assert_allclose(update, -0.1 / (1.0 + step) * direction, rtol=1e-5)


def test_weight_decay_is_decoupled_and_leaves_the_first_step_at_zero():
    params = {"w": 2.0 * jnp.ones((3, 2)), "b": jnp.ones(2)}
    grads = gradients(params, 3)
    found, _ = updates_of(soap(0.1, weight_decay=0.5), params, grads)
    plain, _ = updates_of(soap(0.1), params, grads)
    jax.tree.map(lambda u: np.testing.assert_array_equal(u, 0.0), found[0])
    for decayed, update in zip(found[1:], plain[1:], strict=True):
        jax.tree.map(
            lambda d, u, p: np.testing.assert_allclose(d, u - 0.05 * p, rtol=1e-5, atol=1e-7), decayed, update, params
        )
    optimizer = soap(weight_decay=0.5)
    with pytest.raises(ValueError, match="weight_decay needs the parameters"):
        optimizer.update(grads[0], optimizer.init(params))


def test_types_of_the_state():
    with jax.enable_x64(True):
        params = {"a": jnp.zeros((3, 2), jnp.float32), "b": jnp.zeros((2, 2), jnp.float64)}
        found, state = updates_of(scale_by_soap(mu_dtype=jnp.bfloat16), params, gradients(params, 3))
    assert {leaf.dtype.name for leaf in jax.tree.leaves(state.mu)} == {"bfloat16"}
    assert [bases[0].dtype.name for bases in state.bases] == ["float32", "float64"]
    assert [moments[0].dtype.name for moments in state.moments] == ["float32", "float64"]
    assert found[-1]["a"].dtype == jnp.float32
    assert found[-1]["b"].dtype == jnp.float64


def test_zero_gradients_stay_zero():
    params = jnp.zeros((3, 2))
    found, state = updates_of(soap(precondition_frequency=1), params, [params] * 3)
    np.testing.assert_array_equal(found[-1], 0.0)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate must be at least 0, got -1.0"),
        ({"b1": 1.0}, r"b1 must be in \[0, 1\), got 1.0"),
        ({"b2": -0.1}, r"b2 must be in \[0, 1\), got -0.1"),
        ({"shampoo_beta": 1.0}, r"shampoo_beta must be below 1 \(a negative number means b2\), got 1.0"),
        ({"eps": -1e-8}, "eps must be at least 0"),
        ({"weight_decay": -0.1}, "weight_decay must be at least 0"),
        ({"precondition_frequency": 0}, "precondition_frequency must be at least 1, got 0"),
        ({"max_precond_dim": -1}, "max_precond_dim must be at least 0, got -1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=f"soap: {message}"):
        soap(**arguments)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (
            lambda: jno.optimizers.engd(line_search="abc"),
            r"engd\(line_search='abc'\): line_search must be True or False",
        ),
        (lambda: jno.optimizers.engd(rcond=float("nan")), "rcond=nan"),
        (lambda: jno.optimizers.ssbroyden(scale_init_precond="abc"), "scale_init_precond must be True or False"),
        (lambda: jno.optimizers.ssbfgs(linesearch=3), "linesearch must be an optax transform"),
        (lambda: jno.optimizers.ssbfgs(float("inf")), "learning_rate must be at least 0"),
        (lambda: jno.optimizers.soap(lambda: 0.1), "learning_rate must be at least 0, or a schedule of the step"),
        (lambda: jno.optimizers.soap(mu_dtype=3), "mu_dtype must be a floating dtype"),
        (lambda: jno.optimizers.soap(precision=7), "precision must be a jax.lax.Precision or one of"),
        (lambda: jno.optimizers.md(None), "must be an optax transform, got NoneType"),
    ],
)
def test_arguments_of_another_kind_are_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make()
