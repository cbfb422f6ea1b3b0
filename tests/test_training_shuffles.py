"""Rows without replacement, one by one: orders are orders, all alike, and cost what is drawn."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jno.training._batches import MiniBatches
from jno.training._shuffles import Passes, Shuffle

NAMES = (("tensors", "a"),)


def chi_squared(counts, expected):
    """In standard deviations above what chance gives, with that many degrees of freedom."""
    freedom = np.size(counts) - 1
    return (np.sum((np.asarray(counts) - expected) ** 2) / expected - freedom) / np.sqrt(2 * freedom)


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_an_order_has_every_row_once(rows):
    orders = jax.jit(jax.vmap(lambda key: Shuffle.of([key], rows)(jnp.arange(rows))))
    drawn = np.sort(orders(jax.random.split(jax.random.key(0), 50)), axis=1)
    np.testing.assert_array_equal(drawn, np.broadcast_to(np.arange(rows), (50, rows)))


def test_all_orders_are_equally_likely():
    orders = jax.jit(jax.vmap(lambda key: Shuffle.of([key], 5)(jnp.arange(5))))
    drawn = np.asarray(orders(jax.random.split(jax.random.key(1), 24000)))
    counts = collections.Counter(map(tuple, drawn.tolist()))
    assert len(counts) == 120
    assert abs(chi_squared(list(counts.values()), 200)) < 4


def test_rows_and_pairs_of_rows_of_many_are_equally_likely():
    # 3 of 30 rows: of every row, and of every ordered pair, as many as chance gives
    draw = jax.jit(jax.vmap(lambda key: Shuffle.of([key], 30)(jnp.arange(3))))
    drawn = np.asarray(draw(jax.random.split(jax.random.key(2), 60000)))
    assert np.all(drawn[:, 0] != drawn[:, 1])
    for place in range(3):
        assert abs(chi_squared(np.bincount(drawn[:, place], minlength=30), 2000)) < 4
    for first, second in ((0, 1), (1, 2), (0, 2)):
        pairs = np.bincount(drawn[:, first] * 30 + drawn[:, second], minlength=900).reshape(30, 30)
        assert np.all(np.diag(pairs) == 0)
        assert abs(chi_squared(pairs[~np.eye(30, dtype=bool)], 60000 / 870)) < 4


@pytest.mark.parametrize(("rows", "size"), [(12, 4), (10, 4), (9, 5), (7, 7), (5, 1)])
def test_every_pass_has_each_row_once(rows, size):
    batches = np.asarray(jax.jit(jax.vmap(Passes(rows, size, seed=3, stream=0)))(jnp.arange(4 * rows)))
    passes = batches.reshape(-1)[: 4 * rows].reshape(4, rows)
    np.testing.assert_array_equal(np.sort(passes, axis=1), np.broadcast_to(np.arange(rows), (4, rows)))
    assert len({tuple(order) for order in passes.tolist()}) > 1


def test_seeds_and_streams_have_orders_of_their_own():
    orders = {
        (seed, stream): Passes(50, 50, seed, stream)(jnp.int32(0)).tolist() for seed in (0, 1) for stream in (0, 1)
    }
    assert len({tuple(order) for order in orders.values()}) == 4


def test_the_place_of_a_batch_is_exact_beyond_32_bits():
    passes = Passes(10_000_019, 100_003, seed=0, stream=0)
    place = jax.jit(passes._place)
    for number in (0, 1, 99, 100, 123_456, 2_000_000_000):
        passed, first = divmod(number * 100_003, 10_000_019)
        assert [int(part) for part in place(jnp.int32(number))] == [passed, first]


@pytest.mark.parametrize("samples", [600, 200_000])
def test_rows_on_the_host_are_distinct_and_in_order(samples):
    batches = MiniBatches(NAMES, samples, size=256, count=2)
    rows = batches.on_host(np.random.default_rng(0))
    assert rows.shape == (2, 256)
    assert len(np.unique(rows)) == 512
    assert np.all(np.diff(rows, axis=1) > 0)


def operations_of_a_batch(samples):
    batches = MiniBatches(NAMES, samples, size=512)
    data = {NAMES[0]: jax.ShapeDtypeStruct((samples, 4), jnp.float32)}
    draw = jax.jit(lambda data, key: batches.on_device(data, key, 0)[NAMES[0]])
    compiled = draw.lower(data, jax.eval_shape(lambda: jax.random.key(0))).compile()
    return compiled.cost_analysis(), compiled.memory_analysis().temp_size_in_bytes


def test_a_batch_of_few_or_many_samples_costs_the_same():
    (few, few_bytes), (many, many_bytes) = map(operations_of_a_batch, (2_000, 200_000))
    assert many["flops"] <= 1.01 * few["flops"]
    assert many_bytes <= 1.1 * few_bytes < 200_000
