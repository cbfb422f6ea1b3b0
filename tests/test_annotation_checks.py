"""The suite checks every annotation of jno at run time: of functions, of nested ones, of arrays' shapes."""

import gc
import weakref

import annotation_checks
import jax
import jax.numpy as jnp
import jaxtyping
import pytest
from beartype import beartype
from jaxtyping import Array, Float

from jno.compiler import _scope


def _checked(function):
    return annotation_checks._checked(function, beartype)


def test_a_function_of_the_library_refuses_a_wrong_argument_and_a_wrong_result():
    with pytest.raises(Exception, match="hint"):
        _scope.Scope.values(object(), 3)

    def wrong() -> int:
        return "one"

    wrong.__qualname__ = "wrong"
    with pytest.raises(Exception, match="wrong"):
        _checked(wrong)()


def test_shapes_agree_across_arguments_and_result():
    def product(left: Float[Array, "n m"], right: Float[Array, "m k"]) -> Float[Array, "n k"]:
        return (left @ right)[: 1 if left.shape[0] == 5 else None]

    for qualname in ("product", "outer.<locals>.product"):
        product.__qualname__ = qualname
        annotation_checks._checks_of.clear()
        checked = _checked(product)
        assert checked(jnp.ones((2, 3)), jnp.ones((3, 4))).shape == (2, 4)
        with pytest.raises(jaxtyping.TypeCheckError, match="right"):
            checked(jnp.ones((2, 3)), jnp.ones((2, 4)))
        with pytest.raises(jaxtyping.TypeCheckError, match="return"):
            checked(jnp.ones((5, 3)), jnp.ones((3, 4)))


def test_the_definition_that_is_called_runs_behind_the_checks_of_the_first_one():
    def definition(factor, inner=None):
        def scaled(value: "int", offset: "int" = factor) -> "int":
            return factor * (inner(value) if inner else value) + offset

        return _checked(scaled)

    twice, thrice = definition(2), definition(3, definition(5))
    assert (twice(1), thrice(1), twice(1, offset=0), twice(1)) == (4, 33, 2, 4)
    with pytest.raises(jaxtyping.TypeCheckError, match="value"):
        thrice("1")
    assert annotation_checks._running.stack == []
    assert jax.jit(twice, static_argnums=0)(7) == 16


def test_the_checks_do_not_keep_what_the_first_definition_closes_over():
    class Large:
        pass

    def definition(large):
        def reads() -> "object":
            return large

        return _checked(reads)

    large = Large()
    alive = weakref.ref(large)
    assert definition(large)() is large
    del large
    gc.collect()
    assert alive() is None
