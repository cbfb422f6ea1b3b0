"""Public functions refuse wrong arguments; `make fuzz` makes forty times as many calls."""

import os
import subprocess
import sys
from pathlib import Path

from fuzz._kinds import Verdict, integer, number, operand, optional, positive
from fuzz._outcomes import NAMED, RAW, UNNAMED, Case, classified
from fuzz._recipes import RECIPES
from fuzz._world import World

import jno
from jno.utils import require_positive


def test_five_hundred_calls():
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "fuzz", "--calls", "500", "--seed", "1", "--workers", "1", "--seconds", "120"]
    done = subprocess.run(command, cwd=Path(__file__).parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_right_arguments_are_not_refused():
    world = World()
    building = [recipe for recipe in RECIPES if recipe.label.startswith(("jno.np.", "jno.fn.", "Placeholder."))]
    for recipe in building:
        recipe.called(world)
    assert len(building) > 120


def test_no_two_recipes_have_one_label():
    labels = [recipe.label for recipe in RECIPES]
    assert len(set(labels)) == len(labels)


def test_verdicts():
    assert [integer(1)(value) for value in (1, 0, True, 2.0, 10**30)] == [0, 2, 2, 2, 1]
    assert [positive(value) for value in (1e-3, 0, float("nan"), 1e300)] == [0, 2, 2, 1]
    assert optional(number(0, 1))(None) == Verdict.RIGHT
    assert [operand(value) for value in (1.0, "abc", None, [None], {})] == [1, 2, 2, 2, 2]


def _outcome(call):
    try:
        call()
    except Exception as error:
        return classified(error, ("rate",))[0]


def test_an_error_is_classified_by_where_it_was_raised():
    assert _outcome(lambda: require_positive(0, "f(rate)")) == NAMED
    assert _outcome(lambda: require_positive(0, "f(x)")) == UNNAMED
    assert _outcome(lambda: jno.utils.quoted(3)) == RAW
    assert str(Case("f", "rate", "nan")) == "f(rate=nan)"
