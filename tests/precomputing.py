"""Programs with and without what is computed beforehand, and how they are compared."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from jno.compiler import Program, precompute
from jno.compiler._worth import Worth

EVERYTHING = Worth(per_number=0.0, share=0.0)
"""Also what would not pay."""


def modules_of(program):
    return {model.layer_id: model.module for model in program.models}


def pair(expressions, domain, window=1, worth=EVERYTHING):
    """A program that computes everything, and one of the same expressions with fixed parts computed beforehand."""
    plain = Program(expressions, domain, window=window)
    adopted = Program(expressions, domain, window=window, graph=plain.graph)
    adopted.adopt(precompute(adopted, modules_of(adopted), worth))
    return plain, adopted


def value_and_gradient(program, data=None, key=None):
    """Values, and the gradient of their mean squares with respect to all weights."""
    arrays, static = eqx.partition(modules_of(program), eqx.is_inexact_array)

    def total(arrays, data):
        values = program(eqx.combine(arrays, static), data, key)
        return sum(jnp.mean(jnp.abs(value) ** 2) for value in values), values

    (_, values), gradient = jax.jit(jax.value_and_grad(total, has_aux=True))(arrays, program.data | (data or {}))
    return [*values, *jax.tree_util.tree_leaves(gradient)]


def assert_same(plain, adopted, tolerance=1e-5, **options):
    expected, actual = value_and_gradient(plain, **options), value_and_gradient(adopted, **options)
    assert len(expected) == len(actual) > 1
    for a, b in zip(expected, actual, strict=True):
        scale = max(1.0, float(jnp.abs(a).max()))
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), rtol=0, atol=tolerance * scale)


def titles(program):
    return {e.node.describe(): ", ".join(e.titles()) for e in program.precomputed.expressions}
