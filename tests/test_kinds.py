"""Kinds of arguments: what each accepts, its message, and the decorator that checks them."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jno.utils import (
    FLAG,
    FLOATING,
    FUNCTION,
    KEY,
    MASK,
    NAME,
    NONNEGATIVE,
    NUMBER,
    PATH,
    POSITIVE,
    SEED,
    TEXT,
    checked,
    function_of,
    instance,
    integer,
    number,
    one_of,
    sequence,
)


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (FLAG, [True, False], [1, 0, "yes", None, np.array([True]), jnp.array(True)]),
        (TEXT, ["", "a"], [b"a", 1, None]),
        (NAME, ["a"], ["", 1]),
        (PATH, ["a", Path("a")], ["", b"a", 1, None, [], object()]),
        (FUNCTION, [len, lambda: 1], [1, "len"]),
        (NUMBER, [-1, 0.5, np.float32(2.0), jnp.array(1.5)], [math.nan, -math.inf, True, "1", 1j, 10**400, [1.0]]),
        (POSITIVE, [1e-300, 3], [0, -1.0, math.inf]),
        (NONNEGATIVE, [0, 1.0], [-1e-300, math.nan]),
        (number(0, 1, below=1), [0, 0.99], [1, -0.1]),
        (integer(1), [1, np.int64(3)], [0, 1.0, True, "1", 2.5]),
        (integer(0, 3), [0, 3], [4, -1]),
        (SEED, [0, -1, 2**62], [2**63, 0.5, object()]),
        (one_of("min", 2), ["min", 2], ["max", 2.0, True, ["min"], np.array(["min"])]),
        (sequence(integer(), "integers", least=1), [[1], (1, 2)], [[], [1.5], 1, {1}]),
        (sequence(FLAG, "two flags", size=2), [(True, False)], [(True,), [1, 0]]),
        (instance("a dict", dict), [{}], [[], None]),
        (FLOATING, [jnp.float32, np.dtype("float64"), "bfloat16"], [jnp.int32, 2, None, jnp.ones(2), "abc"]),
        (KEY, [jax.random.PRNGKey(0), jax.random.key(0)], [0, None, jnp.ones(2), "key"]),
        (MASK, [{"w": True, "b": False}, [np.True_]], [1, {"w": 1}, [None], "mask", jnp.ones(2)]),
        (function_of(1, "f(x)"), [math.sin, lambda x: x, lambda *a: a, ",".join], [lambda: 1, lambda x, y: x, 1]),
        (FLAG | one_of("vector"), [True, "vector"], ["scalar", 1]),
    ],
    # ids without addresses: workers compare them
    ids=lambda value: value.allowed if hasattr(value, "allowed") else "",
)
def test_what_a_kind_accepts(kind, right, wrong):
    for value in right:
        assert kind.accepts(value), value
    for value in wrong:
        assert not kind.accepts(value), value


def test_a_traced_number_passes():
    assert float(jax.jit(lambda x: x if POSITIVE.accepts(x) else 0.0)(-2.0)) == -2.0


def test_the_message_says_what_was_passed_and_what_is_allowed():
    with pytest.raises(ValueError, match=r"^fit\(rate=nan\): rate must be a number of at least 0 and below 1$"):
        number(0, below=1).require(math.nan, "fit(rate)")
    with pytest.raises(TypeError, match=r"^fit\(loud=1\): loud must be True or False, or None$"):
        FLAG.require(1, "fit(loud)", optional=True)
    with pytest.raises(ValueError, match=r"integer from 2 to 9$"):
        integer(2, 9).require(1, "n")


def test_long_values_are_shortened():
    with pytest.raises(TypeError, match=r"^fit\(loud=ndarray of shape \(50, 2\)\): loud must be"):
        FLAG.require(np.ones((50, 2)), "fit(loud)")
    with pytest.raises(TypeError) as caught:
        FLAG.require("x" * 1000, "fit(loud)")
    assert len(str(caught.value)) < 300


class Fitter:
    """A class whose arguments are checked."""

    @checked(rate=POSITIVE)
    def __init__(self, rate: float = -1.0) -> None:
        self.rate = rate

    @classmethod
    @checked(patience=integer(1), verbose=FLAG)
    def patient(cls, patience: int, *, verbose: bool | None = False) -> tuple[object, ...]:
        """A class method."""
        return cls, patience, verbose


@checked("total", values=NUMBER)
def total(*values: float) -> float:
    """The sum."""
    return sum(values)


def test_arguments_are_checked_wherever_they_stand():
    assert Fitter.patient(3) == (Fitter, 3, False)
    assert Fitter.patient(patience=3, verbose=None) == (Fitter, 3, None)
    for call in (lambda: Fitter.patient(0), lambda: Fitter.patient(patience=2.5)):
        with pytest.raises(ValueError, match=r"^patient\(patience=.*\): patience must be an integer of at least 1$"):
            call()
    with pytest.raises(TypeError, match=r"verbose must be True or False, or None$"):
        Fitter.patient(1, verbose="no")
    with pytest.raises(TypeError, match="missing 1 required"):
        Fitter.patient()
    assert total(1, 2.5) == 3.5
    with pytest.raises(ValueError, match=r"^total\(values='a'\)"):
        total(1, "a")


def test_a_constructor_goes_by_the_name_of_its_class_and_its_default_passes():
    assert Fitter().rate == -1.0
    with pytest.raises(ValueError, match=r"^Fitter\(rate=0\): rate must be a positive number$"):
        Fitter(0)
