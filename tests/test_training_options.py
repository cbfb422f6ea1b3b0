"""Options of `solve`: mini-batches, accumulation, data on the host, memory, substeps, gradients shown, traces."""

import foundax
import h5py
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jno
from jno.training._step import Step
from jno.utils.callbacks import Callback

SAMPLES = 12


def data_problem(samples=SAMPLES, values=None, optimizer=None):
    """Regression with one row per sample: the loss is a mean over samples."""
    domain = samples * jno.domain.line(mesh_size=0.25)
    rows = np.linspace(-1.0, 1.0, samples * 3, dtype=np.float32).reshape(samples, 1, 3, 1)
    a = domain.variable("a", rows if values is None else values)
    module = foundax.mlp(1, hidden_dims=4, num_layers=2, key=jax.random.PRNGKey(0))
    net = jno.nn(module).optimizer(optax.sgd(0.1) if optimizer is None else optimizer)
    return jno.core([(net(a) - jno.np.sin(3 * a)).mse, (net(0.5 * a) - a).mse]), net


def weights(net):
    return [np.asarray(leaf) for leaf in jax.tree_util.tree_leaves(net.module) if hasattr(leaf, "shape")]


def steps_of(monkeypatch):
    """The compiled calls that `solve` makes."""
    calls = []
    original = Step.run

    def run(step, state, data, count):
        calls.append((step, state, data))
        return original(step, state, data, count)

    monkeypatch.setattr(Step, "run", run)
    return calls


def temporary_bytes(call):
    step, state, data = call
    return step.compiled(state, data).memory_analysis().temp_size_in_bytes


# --- accumulation -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("offload", [False, True])
def test_mini_batches_that_make_up_the_samples_give_the_gradient_of_all(offload):
    whole, net = data_problem()
    expected = whole.solve(5).training_logs[0]["losses"]
    cut, own = data_problem()
    log = cut.solve(5, batchsize=4, accumulation_steps=3, offload_data=offload).training_logs[0]
    np.testing.assert_allclose(log["losses"], expected, rtol=1e-5)
    for a, b in zip(weights(own), weights(net), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.slow
def test_a_line_search_sees_the_mean_over_all_mini_batches():
    whole, net = data_problem(optimizer=optax.lbfgs())
    whole.solve(4)
    cut, own = data_problem(optimizer=optax.lbfgs())
    cut.solve(4, batchsize=6, accumulation_steps=2)
    for a, b in zip(weights(own), weights(net), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


BASE = 16
"""Sample ``k`` of `counted_problem` has the value ``BASE**k``: the digits of a sum tell how often each was drawn."""


def counted_problem():
    domain = 5 * jno.domain.line(mesh_size=0.5)
    f = domain.variable("f", BASE ** np.arange(5.0)[:, None])
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    return jno.core([f + 0.0 * p])


def digits(sums):
    """How often each sample is in each of the sums."""
    return np.round(sums).astype(int)[:, None] // BASE ** np.arange(5) % BASE


def drawn(crux, epochs, *, batchsize, accumulation_steps=1, **options):
    """How often each sample was drawn in each epoch."""
    history = crux.solve(epochs, batchsize=batchsize, accumulation_steps=accumulation_steps, **options)
    return digits(history.total_loss_history[-epochs:] * batchsize * accumulation_steps)


@pytest.mark.parametrize("offload", [False, True])
def test_more_mini_batches_than_samples_repeat_samples_in_different_ones(offload):
    counts = drawn(counted_problem(), 12, batchsize=3, accumulation_steps=4, offload_data=offload)
    np.testing.assert_array_equal(counts.sum(axis=1), 12)
    assert counts.max() <= 4  # no mini-batch holds a sample twice
    assert np.any(counts % 4)  # nor are all of them the same
    assert len(np.unique(counts, axis=0)) > 4


@pytest.mark.parametrize("offload", [False, True])
def test_mini_batches_hold_no_sample_twice_where_there_are_enough(offload):
    counts = drawn(counted_problem(), 60, batchsize=2, accumulation_steps=2, offload_data=offload)
    np.testing.assert_array_equal(np.sort(counts, axis=1), [[0, 1, 1, 1, 1]] * 60)
    assert np.all(counts.sum(axis=0) < 60)  # every sample is left out at times


def test_every_mini_batch_has_its_own_noise():
    """With ``f = ±1`` equal noise would cancel in the mean over two mini-batches of one sample."""
    domain = 2 * jno.domain.line(mesh_size=0.5)
    f = domain.variable("f", np.array([[1.0], [-1.0]]))
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([f * jno.noise.gaussian() + 0.0 * p])
    losses = crux.solve(3, batchsize=1, accumulation_steps=2).total_loss_history
    assert np.all(np.abs(losses) > 1e-3)


def test_second_order_optimizers_refuse_accumulated_residuals():
    crux, _ = data_problem(optimizer=jno.optimizers.engd())
    with pytest.raises(ValueError, match="accumulation_steps="):
        crux.solve(1, batchsize=6, accumulation_steps=2)


# --- data on the host -------------------------------------------------------------------------------------------
def test_data_on_the_host_trains_like_data_on_the_device():
    expected = data_problem()[0].solve(6).total_loss_history
    found = data_problem()[0].solve(6, batchsize=SAMPLES, offload_data=True).total_loss_history
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_rows_of_an_epoch_follow_from_the_seed():
    still = optax.sgd(0.0)  # the losses are those of the rows alone
    once = data_problem(optimizer=still)[0].solve(6, batchsize=5, offload_data=True).total_loss_history
    crux = data_problem(optimizer=still)[0]
    crux.solve(2, batchsize=5, offload_data=True)
    in_two = crux.solve(4, batchsize=5, offload_data=True).total_loss_history
    np.testing.assert_array_equal(in_two, once)
    assert len(np.unique(once)) == 6


def test_points_that_are_replaced_are_not_read_ahead():
    """Every sample has points of its own, new ones every two epochs: the host must send those of the epoch."""

    def losses(**options):
        domain = 2 * jno.domain.csg([(0, 0), (1, 0), (1, 1), (0, 1)])
        x, *_ = domain.variable("interior", (4, None), jno.sampler.random(2, 1.0, 0))
        p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
        log = jno.core([x.mean + 0.0 * p]).solve(6, **options).total_loss_history
        return log, np.mean(domain.context["interior"][..., 0])

    expected, last = losses()
    assert len(np.unique(expected)) == 3
    found, own_last = losses(batchsize=2, offload_data=True)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_allclose([found[-1], own_last], last, rtol=1e-6)


def test_options_of_one_call_do_not_stay_for_the_next():
    """On the device a step draws its rows; from the host they come drawn."""
    crux = counted_problem()
    for offload in (False, True, False, True):
        counts = drawn(crux, 4, batchsize=3, offload_data=offload)
        np.testing.assert_array_equal(np.sort(counts, axis=1), [[0, 0, 1, 1, 1]] * 4)
    everything = crux.solve(1).total_loss_history[-1:]
    np.testing.assert_array_equal(digits(everything * 5), [[1] * 5])


def test_files_are_read_row_by_row(tmp_path):
    rows = np.linspace(-1.0, 1.0, SAMPLES * 3).reshape(SAMPLES, 1, 3, 1)
    expected = data_problem()[0].solve(5, batchsize=5, offload_data=True).total_loss_history
    np.save(tmp_path / "a.npy", rows)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    found = data_problem(values=mapped)[0].solve(5, batchsize=5, offload_data=True).total_loss_history
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["a"] = rows
        crux = data_problem(values=file["a"])[0]
        found = crux.solve(5, batchsize=5, offload_data=True).total_loss_history
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        on_device = data_problem(values=file["a"])[0].solve(2).total_loss_history
        np.testing.assert_allclose(on_device, data_problem(values=rows)[0].solve(2).total_loss_history, rtol=1e-6)


class Counted:
    """A data set that counts what is read from it."""

    def __init__(self, rows):
        self._rows = rows
        self.shape, self.dtype = rows.shape, rows.dtype
        self.largest = 0

    def __getitem__(self, index):
        found = self._rows[index]
        self.largest = max(self.largest, len(found))
        return found


def test_device_memory_does_not_grow_with_the_data(monkeypatch):
    calls = steps_of(monkeypatch)
    sizes, largest = [], []
    for samples in (16, 512):
        rows = Counted(np.ones((samples, 1, 50, 1), dtype=np.float32))
        data_problem(samples, rows)[0].solve(2, batchsize=4, offload_data=True)
        step, state, data = calls[-1]
        analysis = step.compiled(state, data).memory_analysis()
        sizes.append((analysis.argument_size_in_bytes, analysis.temp_size_in_bytes))
        largest.append(rows.largest)
    assert sizes[0] == sizes[1]
    assert largest == [4, 4]


def test_there_must_be_data_to_keep_on_the_host():
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    p = jno.np.parameter(()).optimizer(optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"offload_data=True .* the constraints use none"):
        jno.core([(p - 1.0) ** 2], domain=domain).solve(1, batchsize=1, offload_data=True)


def test_data_that_is_no_numbers_is_refused():
    with pytest.raises(ValueError, match="'a' must be numeric"):
        jno.domain.line().variable("a", Counted(np.array(["x", "y"])))


# --- memory -----------------------------------------------------------------------------------------------------
def _three_networks(**options):
    domain = 4 * jno.domain.rect(mesh_size=0.02)
    x, y, _ = domain.variable("interior", (2000, None))
    k = domain.variable("k", np.ones((4, 1), dtype=np.float32))
    losses = []
    for seed in range(3):
        module = foundax.mlp(2, hidden_dims=32, num_layers=3, key=jax.random.PRNGKey(seed))
        u = jno.nn(module).optimizer(optax.adam(1e-3))(x, y)
        losses.append((u.laplacian(x, y) - k).mse)
    return jno.core(losses).solve(3, **options).training_logs[0]["losses"]


def test_checkpointed_gradients_need_less_memory_for_the_same_numbers(monkeypatch):
    calls = steps_of(monkeypatch)
    expected = _three_networks()
    plain = temporary_bytes(calls[-1])
    found = _three_networks(checkpoint_gradients=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert temporary_bytes(calls[-1]) < 0.6 * plain


# --- substeps ---------------------------------------------------------------------------------------------------
def _two_parameters():
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.adam(0.1))
    q = jno.np.parameter(()).initialize(-1.0).optimizer(optax.adam(0.1))
    constraints = [(p - q) ** 2, (q - 3.0) ** 2, (p.stop_gradient * q - 1.0) ** 2]
    return jno.core(constraints, domain=domain), p, q


def _by_hand(entries, epochs):
    """The same with optax alone: one optimizer state per entry."""
    losses = [lambda v: (v["p"] - v["q"]) ** 2, lambda v: (v["q"] - 3.0) ** 2]
    losses.append(lambda v: (jax.lax.stop_gradient(v["p"]) * v["q"] - 1.0) ** 2)
    values = {"p": jnp.float32(2.0), "q": jnp.float32(-1.0)}
    adam = optax.adam(0.1)
    states = [adam.init({name: values[name] for name in names}) for _, _, names in entries]
    history = []
    for _ in range(epochs):
        history.append([float(loss(values)) for loss in losses])
        for number, (indices, steps, names) in enumerate(entries):
            for _ in range(steps):

                def total(own, values=values, indices=indices):
                    return jnp.mean(jnp.stack([losses[i]({**values, **own}) for i in indices]))

                own = {name: values[name] for name in names}
                updates, states[number] = adam.update(jax.grad(total)(own), states[number])
                values = {**values, **optax.apply_updates(own, updates)}
    return values, history


def test_substeps_alternate_with_states_of_their_own():
    crux, p, q = _two_parameters()
    log = crux.solve(6, substeps=[[0], ([1, 2], 3)]).training_logs[0]
    values, history = _by_hand([([0], 1, "pq"), ([1, 2], 3, "q")], 6)
    np.testing.assert_allclose(log["losses"], history, rtol=1e-4)
    np.testing.assert_allclose(float(p.module.value), values["p"], rtol=1e-5)
    np.testing.assert_allclose(float(q.module.value), values["q"], rtol=1e-5)


def test_substeps_go_on_in_the_next_call():
    once, p, _ = _two_parameters()
    once.solve(6, substeps=[[0], ([1, 2], 3)])
    twice, other, _ = _two_parameters()
    twice.solve(2, substeps=[[0], ([1, 2], 3)])
    twice.solve(4, substeps=[[0], ([1, 2], 3)])
    assert float(p.module.value) == float(other.module.value)


def _rising(count):
    """Parameters whose update in step ``n`` is ``-n`` where the loss is the parameter itself."""
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    made = [jno.np.parameter(()).optimizer(optax.sgd(1.0)) for _ in range(count)]
    for parameter in made:
        parameter.model.scale(lambda step: 1.0 * step)
    return jno.core(made, domain=domain), made


def test_schedules_count_the_steps():
    """The losses of an epoch are those before its first step: ``-(0 + 1 + … + (3 k - 1))``."""
    crux, (p,) = _rising(1)
    losses = crux.solve(4, substeps=[([0], 3)]).total_loss_history
    np.testing.assert_array_equal(losses, [0.0, -3.0, -15.0, -36.0])
    assert float(p.module.value) == -66.0


def test_substeps_are_counted_one_after_the_other():
    crux, (p, q) = _rising(2)
    losses = crux.solve(3, substeps=[([0], 2), [1]]).training_logs[0]["losses"]
    np.testing.assert_array_equal(losses, [[0.0, 0.0], [-1.0, -2.0], [-8.0, -7.0]])
    assert (float(p.module.value), float(q.module.value)) == (-(0 + 1 + 3 + 4 + 6 + 7), -(2 + 5 + 8))


@pytest.mark.parametrize("random", ["rows", "noise"])
def test_every_substep_has_its_own_mini_batch_and_noise(random):
    """The gradients are what was drawn: twice in an epoch for the first parameter, once for the second."""
    domain = 4 * jno.domain.line(mesh_size=0.5)
    f = domain.variable("f", np.array([[1.0], [2.0], [4.0], [8.0]]))
    made = [jno.np.parameter(()).optimizer(optax.sgd(1.0)) for _ in range(2)]
    value, options = (f, {"batchsize": 1}) if random == "rows" else (0.0 * f + jno.noise.gaussian(), {})
    crux = jno.core([*(p * value for p in made), *(p.tracker() for p in made)])
    log = crux.solve(9, substeps=[([0], 2), [1]], **options).training_logs[0]
    first, second = (-np.diff(entry["values"].ravel()) for entry in log["track_stats"])
    assert np.any(np.abs(first - 2.0 * second) > 1e-3)
    if random == "rows":
        pairs = {1.0 * (a + b) for a in (1, 2, 4, 8) for b in (1, 2, 4, 8)}
        assert set(first) <= pairs
        assert set(second) <= {1.0, 2.0, 4.0, 8.0}
        assert set(first) - {2.0, 4.0, 8.0, 16.0}  # the two steps of a substep differ as well


def test_the_substeps_of_one_call_do_not_stay_for_the_next():
    crux, p, _ = _two_parameters()
    crux.solve(1)
    before = float(p.module.value)
    crux.solve(1, substeps=[[1]])
    assert float(p.module.value) == before
    crux.solve(1, substeps=[[0], [1]])
    assert float(p.module.value) != before


def test_the_constraints_of_no_substep_are_recorded():
    crux, p, q = _two_parameters()
    log = crux.solve(3, substeps=[[1]]).training_logs[0]
    assert float(p.module.value) == 2.0
    expected = [(2.0 - (-1.0)) ** 2, (-1.0 - 3.0) ** 2, (2.0 * -1.0 - 1.0) ** 2]
    np.testing.assert_allclose(log["losses"][0], expected, rtol=1e-6)
    assert float(q.module.value) != -1.0


@pytest.mark.parametrize(
    ("substeps", "error", "message"),
    [
        ([0, 1], TypeError, "substep must be a list"),
        ([([0], 0)], TypeError, "substep must be a list"),
        ([[]], TypeError, "substep must be a list"),
        ([], TypeError, "expected a list such as"),
        ([[3]], ValueError, "references constraint index 3; there are 3 constraints"),
        ([[-1]], ValueError, "references constraint index -1"),
        ([[0, 0]], ValueError, "names a constraint twice"),
    ],
)
def test_wrong_substeps(substeps, error, message):
    with pytest.raises(error, match=message):
        _two_parameters()[0].solve(1, substeps=substeps)


def test_a_substep_that_trains_nothing():
    domain = jno.domain.line(mesh_size=0.25)
    domain.variable("interior")
    p = jno.np.parameter(()).initialize(2.0).optimizer(optax.adam(0.1))
    crux = jno.core([p**2, p.stop_gradient**2], domain=domain)
    with pytest.raises(ValueError, match=r"substep 1 on the constraints \[1\] has nothing to train"):
        crux.solve(1, substeps=[[0], [1]])


# --- what does not go together ----------------------------------------------------------------------------------
class Halved(Callback):
    """Halves all gradients, and remembers what it was shown."""

    def __init__(self):
        self.shown = []

    def on_before_update(self, *, grads, **kw):
        self.shown.append(kw)
        return jax.tree_util.tree_map(lambda g: 0.5 * g, grads)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accumulation_steps": 2}, "accumulation_steps=2 .* give batchsize="),
        ({"offload_data": True}, "offload_data=True .* give batchsize="),
        ({"inner_steps": 2, "substeps": [[0]]}, "substeps= and inner_steps=2 are not compatible"),
        (
            {"batchsize": 2, "accumulation_steps": 2, "substeps": [[0]]},
            "substeps= and accumulation_steps=2 are not compatible",
        ),
        ({"inner_steps": 2, "callbacks": [Halved()]}, r"Halved.on_before_update\(\) .* inner_steps=2"),
        ({"substeps": [[0]], "callbacks": [Halved()]}, r"Halved.on_before_update\(\) and substeps="),
        ({"inner_steps": 3}, "inner_steps=3 does not divide epochs=4"),
        ({"accumulation_steps": 0}, "accumulation_steps=0: it must be an integer of at least 1"),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        data_problem()[0].solve(4, **options)


# --- gradients shown to callbacks -------------------------------------------------------------------------------
def test_a_callback_replaces_the_gradients():
    crux, net = data_problem(optimizer=optax.sgd(0.2))
    halved = Halved()
    log = crux.solve(4, callbacks=[halved]).training_logs[0]
    reference, expected = data_problem(optimizer=optax.sgd(0.1))
    np.testing.assert_allclose(log["losses"], reference.solve(4).training_logs[0]["losses"], rtol=1e-5)
    for a, b in zip(weights(net), weights(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert [kw["epoch"] for kw in halved.shown] == [0, 1, 2, 3]
    assert set(halved.shown[0]) == {"trainable", "context", "rng", "epoch", "value_fn"}


def test_callbacks_replace_the_gradients_one_after_the_other():
    class Negated(Callback):
        def on_before_update(self, *, grads, **kw):
            return jax.tree_util.tree_map(lambda g: -g, grads)

    (crux, (p,)), (plain, (q,)) = _rising(1), _rising(1)
    crux.solve(4, callbacks=[Negated(), Halved()])
    plain.solve(4)
    assert float(q.module.value) == -6.0
    assert float(p.module.value) == 3.0


def test_looking_at_gradients_does_not_change_the_training():
    class Looks(Callback):
        def on_before_update(self, **kw):
            return None

    def trained(*callbacks):
        domain = 4 * jno.domain.line(mesh_size=0.25)
        x, _ = domain.variable("interior")
        f = domain.variable("f", np.arange(4.0)[:, None])
        p = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1, momentum=0.5))
        p.model.scale(lambda epoch, losses: 1.0 / (1.0 + epoch + losses[0]))
        first, second = (p * x - f + jno.noise.gaussian(0.5)).mse, (p * f).mse
        w = jno.fn.adaptive.softadapt([first, second])
        crux = jno.core([w[0] * first, w[1] * second])
        return crux.solve(5, batchsize=2, callbacks=list(callbacks)).training_logs[0]["losses"], p.module.value

    for found, expected in zip(trained(Looks()), trained(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gradients_of_another_structure_are_refused():
    class Wrong(Callback):
        def on_before_update(self, **kw):
            return 1.0

    with pytest.raises(ValueError, match=r"Wrong.on_before_update\(\) returned .* instead of gradients"):
        data_problem()[0].solve(1, callbacks=[Wrong()])


# --- faults -----------------------------------------------------------------------------------------------------
def test_an_interrupt_returns_the_history_so_far():
    class Interrupted(Callback):
        def on_epoch_end(self, *, epoch, **kw):
            if epoch == 3:
                raise KeyboardInterrupt

    crux, net = data_problem()
    history = crux.solve(50, callbacks=[Interrupted()])
    assert len(history.total_loss_history) == 4
    assert history.training_logs[0]["stop_reason"] == "interrupted after epoch 3"
    reference, expected = data_problem()
    reference.solve(4)
    for a, b in zip(weights(net), weights(expected), strict=True):
        np.testing.assert_array_equal(a, b)
    assert crux.solve(2).training_logs[1]["epoch"].tolist() == [4, 5]


def test_a_callback_that_raises_is_named():
    class Broken(Callback):
        def on_epoch_end(self, *, epoch, **kw):
            raise OSError("no space")

    crux, _ = data_problem()
    with pytest.raises(OSError, match="no space") as caught:
        crux.solve(5, callbacks=[Broken()])
    assert caught.value.__notes__ == ["raised by the callback Broken.on_epoch_end() at epoch 0"]
    assert len(crux.training_logs[0]["epoch"]) == 1


# --- traces -----------------------------------------------------------------------------------------------------
def test_a_trace_of_the_steady_state(tmp_path):
    jno.logger(path=tmp_path, log_print=(True, False))
    try:
        data_problem()[0].solve(60, profile=True)
    finally:
        jno.logger(log_print=(True, True), force=True)
    assert list((tmp_path / "traces").rglob("*.xplane.pb"))


def test_a_trace_needs_a_run_directory():
    with pytest.raises(ValueError, match="profile=True writes a trace below the run directory"):
        data_problem()[0].solve(3, profile=True)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda crux, net: crux.solve(1, callbacks=0),
            r"solve\(callbacks=0\): callbacks must be a list of callbacks, or None",
        ),
        (lambda crux, net: crux.solve(1, profile=1), "profile"),
        (lambda crux, net: crux.solve(1, min_consecutive=2.5), "min_consecutive must be an integer"),
        (lambda crux, net: crux.eval(net, key=3), "key must be a random key"),
        (lambda crux, net: crux.save(5), r"save\(path=5\): path must be the path of a file"),
        (lambda crux, net: jno.core.load(b"abc"), "path must be the path of a file or folder"),
        (lambda crux, net: jno.core([net.mse], domain=5), "a jno.domain is needed"),
        (lambda crux, net: jno.core([net.mse], resume_from=3), r"core\(resume_from=3\): resume_from must be the path"),
        (lambda crux, net: crux.set_optimizer("adam"), "opt_fn must be an optax transform"),
        (
            lambda crux, net: crux.models_used[0].scale(-0.5),
            r"scale\(schedule=-0.5\): it must be a number of at least 0",
        ),
        (
            lambda crux, net: crux.models_used[0].scale(lambda: 1.0),
            r"or a function of \(count\) or of \(epoch, losses\)",
        ),
        (lambda crux, net: crux.models_used[0].mask("all"), "param_mask must be a pytree of booleans"),
        (lambda crux, net: crux.models_used[0].lora(2, specs=3), "specs must be a list of dictionaries"),
        (
            lambda crux, net: crux.sweep(jno.tuner.ArchSpace().unique("epochs", [1]), None, 1, executor=10**30),
            r"executor=10+: expected an integer of at least 1 \(and at most 10000\)",
        ),
    ],
)
def test_arguments_of_another_kind_are_refused(call, match):
    k = jno.np.parameter((), name="k").optimizer(optax.sgd(0.1))
    crux = jno.core([(k - 1.0).mse], domain=jno.domain.line(mesh_size=0.5))
    crux.models_used = [k.model]
    with pytest.raises((TypeError, ValueError), match=match):
        call(crux, k)
