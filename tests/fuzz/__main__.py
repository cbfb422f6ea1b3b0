"""Make the calls and print what became of them: ``python -m fuzz --calls 500``."""

from __future__ import annotations

import argparse
import random
import sys

from ._pool import results
from ._recipes import RECIPES
from ._report import printed, reached
from ._world import World


def main() -> int:
    """Zero if the goals are reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0, help="a call that takes longer hangs")
    parser.add_argument("--only", default="", help="functions whose name contains this")
    options = parser.parse_args()
    world = World()
    chosen = [recipe for recipe in RECIPES if options.only in recipe.label]
    cases = [case for recipe in chosen for case in recipe.cases(world)]
    total = len(cases)
    random.Random(options.seed).shuffle(cases)
    outcomes = list(results(cases[: options.calls], options.workers, options.seconds))
    print(printed(outcomes, total, {recipe.label: recipe.unknown(world) for recipe in chosen}))
    return 0 if reached(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
