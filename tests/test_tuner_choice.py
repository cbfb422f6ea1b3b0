"""Choices: one of several expressions, in derivatives, integrals, evaluations and files."""

import numpy as np
import optax
import pytest

import jno
from jno.compiler import Program, models_of
from jno.trace import Choice, choices_of, decided


def line():
    domain = jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    return domain, x


def test_it_stands_for_its_default():
    _, x = line()
    points = np.asarray(jno.core([x.mse]).eval(x))
    for default, expected in ((0, points**2), (1, np.sin(points)), (2, np.full((1,), 3.0))):
        choice = jno.np.choice([x**2, jno.np.sin(x), 3.0], name="f", default=default)
        np.testing.assert_allclose(jno.core([x.mse]).eval(choice), expected, atol=1e-6)
    assert jno.np.choice is Choice
    assert repr(choice).startswith("choice[f](")


def test_derivatives_and_integrals_go_through_it():
    _, x = line()
    choice = jno.np.choice([x**3, jno.np.exp(x)], default=1) * x
    crux = jno.core([x.mse])
    first, second, whole = crux.eval([choice.d(x), choice.d2(x), choice.integrate()])
    points = np.asarray(crux.eval(x))
    np.testing.assert_allclose(first, (1 + points) * np.exp(points), rtol=1e-4)
    np.testing.assert_allclose(second, (2 + points) * np.exp(points), rtol=1e-4)
    np.testing.assert_allclose(whole, crux.eval((jno.np.exp(x) * x).integrate()), rtol=1e-6)


def test_only_the_chosen_option_counts():
    domain, x = line()
    first, second = (jno.np.parameter((), name=name).optimizer(optax.sgd(0.25)) for name in "ab")
    crux = jno.core([(jno.np.choice([first, second], name="which") - 1.0).mse], domain=domain)
    crux.solve(1)
    assert float(first.module.value) == pytest.approx(0.5)
    assert float(second.module.value) == 0.0
    assert [model.name for model in models_of(crux.all_ops)] == ["a"]
    program = Program([jno.np.choice([x.mean, first])], domain)
    assert program.models == []


def test_it_can_be_called_at_other_variables_and_keeps_its_decision():
    domain, x = line()
    boundary, _ = domain.variable("boundary")
    f = jno.np.choice([x, x + 10.0], name="f")
    moved = f(boundary)
    assert choices_of([f, moved]) == [f]
    values = np.asarray(jno.core([x.mse]).eval(decided(moved, {"f": 1})))
    assert sorted(values.ravel()) == [10.0, 11.0]


def test_a_label_goes_to_the_option():
    _, x = line()
    crux = jno.core([jno.np.choice([x.mse, x.mean]).name("size")])
    assert crux.constraints[0].metadata.label == "size"


def test_choices_of_one_name_are_refused_where_they_meet():
    _, x = line()
    two = jno.np.choice([1.0, x], name="f") + jno.np.choice([2.0, x], name="f")
    with pytest.raises(ValueError, match=r"two choices of the problem have the name 'f'"):
        jno.core([two.mse])
    unnamed = jno.np.choice([1.0, x]) + jno.np.choice([2.0, x])
    assert len(choices_of([unnamed])) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],), ValueError, r"choice\(\[\]\) has no options"),
        ((3.0,), TypeError, r"takes a list of options, got float"),
        (([1.0, 2.0], "f", 2), ValueError, r"default=2\): it is the position of an option, an integer from 0 to 1"),
        (([1.0, 2.0], "f", True), ValueError, r"default=True"),
        (([1.0, "two"], "f"), TypeError, r"cannot use 'two' of type str in an expression"),
    ],
)
def test_what_a_choice_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        jno.np.choice(*arguments)


def test_a_position_that_does_not_exist_is_an_error():
    _, x = line()
    with pytest.raises(ValueError, match=r"choice 'f' has 2 options, and a sweep chose number 3"):
        decided(jno.np.choice([x, x**2], name="f"), {"f": 3})


def test_a_problem_with_a_choice_is_kept_in_a_file(tmp_path):
    domain, _ = line()
    k = jno.np.parameter((), name="k").optimizer(optax.sgd(0.25))
    crux = jno.core([(k - jno.np.choice([1.0, 2.0], name="target")).mse], domain=domain)
    crux.solve(1)
    crux.save(tmp_path / "crux.jno")
    loaded = jno.core.load(tmp_path / "crux.jno")
    loaded.solve(1)
    assert float(models_of(loaded.all_ops)[0].module.value) == pytest.approx(0.75)
    space = jno.np.tune.space().unique("epochs", [1]).unique("learning_rate", [0.25])
    models_of(loaded.all_ops)[0].optimizer(optax.sgd)
    loaded.sweep(space, None, None)
    assert {row["target"] for row in loaded.tuning_history.rows} == {0, 1}
