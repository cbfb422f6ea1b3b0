"""NaN and infinite values in data: refused where they reach a loss, harmless in value and gradient where masked."""

import numpy as np
import optax
import pytest
from helpers import close

import jno

PLACES = np.linspace(0, 1, 5)
MEASURED = np.array([1.0, np.nan, 3.0, np.inf, 5.0])
SEEN = np.isfinite(MEASURED)
where, isfinite, isnan = jno.np.where, jno.np.isfinite, jno.np.isnan


def points():
    domain = jno.domain.line(mesh_size=0.25)
    return domain, domain.variable("interior")[0]


def attached(how, values=MEASURED):
    """Domain, coordinate and the measurements, attached in one of the ways."""
    domain, x = points()
    column = np.asarray(values)[:, None]
    if how == "literal":
        return domain, x, column
    return domain, x, domain.variable("m", column, point_data=how == "points")


class Rows:
    """A data set of a file: an array in memory does not look like one."""

    def __init__(self, array):
        self._array = array
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, index):
        return self._array[index]


# -- refused ----


@pytest.mark.parametrize(
    ("how", "title"), [("points", "the point data 'm'"), ("tensor", "the data 'm'"), ("literal", r"array\(5, 1\)")]
)
def test_gaps_that_reach_a_loss_are_refused(how, title):
    _, x, m = attached(how)
    loss = (x - m).mse
    loss.metadata.label = "fit"
    with pytest.raises(ValueError, match=rf"{title}.* has 2 values .* first at row 1, column 0: nan. It reaches 'fit'"):
        jno.core([x.mse, loss])
    with pytest.raises(ValueError, match=r"jno\.np\.where\(jno\.np\.isfinite\(d\)"):
        jno.core([x.mse, loss.tracker()])


def test_row_and_column_of_a_gap():
    table = np.ones((2, 1, 5, 3))
    table[1, 0, 3, 2] = -np.inf
    domain = 2 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    *_, third = domain.variable("table", table, point_data=True, split=True)
    with pytest.raises(
        ValueError, match="'table' has 1 value that is not finite, the first at sample 1, row 3, column 2"
    ):
        jno.core([(x - third).mse])
    *_, third = domain.variable("same", table, split=True)
    with pytest.raises(ValueError, match=r"'same' has 1 value .* at sample 1, row 3, column 2: -inf"):
        jno.core([(x - third).mse])
    with pytest.raises(ValueError, match=r"'k' has 1 value .* at sample 1, entry 0: nan"):
        jno.core([(x - domain.variable("k", np.array([1.0, np.nan]))).mse])
    with pytest.raises(ValueError, match=r"'far' has 1 value .* row 1, column 0: 1e.40, too large for the precision"):
        jno.core([domain.variable("far", np.array([[1.0], [1e40]])[None]).mse])


def test_columns_without_gaps_are_used():
    domain, x = points()
    table = np.stack([PLACES, MEASURED], axis=1)
    first, _ = domain.variable("table", table, point_data=True, split=True)
    assert jno.core([(x - first).mse]).eval((x - first).mse).item() == 0
    whole = domain.variable("whole", table, point_data=True)
    assert jno.core([(x - whole[..., 0:1]).mse]).eval((x - whole[..., 0:1]).mse).item() == 0


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, m: (isfinite(m) * (x - m)).mse,
        lambda x, m: where(isfinite(m), x - m.mean, 0.0).mse,
        lambda x, m: where(isfinite(x - m), x - m, 0.0).mse,
        lambda x, m: where(isfinite(m), 0.0, x - m).mse,
        lambda x, m: where(isnan(m), 0.0, x - m).mse,
        lambda x, m: where(m > 0, x, 0.0).mse,
        lambda x, m: where(isfinite(m), x - m, 0.0).mse + m.mse,
        lambda x, m: where(np.ones((5, 1), dtype=bool), x - m, 0.0).mse,
        lambda x, m: where(np.roll(SEEN, 1)[:, None], x - m, 0.0).mse,
        lambda x, m: jno.fn(lambda a: a, [m]).mse,
    ],
)
@pytest.mark.parametrize("how", ["points", "tensor"])
def test_masks_that_do_not_keep_the_gaps_out(loss, how):
    _, x, m = attached(how)
    with pytest.raises(ValueError, match=r"has 2 values .* not finite"):
        jno.core([loss(x, m)])


def test_masks_of_other_data():
    domain, x, m = attached("points")
    other = domain.variable("other", PLACES, point_data=True)
    with pytest.raises(ValueError, match="'m' has 2 values"):
        jno.core([where(isfinite(other), x - m, 0.0).mse])
    same = domain.variable("same", np.where(SEEN, PLACES, np.nan), point_data=True)
    loss = where(isfinite(same), x - m, 0.0).mse
    close(jno.core([loss]).eval(loss), [np.sum((PLACES - MEASURED)[SEEN] ** 2) / 5])


def test_coordinates_of_a_cloud():
    with pytest.raises(ValueError, match="'a' must be finite; 1 numbers are not, the first in row 2, column 1"):
        jno.domain.from_array({"a": np.array([[0.0, 1.0], [1.0, 1.0], [1.0, np.nan]])})


def test_rows_of_a_file_are_looked_at_when_they_are_read():
    values = np.ones((4, 1))
    values[2] = np.nan

    def problem(mask):
        domain = 4 * jno.domain.line(mesh_size=0.5)
        x, _ = domain.variable("interior")
        f = domain.variable("f", Rows(values))
        a = jno.np.parameter(()).initialize(0.5).optimizer(optax.sgd(0.1))
        residual = a * x - f
        return jno.core([(where(isfinite(f), residual, 0.0) if mask else residual).mse]), a

    crux, _ = problem(mask=False)
    with pytest.raises(ValueError, match="the data 'f' has 1 value that is not finite among the rows read"):
        crux.solve(4, batchsize=2, offload_data=True)
    crux, a = problem(mask=True)
    crux.solve(4, batchsize=2, offload_data=True)
    assert np.isfinite(crux.eval(a))


# -- masked ----


MASKS = {
    "isfinite": lambda m: isfinite(m),
    "array": lambda m: SEEN[:, None],
    "product": lambda m: isfinite(m) * (m > -10.0),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("how", ["points", "tensor", "literal"])
def test_masked_losses_have_the_values_and_gradients_of_the_data_that_are_there(how, mask):
    domain, x, m = attached(how)
    a = jno.np.parameter(()).initialize(0.5).optimizer(optax.sgd(0.1))
    there = MASKS[mask](m)
    losses = [where(there, (a * x * m - 1 / m) ** 2, 0.0).mean, where(there, jno.np.log(m) - a * x, 0.0).mse]
    crux = jno.core(losses, domain=domain)
    history = crux.solve(1)
    places, measured = PLACES[SEEN], MEASURED[SEEN]
    residuals = 0.5 * places * measured - 1 / measured, np.log(measured) - 0.5 * places
    close(history.training_logs[0]["losses"][0], [np.sum(r**2) / 5 for r in residuals])
    slopes = places * measured, -places
    gradient = np.mean([2 * np.sum(r * s) / 5 for r, s in zip(residuals, slopes, strict=True)])
    close(crux.eval(a), 0.5 - 0.1 * gradient)


def test_other_ways_to_write_a_mask():
    values = np.where(np.isinf(MEASURED), 2.0, MEASURED)
    _, x, m = attached("points", values)
    expected = np.sum((PLACES - np.nan_to_num(values))[[0, 2, 3, 4]] ** 2) / 5
    for loss in (
        where(isnan(m), 0.0, x - m).mse,
        (x - where(isfinite(m), m, x)).mse,
        where(isfinite(m), where(m > 0.0, x - m, 1.0), 0.0).mse,
        jno.fn(lambda a: (a**2).mean(), [where(isfinite(m), x - m, 0.0)]),
    ):
        close(jno.core([loss]).eval(loss), [expected])


def test_masked_entries_of_a_table():
    domain, x = points()
    table = domain.variable("table", np.stack([PLACES, MEASURED], axis=1), point_data=True)
    second = table[..., 1:2]
    loss = where(isfinite(second), x - second, 0.0).mse
    close(jno.core([loss]).eval(loss), [np.sum((PLACES - MEASURED)[SEEN] ** 2) / 5])


def test_gaps_differ_between_samples():
    domain = 2 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    both = np.stack([MEASURED, MEASURED[::-1] - 1])
    m = domain.variable("m", both[:, None, :, None])
    a = jno.np.parameter(()).initialize(2.0).optimizer(optax.sgd(0.1))
    crux = jno.core([where(isfinite(m), (a * x * m) ** 2, 0.0).mean])
    crux.solve(1)
    products = np.where(np.isfinite(both), both * PLACES, 0)
    close(crux.eval(a), 2.0 - 0.1 * 4.0 * np.mean(np.where(np.isfinite(products), products, 0) ** 2))


def test_values_are_those_that_were_written():
    """Evaluation shows what data make of an expression, masked or not."""
    _, x, m = attached("points")
    np.testing.assert_array_equal((x - m).eval()[0, :, 0], (PLACES - MEASURED).astype(np.float32))
    np.testing.assert_array_equal(where(isfinite(m), x - m.mean, 0.0).eval()[0, :, 0] == 0, ~SEEN)
    np.testing.assert_array_equal(isnan(m).eval()[0, :, 0], np.isnan(MEASURED))


def test_derivatives_of_masked_coefficients():
    _, x, m = attached("points")
    k = where(isfinite(m), m, 2.0)
    u = k.stop_gradient * x**3
    close(jno.core([u.d(x).mse]).eval(u.d(x))[0, :, 0], np.where(SEEN, MEASURED, 2.0) * 3 * PLACES**2)
