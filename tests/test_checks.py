"""The shared checks of arguments: what passes, and the one form of their messages."""

import math

import numpy as np
import pytest

from jno.utils import (
    is_integer,
    is_integral,
    is_number,
    require_bool,
    require_callable,
    require_int,
    require_nonnegative,
    require_number,
    require_one_of,
    require_positive,
)


@pytest.mark.parametrize(
    ("check", "value", "error", "message"),
    [
        (lambda v: require_int(v, "epochs", minimum=1), 0, ValueError, "epochs=0: it must be an integer of at least 1"),
        (lambda v: require_int(v, "f(n)", minimum=2), 1, ValueError, "f(n=1): n must be an integer of at least 2"),
        (
            lambda v: require_int(v, "f(n)", minimum=0),
            True,
            ValueError,
            "f(n=True): n must be an integer of at least 0",
        ),
        (
            lambda v: require_int(v, "f(n)", minimum=1, subject="the size"),
            1.0,
            ValueError,
            "f(n=1.0): the size must be",
        ),
        (
            lambda v: require_int(v, "n", minimum=1),
            10**30,
            ValueError,
            "n=1000000000000000000000000000000: it must be an i",
        ),
        (lambda v: require_number(v, "f(x)"), math.nan, ValueError, "f(x=nan): x must be a finite number"),
        (lambda v: require_positive(v, "f(x)"), 0, ValueError, "f(x=0): x must be a positive number"),
        (lambda v: require_positive(v, "f(x)"), math.inf, ValueError, "f(x=inf): x must be a positive number"),
        (lambda v: require_nonnegative(v, "f(x)"), -0.1, ValueError, "f(x=-0.1): x must be a number of at least 0"),
        (lambda v: require_bool(v, "f(x)"), 1, TypeError, "f(x=1): x must be True or False"),
        (lambda v: require_callable(v, "f(x)"), "nuts", TypeError, "f(x='nuts'): expected a function, got str"),
        (lambda v: require_one_of(v, "f(x)", ("a", "b")), "c", ValueError, "f(x='c'): allowed are 'a', 'b'"),
    ],
)
def test_refusals_say_what_was_passed_and_what_is_allowed(check, value, error, message):
    with pytest.raises(error) as caught:
        check(value)
    assert str(caught.value).startswith(message)


def test_what_passes_is_returned():
    assert require_int(3, "n", minimum=3) == 3
    assert require_number(-2.5, "x") == -2.5
    assert require_positive(1e-300, "x") == 1e-300
    assert require_nonnegative(0, "x") == 0
    assert require_bool(False, "x") is False
    require_callable(len, "x")
    require_one_of("a", "x", {"a": 1})


def test_integers_of_numpy_are_integral_but_not_python_integers():
    assert is_integral(np.int64(3), 3)
    assert not is_integral(np.int64(2), 3)
    assert not is_integer(np.int64(3))
    assert not is_integral(np.True_)
    assert not is_integral(True)
    assert is_number(np.float64(1.0)), "it is a Python float"
    assert not is_number(1j)
