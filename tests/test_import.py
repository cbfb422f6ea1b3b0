"""`import jno` stays light."""

import importlib
import subprocess
import sys

import pytest

HEAVY = (
    "matplotlib",
    "gmsh",
    "meshio",
    "orbax",
    "blackjax",
    "nevergrad",
    "scipy.optimize",
    "scipy.spatial",
    "scipy.stats",
    "shapely",
    "foundax",
    "flax",
)


def test_heavy_libraries_are_imported_where_they_are_used():
    code = f"import sys, jno; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_names_of_the_specification_live_where_it_says():
    import jno
    import jno.architectures.models
    import jno.utils.ad_mode
    import jno.utils.adaptive.callbacks
    import jno.utils.callbacks
    import jno.utils.statistics
    from jno.domain import domain

    assert jno.core.__module__ == "jno.core"
    assert jno.domain is domain
    assert jno.architectures.models.nn is jno.nn
    assert jno.np.__name__ == "jno.jnp_ops"
    assert jno.fn.__name__ == "jno.fn"
    assert jno.numpy is jno.np
    assert sys.modules["jno.numpy"] is jno.np
    from jno.numpy import sin

    assert sin is jno.np.sin
    import jno.numpy as module

    assert module is jno.np
    assert jno.do is jno.domain
    for name in ("Callback", "CheckpointCallback"):
        assert getattr(jno.utils.adaptive.callbacks, name) is getattr(jno.utils.callbacks, name)


@pytest.mark.parametrize(
    "path",
    [
        "jno.architectures.models.nn",
        "jno.core.core",
        "jno.differential_operators.DifferentialOperators",
        "jno.domain.domain",
        "jno.domain.domain.csg",
        "jno.fn",
        "jno.integration_operators.IntegrationOperators",
        "jno.jnp_ops",
        "jno.noise",
        "jno.trace.Integral",
        "jno.trace.Model",
        "jno.trace.Noise",
        "jno.trace.Variable",
        "jno.utils.ad_mode",
        "jno.utils.callbacks.Callback",
        "jno.utils.callbacks.CheckpointCallback",
        "jno.utils.statistics.statistics",
    ],
)
def test_documented_paths_stay(path):
    """Modules by their dotted names; a class may cover a module of its name, as `jno.core` does."""
    parts = path.split(".")
    for count in range(len(parts), 0, -1):
        try:
            place = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            place = getattr(place, name)
        return
    pytest.fail(f"{path} is not there")
