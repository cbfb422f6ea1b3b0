"""Every mistake in a weak problem is refused by a message that says what is wrong and what to do."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from weak_forms import double_precision  # noqa: F401

import jno


class Setting:
    """A square with some symbols, and one with time."""

    def __init__(self):
        self.domain = jno.domain.rect(mesh_size=0.5)
        self.x, self.y, _ = self.domain.variable("interior")
        self.xb, self.yb, _ = self.domain.variable("boundary")
        self.u, self.v = self.domain.fem_symbols((), ("u", "v"))
        self.p, self.q = self.domain.fem_symbols((), ("p", "q"))
        self.w, self.z = self.domain.fem_symbols((2,), ("w", "z"), order=2)
        self.ui, self.vi = self.u(self.x, self.y), self.v(self.x, self.y)
        self.wi, self.zi = self.w(self.x, self.y), self.z(self.x, self.y)
        self.stiffness = self.ui.grad().dot(self.vi.grad())
        self.zero = self.u(self.xb, self.yb) - 0.0
        self.mass = self.ui * self.vi

    def at(self, tag, symbol):
        """A symbol at the coordinates of a tag."""
        return symbol(*self.domain.variable(tag)[:2])


class TimeSetting:
    def __init__(self):
        self.domain = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3))
        self.x, self.y, self.t = self.domain.variable("interior")
        self.start = self.domain.variable("initial")
        self.u, self.v = self.domain.fem_symbols((), ("u", "v"))
        self.ui, self.vi = self.u(self.x, self.y, self.t), self.v(self.x, self.y, self.t)
        self.heat = self.ui.t * self.vi + self.ui.grad().dot(self.vi.grad())
        self.initial = self.u(*self.start[:2]) - 1.0


class Mean(eqx.Module):
    """A network that mixes points."""

    weight: jnp.ndarray

    def __call__(self, points):
        return points * self.weight + points.mean(axis=0, keepdims=True)


@pytest.fixture(scope="module")
def s():
    return Setting()


@pytest.fixture(scope="module")
def timed():
    return TimeSetting()


def corner(s):
    if "corner" not in s.domain.geometry.tags:
        s.domain.tag("corner", lambda x, y: (x < 1e-9) & (y < 1e-9))
    return s.domain.variable("corner")[:2]


def two_domains(s):
    other = jno.domain.rect(mesh_size=0.5)
    return s.u * s.v * other.variable("interior")[0]


def merged():
    domain = jno.domain.rect(mesh_size=0.5) + jno.domain.rect(mesh_size=0.25)
    u, v = domain.fem_symbols()
    return [u * v]


def without_mesh():
    domain = jno.domain.from_array({"interior": np.zeros((3, 2))})
    u, v = domain.fem_symbols()
    return [u * v]


LISTS = {
    "nothing": (lambda s: [], ValueError, r"jno\.fem\(\[\.\.\.\]\) needs at least one term"),
    "a number": (lambda s: [s.stiffness, 3], TypeError, r"entry 1 is 3 of type int; terms are expressions"),
    "no field": (
        lambda s: [s.x * s.y],
        ValueError,
        r"no term contains a trial symbol or a test function; make them by",
    ),
    "no test": (lambda s: [s.zero], ValueError, r"no term contains a test function; there is no equation"),
    "forgotten test": (lambda s: [s.stiffness, s.ui - 1.0], ValueError, r"alone on the whole interior; did you forget"),
    "no symbol": (lambda s: [s.stiffness, s.xb * 1.0], ValueError, r"neither a trial symbol nor a test function"),
    "two domains": (lambda s: [two_domains(s)], ValueError, r"fields or variables of 2 domains; take all from one"),
    "choice": (
        lambda s: [s.stiffness * jno.np.choice([1.0, 2.0], name="c")],
        ValueError,
        r"contains jno\.np\.choice, which weak forms cannot decide",
    ),
    "interior and boundary": (
        lambda s: [s.stiffness * s.xb],
        ValueError,
        r"spans multiple regions, \['boundary', 'interior'\]; a term is an integral over a single region",
    ),
    "two sides": (
        lambda s: [s.stiffness, s.at("left", s.u) * s.at("right", s.v)],
        ValueError,
        r"multiple regions, \['left', 'right'\]",
    ),
    "unknown without equation": (
        lambda s: [s.stiffness, s.at("boundary", s.p)],
        ValueError,
        r"the unknown 'p' has no equation: no term contains its test function",
    ),
    "equation without unknown": (
        lambda s: [s.stiffness, s.q(s.x, s.y) * s.ui],
        ValueError,
        r"an equation of the test function of 'p' but its trial symbol occurs nowhere",
    ),
    "test twice": (lambda s: [s.mass * s.vi], ValueError, r"a term must be linear in the test function"),
    "no test in a summand": (lambda s: [s.mass + s.ui * (s.vi + 1)], ValueError, r"every summand contains it once"),
    "no test in a summand that is zero at first": (
        lambda s: [s.mass + s.ui * jno.np.parameter((), name="k").initialize(0.0)],
        ValueError,
        r"every summand contains it once",
    ),
    "mixed points that are zero at first": (
        lambda s: [s.mass * (1 + jno.np.parameter((), name="k").initialize(0.0) * jno.nn(Mean(jnp.ones(1)))(s.ui))],
        ValueError,
        r"at one quadrature point depends on other points",
    ),
    "a vector": (
        lambda s: [s.wi * s.zi],
        ValueError,
        r"must be one number at each point; '\*' has the shape \('points', 2\): take a component",
    ),
    "a missing component in a term": (lambda s: [s.wi[3] * s.zi[0]], ValueError, r"must be one number at each point"),
    "mixed points": (
        lambda s: [s.mass * jno.nn(Mean(jnp.ones(1)))(s.ui)],
        ValueError,
        r"at one quadrature point depends on other points: a network or function in it mixes points",
    ),
    "not affine": (
        lambda s: [s.stiffness, s.at("boundary", s.u) ** 2 - 1],
        ValueError,
        r"must be affine in 'u' with one constant factor",
    ),
    "factor that varies": (
        lambda s: [s.stiffness, s.at("boundary", s.u) * (1 + s.xb) - 1],
        ValueError,
        r"must be affine in 'u' with one constant factor",
    ),
    "a sum of components": (
        lambda s: [s.wi.dot(s.zi), s.at("boundary", s.w)[0] + s.at("boundary", s.w)[1]],
        ValueError,
        r"must be affine in 'w' with one constant factor",
    ),
    "a flux": (lambda s: [s.stiffness, s.at("boundary", s.u).x], ValueError, r"prescribes derivatives of 'u'"),
    "a missing component": (
        lambda s: [s.wi.dot(s.zi), s.at("boundary", s.w)[3]],
        ValueError,
        r"takes a component that 'w' does not have: it has 2",
    ),
    "whole and component": (
        lambda s: [s.wi.dot(s.zi), s.at("left", s.w) - 0.0, s.at("left", s.w)[0] - 1.0],
        ValueError,
        r"prescribed twice on one region, as a whole \(dirichlet@left\) and by component \(dirichlet@left\[x\]\)",
    ),
    "several unknowns": (
        lambda s: [s.stiffness + s.p * s.q, s.at("boundary", s.u) - s.at("boundary", s.p)],
        ValueError,
        r"contains several unknowns, \['u', 'p'\]",
    ),
    "an integral over a node": (
        lambda s: [s.stiffness, s.v(*corner(s)) * 1.0],
        ValueError,
        r"an integral over 'corner', which has no cells and no facets",
    ),
    "prescribed network": (
        lambda s: [s.x * s.vi, s.zero],
        ValueError,
        r"'u' is prescribed but occurs in no term with a test function",
    ),
    "whose test function": (
        lambda s: [s.x * s.vi + s.x * s.q(s.x, s.y), s.xb * 1.0],
        ValueError,
        r"which of the test functions \['u', 'p'\] the condition .* belongs to is not known: several have 1 comp",
    ),
    "merged domains": (lambda s: merged(), NotImplementedError, r"merged domains of several geometries"),
    "no mesh": (lambda s: without_mesh(), ValueError, r"weak forms need a mesh and the domain has none"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LISTS)
def test_lists_that_mean_nothing(s, name):
    build, kind, text = LISTS[name]
    with pytest.raises(kind, match=text):
        jno.fem(build(s))


TIMED = {
    "initial value of a steady problem": (
        lambda s: [s.ui * s.vi, s.initial],
        r"'u' has an initial value, but no term contains its derivative \.t",
    ),
    "initial velocity without second derivative": (
        lambda s: [s.heat, s.initial, s.u(*s.start).t - 1.0],
        r"'u' has an initial velocity, but no term contains its derivative \.tt",
    ),
    "test at the start": (
        lambda s: [s.heat, s.u(*s.start[:2]) * s.v(*s.start[:2])],
        r"the initial condition .* contains the test function 'u'",
    ),
    "initial slope": (lambda s: [s.heat, s.u(*s.start[:2]).x - 1.0], r"prescribes derivatives of 'u'"),
    "value and velocity together": (
        lambda s: [s.ui.tt * s.vi, s.u(*s.start).t + s.u(*s.start) - 1.0],
        r"prescribes derivatives of 'u'",
    ),
    "test by time": (lambda s: [s.ui * s.vi.t], r"differentiates a test function by time"),
}


@pytest.mark.parametrize("name", TIMED)
def test_lists_in_time_that_mean_nothing(timed, name):
    build, text = TIMED[name]
    with pytest.raises(ValueError, match=text):
        jno.fem(build(timed))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"quad_degree": 0}, r"quad_degree=0\): allowed is an integer from 1 to 40, or None"),
        ({"quad_degree": True}, r"quad_degree=True\): allowed is an integer"),
        ({"quad_degree": 2.0}, r"quad_degree=2\.0\): allowed is an integer"),
        ({"element_type": "TET4"}, r"element_type='TET4'\): the mesh has triangle cells; leave it out"),
        ({"vec": 3}, r"vec=3\): the symbols have \[1\] components; leave it out"),
    ],
)
def test_options_of_fem(s, options, text):
    with pytest.raises(ValueError, match=text):
        jno.fem([s.stiffness, s.zero], **options)
    assert jno.fem([s.stiffness, s.zero], quad_degree=1, element_type="TRI3", vec=1).dofs == 9


def test_options_of_solve(s, timed):
    linear = jno.fem([s.stiffness - s.vi, s.zero])
    nonlinear = jno.fem([s.stiffness + s.ui**3 * s.vi - s.vi, s.zero])
    parametric = jno.fem([jno.np.parameter((1,), name="k") * s.stiffness - s.vi, s.zero])
    heat = jno.fem([timed.heat, timed.initial])
    cases = [
        (
            lambda: linear.solve(x0=np.zeros(2)),
            ValueError,
            r"x0=\.\.\.\): 9 finite numbers are needed; got an array of shape \(2,\)",
        ),
        (lambda: linear.solve(x0=np.full(9, np.nan)), ValueError, r"9 finite numbers are needed"),
        (lambda: linear.solve(save_ts=[1.0]), ValueError, r"the problem is steady, no term has a derivative by time"),
        (lambda: linear.solve(3), TypeError, r"solve_fn=3\): it must be a function solve_fn\(A, b\) -> x"),
        (lambda: nonlinear.solve(np.linalg.solve), AttributeError, r"belongs to a steady linear problem, .* nonlinear"),
        (lambda: parametric.solve(np.linalg.solve), ValueError, r"has trainable parameters; leave solve_fn= out"),
        (lambda: heat.solve(x0=np.zeros(9)), ValueError, r"takes initial conditions in its list, no x0="),
        (lambda: heat.solve(theta=0.2), ValueError, r"theta=0\.2\): allowed is 0\.5 \(implicit midpoint\) to 1\.0"),
        (lambda: heat.solve(save_ts=[3.0]), ValueError, r"times between 0\.0 and 1\.0 are needed; got \[3\.0\]"),
        (lambda: heat.solve(save_ts=[]), ValueError, r"times between 0\.0 and 1\.0 are needed"),
    ]
    for call, kind, text in cases:
        with pytest.raises(kind, match=text):
            call()


def test_attributes_of_other_kinds_of_problems(s, timed):
    linear = jno.fem([s.stiffness, s.zero])
    nonlinear = jno.fem([s.stiffness + s.ui**3 * s.vi, s.zero])
    heat = jno.fem([timed.heat, timed.initial])
    for problem, names, text in (
        (linear, ("M", "state0", "t0", "dt"), "belongs? to a time-dependent problem, and this one is steady linear"),
        (nonlinear, ("A", "A_sparse", "b"), "belongs? to a steady linear problem, and this one is steady nonlinear"),
        (heat, ("A", "b"), "belongs? to a steady linear problem, and this one is time-dependent linear"),
    ):
        for name in names:
            with pytest.raises(AttributeError, match=text):
                getattr(problem, name)
    with pytest.raises(KeyError, match="p is not part of this system"):
        linear.block_index(s.p)
    with pytest.raises(TypeError, match=r"a symbol of domain\.fem_symbols\(\) is needed, got 3"):
        linear.block_index(3)
    with pytest.raises(ValueError, match=r"one number for each of 9 degrees of freedom is needed; got .* shape \(3,\)"):
        linear.nodal_values(np.zeros(3))


def test_systems_that_have_no_solution(s):
    with pytest.raises(ValueError, match=r"the system is singular.*fix it at a node by u\.pin\(\)"):
        jno.fem([s.stiffness - s.vi]).solve()
    with pytest.raises(ValueError, match=r"the matrix has entries that are not finite"):
        jno.fem([s.stiffness * jno.np.log(s.x - 2) - s.vi, s.zero]).solve()
    blow_up = jno.fem([s.stiffness - 50.0 * jno.np.exp(s.ui) * s.vi, s.zero])
    with pytest.raises(ArithmeticError, match=r"did not reach its tolerance within 100 steps .* last residuals were"):
        blow_up.solve()


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"order": 0}, ValueError, r"order=0\): allowed are the orders 1 to 4"),
        ({"order": 5}, ValueError, r"order=5\): allowed are the orders 1 to 4"),
        ({"value_shape": (2, 2)}, ValueError, r"value_shape=\(2, 2\)\): allowed are \(\) of a scalar and \(n,\)"),
        ({"names": "u"}, ValueError, r"names='u'\): two strings are needed"),
        ({"complex": True}, NotImplementedError, r"complex unknowns are not available; use two real fields"),
        ({"space": "RT"}, ValueError, r"space='RT'\): allowed is 'Lagrange'"),
    ],
)
def test_symbols_that_do_not_exist(s, options, kind, text):
    with pytest.raises(kind, match=text):
        s.domain.fem_symbols(**options)


def test_symbols_that_are_used_wrongly(s):
    other = jno.domain.rect(mesh_size=0.5).variable("interior")[:2]
    cases = [
        (lambda: s.u(), TypeError, r"u\(\.\.\.\) takes coordinates, e\.g\. u\(x, y\); got \(\)"),
        (lambda: s.u(1.0), TypeError, r"takes coordinates"),
        (lambda: s.u(*other), ValueError, r"make the field with fem_symbols of the variable's domain"),
        (lambda: s.v.pin(), ValueError, r"pin\(\) fixes a trial symbol, and 'u' is a test function"),
        (lambda: s.w.pin(), ValueError, r"pin\(\) fixes a scalar unknown, and 'w' has 2 components"),
        (lambda: s.w["a"], TypeError, r"a component is chosen by an integer, got 'a'"),
        (lambda: s.w[-1], IndexError, r"component -1: components are counted from 0"),
        (lambda: s.ui.q, AttributeError, r"no attribute 'q'; the bound coordinates are x, y"),
        (lambda: s.ui.xxxxx, AttributeError, r"no attribute 'xxxxx'"),
        (lambda: s.u.bind(), TypeError, r"bind\(\) needs names of coordinates"),
        (lambda: s.u.bind(x=3), TypeError, r"bind\(x=3\): bind variables of domain\.variable"),
        (lambda: s.u.bind(grad=s.x), ValueError, r"every expression has 'grad' already; use another name"),
        (lambda: s.ui.bind(x=s.xb), ValueError, r"coord binding conflict for 'x'"),
        (
            lambda: jno.core([s.mass.mse], domain=s.domain),
            ValueError,
            r"assemble terms with test functions by jno\.fem",
        ),
    ]
    for call, kind, text in cases:
        with pytest.raises(kind, match=text):
            call()


def test_no_coordinates_of_space(timed):
    with pytest.raises(TypeError, match=r"\.grad\(\) needs variables: no coordinates of space are bound"):
        timed.u.bind(t=timed.t).grad()


def test_tags_that_the_mesh_does_not_have():
    domain = jno.domain.polygon([(0, 0), (1, 0), (1, 1), (0, 1)], mesh_size=0.5)
    u, v = domain.fem_symbols()
    x, y = domain.variable("interior")[:2]
    domain.tag("spot", lambda a, b: a < 0.3)
    xs, ys = domain.variable("spot")[:2]
    problem = None
    try:
        problem = jno.fem([u(x, y) * v(x, y), u(xs, ys) * v(xs, ys)])
    except ValueError as error:
        assert "the mesh has no region 'spot'" in str(error)  # noqa: PT017
    if problem is not None:
        assert problem.classification == ["volume", "volume@spot"]


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"rtol": "a"}, "rtol must be a number of at least 0"),
        ({"atol": np.nan}, "atol must be a number of at least 0"),
        ({"max_steps": 2.5}, "max_steps must be an integer from 1 to 100000"),
        ({"theta": 0.5}, "the problem is steady"),
    ],
)
def test_options_of_a_steady_solve_that_mean_nothing(option, text):
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    b, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    problem = jno.fem([u.d(x) * v.d(x) - 2 * v, u(b) - 0.0])
    with pytest.raises(ValueError, match=text):
        problem.solve(**option)


def test_a_steady_problem_that_depends_on_the_time_is_refused():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 3))
    x, t = domain.variable("interior")
    b, tb = domain.variable("boundary")
    u, v = domain.fem_symbols()
    with pytest.raises(ValueError, match=r"the problem is steady, but .* depends on the time"):
        jno.fem([u.d(x) * v.d(x) - t * v, u(b) - 0.0])
    with pytest.raises(ValueError, match="the problem is steady, but dirichlet@boundary depends on the time"):
        jno.fem([u.d(x) * v.d(x) - 2 * v, u(b) - tb])
    jno.fem([u.d(x) * v.d(x) - 2 * v, u(b) - 0.0])


def test_matrices_of_several_samples_are_refused():
    domain = 2 * jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    b, _ = domain.variable("boundary")
    a = domain.variable("a", np.array([[1.0], [2.0]]))
    u, v = domain.fem_symbols()
    problem = jno.fem([a * u.d(x) * v.d(x) - 2 * v, u(b) - 0.0])
    for read in (lambda: problem.A, lambda: problem.b, lambda: problem.residual(np.zeros(3))):
        with pytest.raises(ValueError, match="a row for each of 2 samples"):
            read()
    np.testing.assert_allclose(np.asarray(problem.solve().eval())[:, 1], [0.25, 0.125])


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda problem: problem.residual(np.zeros(2)), r"residual\(u\): 3 finite numbers are needed"),
        (lambda problem: problem.jacobian(np.full(3, np.nan)), r"jacobian\(u\): 3 finite numbers are needed"),
        (lambda problem: problem.residual(np.zeros(3), 1.0), "the problem is steady; leave t= out"),
        (lambda problem: problem.solve(np.linalg.solve, x0=np.zeros(3)), "not both"),
    ],
)
def test_vectors_and_times_that_do_not_fit(call, text):
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    b, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    with pytest.raises(ValueError, match=text):
        call(jno.fem([u.d(x) * v.d(x) - 2 * v, u(b) - 0.0]))


def test_conditions_that_contradict_each_other_are_reported(capsys):
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    left, bottom = domain.variable("left")[:2], domain.variable("bottom")[:2]
    u, v = domain.fem_symbols()
    energy = u.d(x) * v.d(x) + u.d(y) * v.d(y)
    jno.fem([energy, u(*left) - 1.0, u(*bottom) - 1.0])
    assert "prescribe" not in capsys.readouterr().out
    problem = jno.fem([energy, u(*left) - 1.0, u(*bottom) - 2.0])
    assert "dirichlet@left and dirichlet@bottom prescribe different values of 'u' at 1 nodes, e.g. at [0.0, 0.0]" in (
        capsys.readouterr().out
    )
    assert problem.solve()[np.all(problem.points == 0, axis=1)] == 2.0


def test_a_wave_has_one_rule_in_time_and_missing_initial_values_are_said(capsys):
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 1.0, 3))
    x, t = domain.variable("interior")
    b, _ = domain.variable("boundary")
    u, v = domain.fem_symbols()
    wave = jno.fem([u(x, t).tt * v + u.d(x) * v.d(x), u(b) - 0.0])
    assert "'u' has no initial condition and begins at zero" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"second order in time are solved with theta=0\.5"):
        wave.solve(theta=1.0)
    assert not np.asarray(wave.solve().eval()).any()


def test_the_kind_of_the_elements_is_that_of_the_symbols():
    domain = jno.domain.rect(mesh_size=0.5)
    u, v = domain.fem_symbols(order=2)
    jno.fem([u * v], element_type="TRI6")
    with pytest.raises(ValueError, match="'TRI6'"):
        jno.fem([u * v], element_type="TRI3")
