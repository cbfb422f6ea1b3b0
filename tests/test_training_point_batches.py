"""Mini-batches of points: every point once per pass, the gradient of all points, what follows, what is refused."""

import itertools

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.compiler import Program
from jno.training._point_batches import drawn_program
from jno.training._step import Step
from jno.utils.callbacks import Callback

BASE = 4
POINTS = 11
"""Points of `counted`: point ``k`` has the value ``BASE**k``, so the digits of a sum tell how often each was drawn."""


def still():
    """A number that is trained and stays."""
    return jno.np.parameter(()).optimizer(optax.sgd(0.0))


def counted(copies=1):
    domain = jno.domain.line(mesh_size=0.1)
    domain = domain if copies == 1 else copies * domain
    x, _ = domain.variable("interior")
    return domain, x, jno.np.exp(np.log(BASE) * 10.0 * x)


def digits(sums):
    return np.round(sums).astype(int)[:, None] // BASE ** np.arange(POINTS) % BASE


def losses(crux, epochs, **options):
    return crux.solve(epochs, **options).training_logs[-1]["losses"]


def network(width=8, seed=0):
    return jno.nn(foundax.mlp(1, hidden_dims=width, num_layers=2, key=jax.random.PRNGKey(seed)))


class Gradients(Callback):
    """Keeps the gradients, and the loss that callbacks can evaluate."""

    def __init__(self):
        self.gradients, self.losses = [], []

    def on_before_update(self, *, grads, value_fn, trainable, **_):
        self.gradients.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree_util.tree_leaves(grads)]))
        self.losses.append(float(value_fn(trainable)))


# --- which points -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("options", [{}, {"inner_steps": 11}])
def test_every_pass_sees_each_point_once(options):
    _, _, value = counted()
    values = losses(jno.core([value + 0.0 * still()]), 33, point_batch=4, **options)[:, 0]
    drawn = digits(4 * values)
    np.testing.assert_array_equal(drawn.sum(axis=1), 4)
    np.testing.assert_array_equal(drawn.reshape(3, 11, POINTS).sum(axis=1), 4)  # 44 points are four passes
    assert len(np.unique(drawn, axis=0)) > 20


def test_tags_that_are_not_paired_have_orders_of_their_own():
    domain = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)])
    (x, *_), (a, *_) = domain.variable("interior", (20, None)), domain.variable("boundary", (20, None))
    drawn = drawn_program(Program([x.mse + 0.0 * still(), a.mse], domain), 5, ["inside", "edge"], 0)
    orders = [np.concatenate([batch.passes(jnp.int32(k)) for k in range(4)]) for batch in drawn.batches]
    assert [sorted(order) for order in orders] == [list(range(20))] * 2
    assert not np.array_equal(*orders)


def test_calls_go_on_where_the_last_one_ended():
    _, _, value = counted()
    once = losses(jno.core([value + 0.0 * still()]), 9, point_batch=4)
    crux = jno.core([value + 0.0 * still()])
    twice = [losses(crux, epochs, point_batch=4) for epochs in (4, 5)]
    np.testing.assert_array_equal(np.concatenate(twice), once)


def test_tags_that_are_left_out_and_small_ones_keep_all_points():
    domain, _, value = counted()
    xb, _ = domain.variable("boundary")
    xd = domain.variable("drawn", np.linspace(0.0, 1.0, 30), point_data=True)
    p = still()
    crux = jno.core([value + 0.0 * p, xb**2 + 0.0 * p, xd**2 + 0.0 * p])
    for sizes, drawn in ((4, (True, False, True)), ({"interior": 4}, (True, False, False))):
        values = losses(crux, 6, point_batch=sizes)
        assert tuple(len(np.unique(column)) > 1 for column in values.T) == drawn
    np.testing.assert_allclose(values[:, 1], 0.5, rtol=1e-6)


def test_a_batch_of_all_points_is_no_batch():
    _, _, value = counted()
    crux = jno.core([value + 0.0 * still()])
    np.testing.assert_array_equal(losses(crux, 2, point_batch=POINTS), losses(crux, 2))


# --- what is estimated ------------------------------------------------------------------------------------------
def test_the_mean_gradient_of_a_pass_is_that_of_all_points():
    _, x, _ = counted()
    net = network().optimizer(optax.sgd(0.0))
    u = net(x) * x
    problem = [(u.d2(x) + jno.np.sin(3 * x)).mse, (u - x).mae + 2.0 * (u * x).mean]
    full, some = Gradients(), Gradients()
    jno.core(problem).solve(1, callbacks=[full])
    history = jno.core(problem).solve(11, point_batch=4, callbacks=[some])
    np.testing.assert_allclose(np.mean(some.gradients, axis=0), full.gradients[0], rtol=1e-4, atol=1e-5)
    assert np.std(some.gradients, axis=0).max() > 1e-3
    # what a line search evaluates is the loss of the step's own points
    np.testing.assert_allclose(some.losses, history.total_loss_history, rtol=1e-5)


def test_sums_are_made_as_large_as_those_of_all_points():
    _, x, _ = counted()
    p = still()
    crux = jno.core([(10 * x + 0.0 * p).sum, 0.5 * jno.np.sum(x) + (0.0 * p), (x * x).sum * 2.0 + 0.0 * p])
    values = losses(crux, 11, point_batch=4)
    full = losses(crux, 1)
    np.testing.assert_allclose(values.mean(axis=0), full[0], rtol=1e-5)
    assert np.ptp(values[:, 0]) > 1.0


def test_integrals_see_their_own_points():
    _, x, value = counted()
    p = still()
    values = losses(jno.core([value + 0.0 * p, (x**2).integrate() * (1.0 + x).mean + 0.0 * p]), 11, point_batch=4)
    np.testing.assert_allclose(values[:, 1].mean(), 0.5, rtol=0.02)


def test_trackers_see_all_points():
    _, x, value = counted()
    crux = jno.core([value + 0.0 * still(), (10 * x).sum.tracker(interval=1)])
    log = crux.solve(3, point_batch=4).training_logs[-1]
    np.testing.assert_allclose(log["track_stats"][0]["values"], 55.0, rtol=1e-5)


# --- what follows the points ------------------------------------------------------------------------------------
def test_data_at_points_follows_them_and_tables_do_not():
    domain, x, value = counted()
    p = still()
    places = np.asarray(domain.context["interior"])[0, 0]
    attached = domain.variable("attached", 3.0 * places)
    own = domain.variable("own", 3.0 * places, point_data=True)
    table = domain.variable("table", np.arange(POINTS, dtype=float))
    crux = jno.core([(attached - 3 * x + 0.0 * p).mse, (own - 3 * x).mse, value * table.mean + 0.0 * p, value])
    values = losses(crux, 6, point_batch=4)
    assert values[:, :2].max() < 1e-12
    np.testing.assert_allclose(values[:, 2], 5.0 * values[:, 3], rtol=1e-5)


def test_normals_and_times_follow_their_points():
    domain = jno.domain.rect(mesh_size=0.25, time=(0.0, 1.0, 3))
    x, y, t, nx, ny = domain.variable("boundary", sample=(40, "uniform"), normals=True, split=True)
    p = still()
    outward = nx * (x - 0.5) + ny * (y - 0.5) - 0.5
    values = losses(jno.core([outward.mse + 0.0 * p, (x * t + 0.0 * p).mse]), 4, point_batch=7, min_consecutive=None)
    assert values[:, 0].max() < 1e-10
    assert len(np.unique(values[:, 1])) == 4


def test_points_that_are_paired_are_drawn_together():
    domain = jno.domain.rect(mesh_size=0.1)
    _, yl, _ = domain.variable("left")
    xr, yr, _ = domain.variable("right", like="left")
    u = jno.np.sin(3 * yl) - jno.np.sin(3 * yr)
    values = losses(jno.core([(u + 0.0 * still()).mse, (yl * xr).mean]), 4, point_batch=5)
    assert values[:, 0].max() < 1e-10
    assert len(np.unique(values[:, 1])) > 1


def test_finite_differences_are_those_at_the_points():
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior")
    slope = (jno.np.sin(3 * x) * y).d(x, scheme="finite_difference")
    everywhere = np.asarray(jno.core([slope.mse]).eval(slope))[0]
    known = domain.variable("known", everywhere, point_data=True)
    values = losses(jno.core([(slope - known + 0.0 * still()).mse]), 3, point_batch=6)
    assert values.max() < 1e-10


# --- together with other options --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "options", [{}, {"batchsize": 2}, {"batchsize": 2, "accumulation_steps": 2}, {"batchsize": 2, "offload_data": True}]
)
def test_samples_and_points_are_drawn_both(options):
    domain, _, value = counted(copies=4)
    f = domain.variable("f", 16.0 ** np.arange(4)[:, None])
    p = still()
    values = losses(jno.core([value + 0.0 * p, f + 0.0 * p, f * value]), 12, point_batch=4, **options)
    drawn = digits(4 * options.get("accumulation_steps", 1) * values[:, 0])
    np.testing.assert_array_equal(drawn.sum(axis=1), 4 * options.get("accumulation_steps", 1))
    if "accumulation_steps" not in options:  # the same points for all samples of a step
        np.testing.assert_allclose(values[:, 2], values[:, 0] * values[:, 1], rtol=1e-5)
    assert (len(np.unique(values[:, 1])) > 1) == (options.get("batchsize") == 2 and "accumulation_steps" not in options)


def test_mini_batches_of_points_that_make_up_a_pass_give_the_gradient_of_all():
    domain = jno.domain.line(mesh_size=1 / 11)
    x, _ = domain.variable("interior")
    net = network().optimizer(optax.sgd(0.0))
    problem = [(net(x) - jno.np.sin(3 * x)).mse]
    full, some = Gradients(), Gradients()
    jno.core(problem).solve(1, callbacks=[full])
    jno.core(problem).solve(2, point_batch=4, accumulation_steps=3, callbacks=[some])
    for gradient in some.gradients:
        np.testing.assert_allclose(gradient, full.gradients[0], rtol=1e-4, atol=1e-6)


def test_substeps_see_points_of_their_own():
    _, _, value = counted()
    p, q = still(), still()
    values = losses(jno.core([value + 0.0 * p, value + 0.0 * q]), 6, point_batch=4, substeps=[[0], [1]])
    np.testing.assert_array_equal(values[:, 0], values[:, 1])  # those outside the first are observed on its points


def test_points_that_are_replaced_are_drawn_from():
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior", sample=(40, "uniform"), resampling_strategy=jno.sampler.random(resample_every=2))
    values = losses(jno.core([x + 0.0 * still()]), 8, point_batch=40 - 1)[:, 0]
    means = np.round(values[::2] * 39, 3)
    assert len(np.unique(means)) == 4


def test_training_goes_on_bit_for_bit(tmp_path):
    def problem():
        domain, x, _ = counted(copies=3)
        f = domain.variable("f", np.arange(3.0)[:, None])
        net = network().optimizer(optax.adam(1e-2))
        return [(net(x) - f * x).mse]

    options = {"point_batch": 4, "batchsize": 2, "accumulation_steps": 2}
    expected = losses(jno.core(problem()), 9, **options)
    keep = jno.callbacks.checkpoint(tmp_path, save_interval_epochs=5)
    jno.core(problem()).solve(5, callbacks=[keep], **options)
    keep.close()
    resumed = losses(jno.core(problem(), resume_from=str(tmp_path)), 4, **options)
    np.testing.assert_array_equal(resumed, expected[5:])


def compiled_step(points, monkeypatch, **options):
    calls = []
    original = Step.run
    with monkeypatch.context() as patch:
        patch.setattr(Step, "run", lambda step, *given: calls.append((step, given)) or original(step, *given))
        domain = jno.domain.line(mesh_size=0.1)
        x, _ = domain.variable("interior", sample=(points, "uniform"))
        u = network(width=16).optimizer(optax.adam(1e-3))(x)
        jno.core([(u.d2(x) + u).mse]).solve(1, **options)
    step, (state, data, _) = calls[0]
    return step.compiled(state, data)


@pytest.mark.optimized
def test_memory_and_operations_do_not_depend_on_the_number_of_points(monkeypatch):
    few, many = (compiled_step(points, monkeypatch, point_batch=64) for points in (1_000, 100_000))
    assert many.memory_analysis().temp_size_in_bytes <= 1.05 * few.memory_analysis().temp_size_in_bytes
    assert many.cost_analysis()["flops"] <= 1.05 * few.cost_analysis()["flops"]


def test_large_batches_are_computed_in_blocks(monkeypatch):
    from jno.training import _objective

    blocks = []
    original = _objective.blocks_for
    monkeypatch.setattr(_objective, "blocks_for", lambda *given: blocks.append(original(*given)) or blocks[-1])
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior", sample=(30_000, "uniform"))
    u = network(width=64).optimizer(optax.sgd(0.0))(x)
    crux = jno.core([(u.d2(x) + x).mse])
    sizes = (30_000, 29_000, 100)
    values = [losses(crux, 1, point_batch=size)[0, 0] for size in sizes]
    assert blocks[0].count >= blocks[1].count > 1
    assert blocks[2] is None
    np.testing.assert_allclose(values[1], values[0], rtol=0.02)


# --- what is refused --------------------------------------------------------------------------------------------
def constraint(kind):
    _, x, _ = counted()
    p = still()
    if kind == "root":
        return jno.np.sqrt((x + p).mse)
    if kind == "mean inside":
        return (p * x - x.mean).mse
    if kind == "quotient":
        return (p * x - 1.0).mse / (x + 1.0).mse
    if kind == "largest":
        return (x + p).max
    if kind == "neighbours":
        return (x[1:] - x[:-1] + p).mse
    if kind == "function":
        return jno.fn(lambda a: a - a.mean(axis=0), [p * x]).mse
    if kind == "array":
        return (p * x - np.linspace(0.0, 1.0, POINTS)[:, None]).mse
    assert kind == "weighed sum"
    w = jno.fn.adaptive.relobralo([(p * x - 1.0).sum, x.mse + p**2])
    return w[0] * (p * x - 1.0).sum


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("root", "constraint C0, 'sqrt', is not a mean or a sum over the points"),
        ("mean inside", "constraint C0, 'mse', is not a mean or a sum"),
        ("quotient", "is not a mean or a sum"),
        ("largest", "constraint C0, 'max', is not a mean or a sum"),
        ("neighbours", "is not a mean or a sum"),
        ("function", "is not a mean or a sum"),
        ("array", "cannot be evaluated on some of their points"),
        ("weighed sum", "a loss that is weighed is not a mean over the points"),
    ],
)
def test_constraints_that_need_all_points(kind, message):
    with pytest.raises(ValueError, match=f"point_batch=4: .*{message}.*point_batch={{tag: number}}"):
        jno.core([constraint(kind)]).solve(1, point_batch=4)


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        (0, ValueError, "point_batch=0: a step needs at least 1 point"),
        (True, TypeError, "point_batch=True: it must be the number of points"),
        (2.5, TypeError, "point_batch=2.5: it must be the number of points"),
        ({}, TypeError, "a dict from tags to such numbers"),
        ({1: 2}, TypeError, "a dict from tags to such numbers"),
        ({"edge": 3}, ValueError, "no constraint has points of 'edge'; .* 'interior' 11"),
        ({"interior": 12}, ValueError, "'interior' has 11 points"),
        (12, ValueError, "point_batch=12: no tag has as many points .* 'interior' 11"),
    ],
)
def test_sizes_that_do_not_fit(sizes, error, message):
    _, x, _ = counted()
    with pytest.raises(error, match=message):
        jno.core([(x * still()).mse]).solve(1, point_batch=sizes)


def test_paired_tags_need_one_number():
    domain = jno.domain.rect(mesh_size=0.25)
    _, yl, _ = domain.variable("left")
    _, yr, _ = domain.variable("right", like="left")
    crux = jno.core([(yl - yr + still()).mse])
    with pytest.raises(ValueError, match=r"'left' and 'right' have the same number of points .* not \[3, 4\]"):
        crux.solve(1, point_batch={"left": 3, "right": 4})
    with pytest.raises(ValueError, match=r"cannot be evaluated on some of their points"):
        crux.solve(1, point_batch={"left": 3})


def test_points_counted_as_samples_are_told_the_option():
    _, x, _ = counted()
    with pytest.raises(ValueError, match=r"batchsize=4: .* mini-batches of points are point_batch="):
        jno.core([(x * still()).mse]).solve(1, batchsize=4)


def test_exact_kernels_need_all_points():
    blackjax = pytest.importorskip("blackjax")
    _, x, _ = counted()
    k = jno.np.parameter(()).bayesian(blackjax.nuts, warmup=2, keep=2)
    with pytest.raises(ValueError, match="point_batch= draws mini-batches of points: leave point_batch= out"):
        jno.core([(k * x - 1.0).mse]).solve(4, point_batch=4)


@pytest.mark.parametrize("kind", ["dropout", "short numbers", "natural gradient", "balanced"])
def test_networks_and_optimizers_of_all_kinds_train_on_some_points(kind):
    domain, x, _ = counted()
    optimizer = jno.optimizers.engd() if kind == "natural gradient" else optax.adam(1e-2)
    rate = {"dropout_rate": 0.2} if kind == "dropout" else {}
    net = jno.nn(foundax.mlp(1, hidden_dims=8, num_layers=2, key=jax.random.PRNGKey(0), **rate)).optimizer(optimizer)
    if kind == "short numbers":
        net.dtype(jax.numpy.bfloat16)
    u = net(x) * x * (1 - x) if kind == "natural gradient" else net(x)
    pde = (u.d2(x) + 1).mse
    if kind == "balanced":
        xb, _ = domain.variable("boundary")
        edge = net(xb).mse
        w = jno.fn.adaptive.relobralo([pde, edge])
        history = jno.core([w[0] * pde, w[1] * edge]).solve(10, point_batch=6)
    else:
        history = jno.core([pde]).solve(10, point_batch=6)
    assert np.isfinite(history.total_loss_history).all()
    if kind == "natural gradient":  # u = x (1 - x) / 2 is met by steps of which each sees six points
        assert history.total_loss_history[-1] < 1e-4


def test_conditions_that_hold_exactly_are_means_whatever_rounding_does():
    domain, x, _ = counted()
    xb, _ = domain.variable("boundary")
    net = network().optimizer(optax.adam(1e-3))
    problem = [((net(x) * jno.np.sin(np.pi * x)).d2(x) + 1).mse, (net(xb) * jno.np.sin(np.pi * xb)).mse]
    assert losses(jno.core(problem), 2, point_batch={"interior": 6, "boundary": 1})[:, 1].max() < 1e-10


def test_looking_whether_points_are_independent_changes_no_weights():
    _, x, _ = counted()
    net = network().optimizer(optax.sgd(0.0))
    before = [np.array(leaf) for leaf in jax.tree_util.tree_leaves(net.module) if hasattr(leaf, "shape")]
    jno.core([(net(x) - x).mse]).solve(1, point_batch=4)
    after = [np.array(leaf) for leaf in jax.tree_util.tree_leaves(net.module) if hasattr(leaf, "shape")]
    for a, b in itertools.zip_longest(before, after):
        np.testing.assert_array_equal(a, b)
