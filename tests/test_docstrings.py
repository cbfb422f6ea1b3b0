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
    """See through the run-time checks of annotations, and know classes that name their package as their module."""

    def _from_module(self, module, object):
        plain = inspect.unwrap(object) if callable(object) else object
        if inspect.isclass(plain) and plain.__module__ == module.__name__.rpartition(".")[0]:
            code = [inspect.unwrap(entry).__code__ for entry in vars(plain).values() if inspect.isfunction(entry)]
            return any(entry.co_filename == module.__file__ for entry in code)
        return super()._from_module(module, plain)


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
