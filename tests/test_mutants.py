"""The tables of mutants fit the code: each change applies in one place, leaves a program, and names real tests."""

import ast
import collections

import mutate
import pytest

MUTANTS = mutate.read_tables()


def functions(path):
    tree = ast.parse((mutate.ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("room", sorted({mutant.room for mutant in MUTANTS}))
def test_the_changes_of_a_room(room):
    mutants = [mutant for mutant in MUTANTS if mutant.room == room]
    repeated = [name for name, count in collections.Counter(mutant.name for mutant in mutants).items() if count > 1]
    assert not repeated
    for mutant in mutants:
        compile(mutant.changed(), mutant.file, "exec")
        for path, _, test in (name.partition("::") for name in mutant.tests):
            assert not test or test.partition("[")[0] in functions(path), mutant.name


def test_there_are_enough():
    assert len(MUTANTS) >= 100
