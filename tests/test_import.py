"""`import jno` stays light."""

import subprocess
import sys

HEAVY = ("matplotlib", "gmsh", "meshio", "orbax", "blackjax", "nevergrad", "scipy.optimize", "foundax", "flax")


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
