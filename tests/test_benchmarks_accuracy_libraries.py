"""The columns of other libraries: their statements are the cases, their losses are those of the statements."""

import foundax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.accuracy import __main__ as command
from benchmarks.accuracy import _case, _results, _table, libraries
from benchmarks.accuracy.cases import deeponet_burgers
from benchmarks.accuracy.libraries import _jax


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


def foundax_weights(statement, seed=0):
    """Matrices (in, out) and biases that the case starts with."""
    inputs, *hidden, outputs = statement.layers
    activation = {"tanh": jnp.tanh, "sin": jnp.sin}[statement.activation]
    options = {"hidden_dims": hidden[0], "num_layers": len(hidden), "activation": activation}
    module = foundax.mlp(inputs, outputs, key=jax.random.PRNGKey(seed), **options)
    layers = [*module.hidden_layers, module.output_layer]
    return [(np.asarray(layer.weight).T, np.asarray(layer.bias)) for layer in layers]


def losses(statement, weights, seed=0):
    """The mean square of the residual, and the weighted one of the values that the loss holds, by plain JAX."""
    activation = {"tanh": jnp.tanh, "sin": jnp.sin}[statement.activation]

    def solution(x):
        value = jnp.concatenate(list(statement.inputs(_jax.FUNCTIONS, x)))
        for number, (matrix, bias) in enumerate(weights):
            value = (activation(value) if number else value) @ matrix + bias
        return statement.solution(_jax.FUNCTIONS, x, value)

    def residual(x):
        return statement.residual(_jax.FUNCTIONS, x, _jax.derivatives(solution, x))

    parts = [jnp.mean(jax.jit(jax.vmap(residual))(jnp.asarray(statement.points(seed))) ** 2)]
    if statement.prescribed is not None:
        held = statement.prescribed(seed)
        parts.append(held.weight * jnp.mean((jax.vmap(solution)(held.points)[:, 0] - held.values) ** 2))
    return [float(part) for part in parts]


CONSTRAINTS = {"poisson_2d_c": 3, "poisson_5d": 2}
"""Over which the loss of the case is the mean, where there are several."""


@pytest.mark.slow
@pytest.mark.parametrize("name", libraries.STATEMENTS)
def test_a_statement_has_the_loss_of_its_case(name, double_precision):
    """With the weights that the case starts from: points, network, residual and boundary are the same."""
    statement = libraries.STATEMENTS[name]()
    trained = _case.load(name).train(0, _case.Limit(0.0))
    expected = sum(losses(statement, foundax_weights(statement))) / CONSTRAINTS.get(name, 1)
    assert trained.loss == pytest.approx(expected, rel=1e-9)


def deepxde_losses(statement, weights):
    model = libraries.module("deepxde").build(statement, 0)
    torch = pytest.importorskip("torch")
    model.compile("adam", lr=1e-3, loss_weights=libraries.module("deepxde").loss_weights(statement, 0), verbose=0)
    with torch.no_grad():
        for layer, (matrix, bias) in zip(model.net.linears, weights, strict=True):
            layer.weight.copy_(torch.as_tensor(matrix.T.copy()))
            layer.bias.copy_(torch.as_tensor(bias.copy()))
    history, _ = model.train(iterations=1, display_every=1, verbose=0)
    return [float(part) for part in history.loss_train[0]]


def jinns_losses(statement, weights):
    _, params, loss, observations = libraries.module("jinns").build(statement, 0)
    arrays = [jnp.asarray(array) for matrix, bias in weights for array in (matrix.T, bias)]
    tree = jax.tree_util.tree_structure(params)
    _, batch = libraries.module("jinns").FixedPoints(jnp.asarray(statement.points(0))).get_batch()
    if observations is not None:
        held = statement.prescribed(0)
        batch = jinns_observations(batch, held)
    total, _ = loss.evaluate(jax.tree_util.tree_unflatten(tree, arrays), batch)
    return [float(total)]


def jinns_observations(batch, held):
    data = pytest.importorskip("jinns").data
    values = {"pinn_in": jnp.asarray(held.points), "val": jnp.asarray(held.values)[:, None], "eq_params": None}
    return data.append_obs_batch(batch, (values,))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # jinns keeps transformed functions in its modules
@pytest.mark.parametrize(("library", "losses_in"), [("deepxde", deepxde_losses), ("jinns", jinns_losses)])
@pytest.mark.parametrize("name", libraries.STATEMENTS)
def test_a_library_has_the_loss_of_the_statement(name, library, losses_in, double_precision):
    for package in libraries.packages(library):
        pytest.importorskip(package)
    statement = libraries.STATEMENTS[name]()
    weights = foundax_weights(statement)
    assert sum(losses_in(statement, weights)) == pytest.approx(sum(losses(statement, weights)), rel=1e-9)


# --- columns ---------------------------------------------------------------------------------------------------------
CASE = _case.Case("KdV", lambda seed, limit: None, published=1e-2)


def cells(error):
    counts = {"processor_s": 100.0, "wall_s": 120.0, "steps": 50, "points": 2048, "parameters": 900, "lines": 20}
    return {0: {**counts, "error": error}}


def test_a_row_has_the_other_libraries_beside_ours_with_the_ratio():
    text = _table.row(CASE, cells(2e-4), {"deepxde": cells(1e-2), "jinns": cells(None)})
    assert " | 50.0 | 1.0e-02 (50) | inf (inf) | 100 (120) | " in text
    assert " | 50.0 | – | missing | 100 (120) | " in _table.row(CASE, cells(2e-4), {"deepxde": None, "jinns": {}})
    assert " | missing |  | 0 of 5 |  | 1.0e-02 | – | (120) | " in _table.row(
        CASE, {}, {"deepxde": cells(1e-2), "jinns": None}
    )
    assert len({line.count("|") for line in [*_table.HEAD.splitlines(), text]}) == 1


def test_cells_of_libraries_are_apart(tmp_path):
    ours = {"case": "kdv", "library": "jno", "seed": 0, "digest": "a", "error": 1e-4}
    _results.record(ours, tmp_path)
    _results.record({**ours, "library": "jinns", "error": 1e-2}, tmp_path)
    assert _results.current("kdv", "a", tmp_path)[0]["error"] == 1e-4
    assert _results.current("kdv", "a", tmp_path, "jinns")[0]["error"] == 1e-2
    assert _results.missing("kdv", [0], "a", tmp_path, "deepxde") == [0]


def test_the_digest_is_of_the_case_its_statement_and_the_library():
    digests = {libraries.library_digest(library, name) for library in libraries.NAMES for name in libraries.STATEMENTS}
    assert len(digests) == len(libraries.NAMES) * len(libraries.STATEMENTS)


def test_missing_packages_are_named_with_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(libraries, "missing_packages", lambda library: ["torch"] if library == "deepxde" else [])
    with pytest.raises(SystemExit):
        command.main(["kdv", "--libraries", "deepxde", "jinns"])
    assert "torch not installed: pip install .[bench,accuracy]" in capsys.readouterr().err


def test_libraries_run_the_cases_that_have_a_statement(monkeypatch):
    runs = []
    monkeypatch.setattr(libraries, "missing_packages", lambda library: [])
    monkeypatch.setattr(command, "missing", lambda name, seeds, digest, library: seeds)
    monkeypatch.setattr(command, "run_cells", lambda cells, jobs, look: runs.extend(cells) or [])
    monkeypatch.setattr(command, "write_tables", lambda: None)
    assert command.main(["kdv", "heat_2d_ms", "--libraries", "jno", "jinns", "--seeds", "0"]) == 0
    assert runs == [("kdv", "jno", 0), ("kdv", "jinns", 0), ("heat_2d_ms", "jno", 0)]


# --- data of the operators -------------------------------------------------------------------------------------------
def test_the_fields_of_burgers_keep_their_mean_and_do_not_depend_on_the_grid():
    initial = deeponet_burgers.initial_values(4, seed=0)
    final = deeponet_burgers.at_the_end(initial)
    np.testing.assert_allclose(final.mean(axis=1), initial.mean(axis=1), atol=1e-12)
    fine = deeponet_burgers.at_the_end(deeponet_burgers.initial_values(4, seed=0, modes=256), steps=800)[:, ::2]
    assert np.linalg.norm(final - fine) < 1e-5 * np.linalg.norm(fine)


def test_a_pause_of_the_limit_does_not_count():
    limit = _case.Limit(60.0)
    with limit.paused():
        start = limit.used
        while limit.used < start + 0.01:
            pass
    assert limit.excluded >= 0.01
    assert limit.used < start + 0.01
