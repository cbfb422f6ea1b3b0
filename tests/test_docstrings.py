"""Every `>>>` example in the docstrings of jno runs."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import jno

ROOT = Path(jno.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if path.name != "__main__.py" and ">>> " in path.read_text(encoding="utf-8")
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Finder(doctest.DocTestFinder):
    """See through the run-time checks of annotations, which wrap every function."""

    def _from_module(self, module, object):
        return super()._from_module(module, inspect.unwrap(object) if callable(object) else object)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    # globs={}: an example imports what it uses, as a reader would have to
    tests = Finder(exclude_empty=True).find(module, name, globs={})
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for test in tests:
        runner.run(test, out=report.append, clear_globs=True)
    assert runner.summarize(verbose=False).attempted > 0, f"{name}: no example was found"
    assert not runner.failures, "".join(report)
