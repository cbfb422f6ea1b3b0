"""Lines of the log: what a weak problem does that its user may not expect."""

import jax

import jno


def rod():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    b, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    return domain, x, b, u, v


def test_single_precision_is_said_once_and_double_precision_is_silent(capsys):
    _, x, b, u, v = rod()
    k = jno.np.parameter((1,), name="k")
    line = "the solution is computed in single precision"
    with jax.enable_x64(True):
        jno.fem([u.d(x) * v.d(x) - 2 * v, u(b) - 0.0]).solve()
    assert line not in capsys.readouterr().out
    plain, trainable = (jno.fem([c * u.d(x) * v.d(x) - 2 * v, u(b) - 0.0]) for c in (1.0, k))
    assert line not in capsys.readouterr().out
    trainable.solve()
    said = capsys.readouterr().out
    assert said.count(line) == 1
    assert "call jax.config.update('jax_enable_x64', True) before the problem is built" in said
    plain.solve()
    assert line not in capsys.readouterr().out


def test_a_network_that_does_not_meet_its_condition_is_reported(capsys):
    domain, x, b, _, _ = rod()
    half = jno.np.parameter((1,), name="half").initialize(0.5)
    phi = domain.test_function()
    met = (half * x * (1 - x)).bind(x=x)
    weak = met.x * phi(x).x - phi(x)
    jno.fem([weak, half * b * (1 - b) - 0.0])
    jno.fem([weak, half + 0 * b - (0.5 + 1e-7)])
    assert "not met" not in capsys.readouterr().out
    jno.fem([weak, half + 0 * b - 0.75])
    said = capsys.readouterr().out
    assert "dirichlet@boundary is not met by its network: they differ by 0.25 at [0.0]" in said
    assert "prescribes nothing; multiply the network by a factor that vanishes there" in said


def test_the_place_and_the_largest_difference_of_a_vector(capsys):
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    a, b, _ = domain.variable("right")
    one = jno.np.parameter((1,), name="one").initialize(1.0)
    phi = domain.test_function((2,), order=2)
    field = jno.np.vector(one * x, one * y).bind(x=x, y=y)
    jno.fem([jno.np.inner(field, phi(x, y)), jno.np.vector(one * a - 1.0, one * b - b**2)])
    said = capsys.readouterr().out
    # b - b^2 is largest in the middle, which is a node of the second order
    assert "they differ by 0.25 at [1.0, 0.5]" in said
