"""A process that makes the calls: reads one case a line, writes one result a line."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import warnings
from typing import Any, TextIO

MEMORY = 12 * 2**30


def main() -> None:
    """Answer the cases of the standard input on the standard output."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    os.environ.update(JAX_PLATFORMS="cpu", MPLBACKEND="Agg", XDG_CONFIG_HOME="/nonexistent")
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HOME"] = scratch
        os.chdir(scratch)
        _serve(answers)


def _serve(answers: TextIO) -> None:
    from ._outcomes import ACCEPTED, ALLOWED, Case, classified
    from ._recipe import Verdict
    from ._recipes import RECIPES
    from ._world import World

    world, recipes = World(), {recipe.label: recipe for recipe in RECIPES}

    def answer(**fields: Any) -> None:
        print(json.dumps(fields), file=answers)

    answer(ready=True)
    for line in sys.stdin:
        case = Case(**json.loads(line))
        recipe = recipes[case.recipe]
        try:
            recipe.call(world, case)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            outcome, place, text = classified(error, recipe.names(world, case))
            answer(outcome=outcome, place=place, text=text[:500])
        else:
            wrong = recipe.verdict(world, case) == Verdict.WRONG
            answer(outcome=ACCEPTED if wrong else ALLOWED, place="", text="")


if __name__ == "__main__":
    main()
