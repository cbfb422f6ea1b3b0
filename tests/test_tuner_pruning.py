"""The median rule."""

import numpy as np
import optax
import pytest

import jno
from jno.tuner._pruning import MedianRule, rung_losses
from jno.tuner._search import Resources, search
from jno.tuner._strategies import Strategy
from jno.tuner._trial import Outcome

RIVALS = tuple({10: high, 20: low} for high, low in [(9.0, 5.0), (7.0, 4.0), (8.0, 3.0), (6.0, 2.0), (5.0, 1.0)])


def test_compares_with_the_median_of_what_was_reached_by_then():
    rule = MedianRule(RIVALS)
    # medians: 7 after 10 epochs, 3 after 20
    assert not rule.gives_up(10, 7.0)
    assert rule.gives_up(10, 7.01)
    assert not rule.gives_up(19, 7.0)
    assert not rule.gives_up(20, 3.0)
    assert rule.gives_up(20, 3.01)
    assert rule.gives_up(20, float("nan"))
    # after more epochs than they took: what they reached
    assert rule.gives_up(500, 3.01)
    assert not rule.gives_up(500, 3.0)
    # before their first rung: nothing to compare with
    assert not rule.gives_up(9, 1e9)
    # a rival whose loss has risen again counts with its lowest
    risen = MedianRule(({10: 1.0, 20: 50.0},) * 5)
    assert risen.gives_up(20, 1.5)


def test_needs_five_finished_trials():
    assert not MedianRule(RIVALS[:4]).gives_up(20, 1e9)
    outcomes = [Outcome(i, {}, 1.0, 0.0, rungs=rival) for i, rival in enumerate(RIVALS)]
    assert MedianRule.of(outcomes) == MedianRule(RIVALS)
    pruned = Outcome(5, {}, 1.0, 0.0, pruned_at=10, rungs={10: 0.0})
    failed = Outcome(6, {}, None, 0.0, error="ValueError: no", rungs={10: 0.0})
    assert MedianRule.of([*outcomes, pruned, failed]) == MedianRule(RIVALS)


def test_losses_at_the_tenths_of_a_training():
    losses = np.arange(100.0, 0.0, -1.0)[:, None] * [1.0, 3.0]
    assert rung_losses(losses, 100) == {10 * i: 2.0 * (101.0 - 10 * i) for i in range(1, 11)}
    # a training that was given up
    assert list(rung_losses(losses[:35], 100)) == [10, 20, 30]
    assert list(rung_losses(losses[:7], 7)) == [1, 2, 3, 4, 5, 6, 7]
    # weights are taken out, and with them what is not weighted at all
    assert rung_losses(losses, 100, [1.0, 3.0])[10] == 91.0
    assert rung_losses(losses, 100, [2.0, 0.0])[10] == 45.5
    assert rung_losses(np.array([[1.0], [np.nan], [np.inf]]), 3) == {1: 1.0}


def stopped_after(losses, epochs, rule, steps=1, weights=None):
    watch = rule.watch(epochs, weights)
    for epoch in range(steps - 1, epochs, steps):
        if watch.on_epoch_end(epoch=epoch, individual_losses=np.asarray(losses(epoch)), total_loss=0.0):
            assert watch.pruned_at == epoch + 1
            return watch.pruned_at
    assert watch.pruned_at is None
    return None


def test_looks_at_the_rungs_only():
    rule = MedianRule(({1: 1.0},) * 5)
    # hopeless from the start: the first tenth is free
    assert stopped_after(lambda epoch: [5.0], 100, rule) == 20
    # good once, at a rung: the lowest loss counts
    assert stopped_after(lambda epoch: [0.5 if epoch == 9 else 5.0], 100, rule) is None
    # good between two rungs: nobody looks
    assert stopped_after(lambda epoch: [0.5 if epoch == 13 else 5.0], 100, rule) == 20
    assert stopped_after(lambda epoch: [5.0 if epoch >= 9 else 0.5], 100, rule) == 20
    # the last rung is the end
    assert stopped_after(lambda epoch: [5.0], 2, rule) is None
    # called every 15 epochs: the rungs at 10, 20, 30 are passed at 15, 30, 30
    assert stopped_after(lambda epoch: [5.0], 90, rule, steps=15) == 30
    # weights are taken out
    assert stopped_after(lambda epoch: [100.0, 1.0], 100, rule, weights=[100.0, 1.0]) is None


class Rates(Strategy):
    """Given learning rates."""

    def __init__(self, rates):
        self.rates = list(rates)
        self.total = len(self.rates)

    def ask(self):
        return {"rate": self.rates.pop(0)} if self.rates else None

    def tell(self, values, objective):
        pass


def trained(trial, *, rule):
    """Descent on ``p²`` from 1: the loss after ``k`` epochs is ``(1 - 2 rate)^(2k)``."""
    epochs = 50
    p = jno.np.parameter(()).initialize(1.0).optimizer(optax.sgd(trial.configuration["rate"]))
    crux = jno.core([p**2], domain=jno.domain.line(mesh_size=0.5))
    watch = [] if rule is None else [rule.watch(epochs)]
    history = crux.solve(epochs, callbacks=watch)
    rungs = rung_losses(history.training_logs[-1]["losses"], epochs)
    pruned_at = watch[0].pruned_at if watch else None
    return Outcome(trial.number, trial.labels, history.total_loss, 0.0, pruned_at=pruned_at, rungs=rungs)


def test_hopeless_trainings_are_given_up():
    rates = [0.05, 0.04, 0.03, 0.02, 0.01, 0.025, 0.035]
    history = search(trained, Rates(rates), dict, Resources(prune=True), {})
    # against the median rate 0.03: given up at the second rung
    assert [outcome.pruned_at for outcome in history] == [None] * 5 + [10, None]
    assert list(history.outcomes[5].rungs) == [5, 10]
    for rate, outcome in zip(rates, history, strict=True):
        # the loss of an epoch is the one before its update
        expected = {k: (1 - 2 * rate) ** (2 * (k - 1)) for k in outcome.rungs}
        assert outcome.rungs == pytest.approx(expected, rel=1e-5)
    assert history.best.number == 0
    unpruned = search(trained, Rates([0.025]), dict, Resources(), {})
    assert unpruned.outcomes[0].pruned_at is None
    assert len(unpruned.outcomes[0].rungs) == 10
