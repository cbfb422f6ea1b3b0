"""Calls of the public functions with one wrong argument each: `make fuzz` (see `CONTRIBUTING.md`).

Nonsense must be refused by an error that jNO raises on purpose and that names the argument.

- `_values`: the values that are tried, and `_kinds`: which of them a kind of parameter allows.
- `_recipes_*`: the public functions, right arguments for each, and the kinds that names and annotations do not tell.
- `_worker`: makes the calls in a process of its own, `_outcomes` says what became of each, `_report` counts.
"""
