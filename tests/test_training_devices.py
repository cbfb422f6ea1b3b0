"""Device meshes: eight forced host devices give the numbers of one, and two processes those of one process."""

import socket

import numpy as np
import processes
import pytest
from processes import result_of

PROBLEMS = """
import json, sys
import equinox as eqx, foundax, jax, numpy as np, optax
import jno

def points(mesh):
    domain = jno.domain.rect(mesh_size=0.2)
    x, y, _ = domain.variable("interior")
    xb, yb, _ = domain.variable("boundary")
    module = foundax.mlp(2, hidden_dims=16, num_layers=2, key=jax.random.PRNGKey(0))
    net = jno.nn(module).optimizer(optax.adam(1e-2))
    u = net(x, y)
    first, second = (u.laplacian(x, y) + 1.0).mse, net(xb, yb).mse
    w = jno.fn.adaptive.softadapt([first, second], beta=10.0)
    constraints = [w[0] * first, w[1] * second, w[0].tracker(interval=10), u.mean.tracker(interval=10)]
    return jno.core(constraints, mesh=mesh), net, u, {}

def envelope(mesh):
    domain = jno.domain.disk(mesh_size=0.1)
    x, y, _ = domain.variable("interior")
    module = foundax.mlp(2, hidden_dims=16, num_layers=2, key=jax.random.PRNGKey(0))
    net = jno.nn(module).optimizer(optax.adam(1e-2))
    u = net(x, y) * domain.distance_function(smooth=True)
    crux = jno.core([(u.laplacian(x, y) + 1.0).mse], mesh=mesh)
    assert crux._solver._built.program(1).precomputed.expressions
    return crux, net, u, {}

def rows(mesh):
    domain = 16 * jno.domain.line(mesh_size=0.25)
    a = domain.variable("a", np.linspace(-1, 1, 16 * 6, dtype=np.float32).reshape(16, 1, 6, 1))
    net = jno.nn(foundax.mlp(1, hidden_dims=16, num_layers=2, key=jax.random.PRNGKey(0))).optimizer(optax.adam(1e-2))
    return jno.core([(net(a) - jno.np.sin(3 * a)).mse], mesh=mesh), net, net(a), {"batchsize": 8}

def run(build, mesh, **options):
    crux, net, u, own = build(mesh)
    history = crux.solve(20, **own, **options)
    tracked = [t["values"].tolist() for t in history.training_logs[0].get("track_stats", [])]
    kernels = [l for l in jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array)) if l.ndim > 1]
    return {
        "losses": history.total_loss_history.tolist(),
        "cut": [str(kernel.sharding.spec) for kernel in kernels] if hasattr(kernels[0].sharding, "spec") else None,
        "shard": [list(kernel.addressable_shards[0].data.shape) for kernel in kernels],
        "shapes": [list(kernel.shape) for kernel in kernels],
        "tracked": np.ravel(tracked).tolist(),
        "value": float(np.mean(np.asarray(crux.eval(u)))),
        "mesh": dict(crux.mesh.shape),
    }
"""

SINGLE = (
    PROBLEMS
    + """
found = {name: run(build, (1, 1)) for name, build in (("points", points), ("rows", rows), ("envelope", envelope))}
print("RESULT " + json.dumps({**found, "rows offloaded": run(rows, (1, 1), offload_data=True)}))
"""
)

EIGHT = (
    PROBLEMS
    + """
found = {}
for name, build in (("points", points), ("rows", rows)):
    for mesh in ((8, 1), (1, 8), (2, 4), (1, 1)):
        found[f"{name} {mesh}"] = run(build, mesh)
found["envelope (8, 1)"] = run(envelope, (8, 1))
found["rows offloaded"] = run(rows, (2, 4), offload_data=True)
try:
    crux, *_ = rows((8, 1))
    crux.solve(1, batchsize=6)
except ValueError as error:
    found["batch"] = str(error)
try:
    points((3, 1))
except ValueError as error:
    found["mesh"] = str(error)
print("RESULT " + json.dumps(found))
"""
)

SEVERAL_PROCESSES = (
    PROBLEMS.replace(
        "import jno\n",
        "import jno\nnumber, port = int(sys.argv[1]), sys.argv[2]\n"
        "jax.config.update('jax_cpu_collectives_implementation', 'gloo')\n"
        "jax.distributed.initialize(f'localhost:{port}', 2, number)\n",
        1,
    )
    + """
print("RESULT " + json.dumps({name: run(build, (2, 1)) for name, build in (("points", points), ("rows", rows))}))
"""
)


def start(program, *arguments, devices=1):
    flags = f"--xla_force_host_platform_device_count={devices}"
    return processes.start(program, *arguments, without=("JNO_", "XLA_"), XLA_FLAGS=flags)


@pytest.fixture(scope="module")
def single():
    return result_of(start(SINGLE))


@pytest.mark.slow
def test_eight_devices_give_the_numbers_of_one(single):
    found = result_of(start(EIGHT, devices=8))
    for name in ("points", "rows"):
        for mesh in ("(8, 1)", "(1, 8)", "(2, 4)", "(1, 1)"):
            run = found[f"{name} {mesh}"]
            np.testing.assert_allclose(run["losses"], single[name]["losses"], rtol=1e-5)
            np.testing.assert_allclose(run["value"], single[name]["value"], rtol=1e-4)
            np.testing.assert_allclose(run["tracked"], single[name]["tracked"], rtol=1e-4)
        assert found[f"{name} (1, 1)"]["mesh"] == {"batch": 8, "model": 1}
        hybrid = found[f"{name} (2, 4)"]
        for spec, shard, shape in zip(hybrid["cut"], hybrid["shard"], hybrid["shapes"], strict=True):
            divides = shape[-1] % 4 == 0
            assert ("model" in spec) == divides
            assert shard == [*shape[:-1], shape[-1] // 4 if divides else shape[-1]]
    np.testing.assert_allclose(found["envelope (8, 1)"]["losses"], single["envelope"]["losses"], rtol=1e-5)
    np.testing.assert_allclose(found["rows offloaded"]["losses"], single["rows offloaded"]["losses"], rtol=1e-5)
    assert "a step sees 6 samples, which the 8 devices of the batch axis" in found["batch"]
    assert "mesh=(3, 1) asks for 3 devices, JAX has 8" in found["mesh"]


@pytest.mark.slow
def test_two_processes_give_the_numbers_of_one(single):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    for found in map(result_of, [start(SEVERAL_PROCESSES, str(number), port) for number in (0, 1)]):
        for name in ("points", "rows"):
            np.testing.assert_allclose(found[name]["losses"], single[name]["losses"], rtol=1e-5)
            np.testing.assert_allclose(found[name]["value"], single[name]["value"], rtol=1e-4)
            np.testing.assert_allclose(found[name]["tracked"], single[name]["tracked"], rtol=1e-4)
