"""A sweep writes what has finished, and goes on from it."""

import contextlib
import json
import math
import os

import pytest
from processes import longest_file

from jno.tuner._journal import Journal
from jno.tuner._search import Resources, search
from jno.tuner._strategies import Strategy
from jno.tuner._trial import Outcome, Trial

ABOUT = {"space": {"x": {"range": [0.0, 1.0]}}, "optimizer": "halving", "budget": 8, "seed": 1}


class Halving(Strategy):
    """Steps that halve, in the direction that was better: every question depends on all answers."""

    total = 8

    def __init__(self, start=0.0):
        self.x, self.step, self.asked = start, 1.0, 0
        self.told = []

    def ask(self):
        if self.asked == self.total:
            return None
        self.asked += 1
        return {"x": self.x + self.step, "name": "é"}

    def tell(self, values, objective):
        self.told.append((values["x"], objective))
        worse = len(self.told) > 1 and (objective is None or objective > min(o for _, o in self.told if o is not None))
        self.step *= -0.5 if worse else 0.5
        self.x = values["x"]


class Run:
    """A quadratic; counts, fails where it should, and is interrupted before a trial."""

    def __init__(self, interrupted_before=None):
        self.numbers = []
        self.interrupted_before = interrupted_before

    def __call__(self, trial, *, rule):
        if trial.number == self.interrupted_before:
            raise KeyboardInterrupt
        self.numbers.append(trial.number)
        if trial.number == 3:
            return Outcome(trial.number, trial.labels, None, 0.5, error="ValueError: line\nbreak", traceback="at 3")
        value = (trial.configuration["x"] - 0.3) ** 2
        return Outcome(
            trial.number, trial.labels, value, 0.25, pruned_at=7 if trial.number == 4 else None, rungs={7: 0.1}
        )


def swept(run, strategy, journal, about=ABOUT):
    return search(run, strategy, dict, Resources(journal=journal), about)


def test_goes_on_after_an_interruption(tmp_path):
    path = tmp_path / "new" / "sweep.jsonl"
    through = Halving()
    expected = swept(Run(), through, None)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        swept(Run(interrupted_before=5), Halving(), path)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {"jno_sweep": 1, "in_flight": 1, "description": ABOUT}
    assert [line["number"] for line in lines[1:]] == [0, 1, 2, 3, 4]
    later, strategy = Run(), Halving()
    history = swept(later, strategy, path)
    assert later.numbers == [5, 6, 7]
    assert history.outcomes == expected.outcomes
    assert strategy.told == through.told
    assert history.trials == expected.trials
    finished = Run()
    assert swept(finished, Halving(), path).outcomes == expected.outcomes
    assert finished.numbers == []
    assert len(path.read_text(encoding="utf-8").splitlines()) == 9


@pytest.mark.parametrize("content", [b"my notes", b"my\nnotes", b'{"jno_sweep": 1}\nnotes'])
def test_a_file_that_is_no_journal_is_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        swept(Run(), Halving(), path)
    assert path.read_bytes() == content


def test_a_first_line_that_a_crash_cut_off_is_written_anew(tmp_path):
    path = tmp_path / "sweep.jsonl"
    expected = swept(Run(), Halving(), path).outcomes
    head = path.read_bytes().splitlines()[0]
    for length in (3, 20, len(head)):
        path.write_bytes(head[:length])
        assert swept(Run(), Halving(), path).outcomes == expected


def test_labels_may_hold_other_ends_of_lines(tmp_path):
    path = tmp_path / "sweep.jsonl"
    outcome = Outcome(0, {"name": "a\u2028b\x85c"}, 0.5, 0.25)
    with contextlib.closing(Journal(path, ABOUT, 1)) as journal:
        journal.add(outcome)
    with contextlib.closing(Journal(path, ABOUT, 1)) as journal:
        assert journal.outcome_of(Trial(0, {}, outcome.labels)) == outcome


def test_a_line_that_a_crash_cut_off_is_ignored(tmp_path):
    path = tmp_path / "sweep.jsonl"
    expected = swept(Run(), Halving(), path).outcomes
    whole = path.read_bytes()
    for cut in (1, 30, len(whole.splitlines()[-1]) + 1):
        path.write_bytes(whole[:-cut])
        run = Run()
        assert swept(run, Halving(), path).outcomes == expected
        assert run.numbers == [7]
        assert path.read_bytes() == whole
    path.write_bytes(whole[:20])
    swept(Run(), Halving(), path)
    assert path.read_bytes() == whole


class Repeating(Strategy):
    """The same few configurations again and again; options of unknown kinds are told apart as objects."""

    total = 6

    def __init__(self):
        self.options = [[1], [1]]
        self.numbers = iter(range(self.total))
        self.told = []

    def ask(self):
        number = next(self.numbers, None)
        return None if number is None else {"x": 0.5, "option": self.options[number % 2]}

    def tell(self, values, objective):
        self.told.append(objective)


def test_a_configuration_is_run_once(tmp_path):
    path, run, strategy = tmp_path / "sweep.jsonl", Run(), Repeating()
    history = search(run, strategy, lambda values: {"x": values["x"]}, Resources(journal=path), ABOUT)
    # trial 1 is another one than trial 0; trials 2 to 5 are repetitions
    assert run.numbers == [0, 1]
    assert [outcome.number for outcome in history] == [0, 1, 2, 3, 4, 5]
    assert strategy.told == [(0.5 - 0.3) ** 2] * 6
    assert [outcome.seconds for outcome in history] == [0.25, 0.25, 0.0, 0.0, 0.0, 0.0]
    again = search(run, Repeating(), lambda values: {"x": values["x"]}, Resources(journal=path), ABOUT)
    assert again.outcomes == history.outcomes


def test_trials_in_flight_are_those_of_the_journal(tmp_path):
    """What is asked depends on how many are in flight; a journal of two goes on with two, one after the other."""
    path = tmp_path / "sweep.jsonl"
    Journal(path, ABOUT, in_flight=2)
    history = swept(Run(), Halving(), path)
    first, second = (trial.configuration["x"] for trial in history.trials[:2])
    assert first == second == 1.0
    assert len(history) == 8


def test_refuses_the_journal_of_another_sweep(tmp_path):
    path = tmp_path / "sweep.jsonl"
    swept(Run(), Halving(), path)
    content = path.read_bytes()
    other = ABOUT | {"seed": 2, "objective": "u"}
    with pytest.raises(
        ValueError, match=r"journal of another sweep: seed was 1, is 2; objective was null, is \"u\"\. Use"
    ):
        swept(Run(), Halving(), path, other)
    with pytest.raises(
        ValueError, match=r'trial 0 was {"x": 1.0, "name": "é"}, this sweep tries {"x": 3.0, "name": "é"}'
    ):
        swept(Run(), Halving(start=2.0), path)
    assert path.read_bytes() == content


def test_refuses_damaged_files(tmp_path):
    path = tmp_path / "sweep.jsonl"
    swept(Run(), Halving(), path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:2], "{nonsense\n", *lines[3:]]), encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 3 is damaged: {nonsense \(Expecting property name"):
        swept(Run(), Halving(), path)
    path.write_text("".join([*lines[:2], '{"number": 1}\n']), encoding="utf-8")
    with pytest.raises(ValueError, match=r'line 3 is no finished trial: {"number": 1}'):
        swept(Run(), Halving(), path)
    path.write_text('["something", "else"]\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r'is no journal of a sweep: its first line is \["something", "else"\]'):
        swept(Run(), Halving(), path)


def test_outcomes_survive_the_file(tmp_path):
    path = tmp_path / "sweep.jsonl"
    labels = {"a": 0.1 + 0.2, "b": True, "c": "tanh ☂", "d": math.inf, "e": [1, 2]}
    outcome = Outcome(0, labels, 1e-17, 2.5, pruned_at=10, rungs={10: 1.0 / 3.0, 200: 5e-324})
    Journal(path, ABOUT, 1).add(outcome)
    again = Journal(path, ABOUT, 4)
    assert again.in_flight == 1
    assert again.outcome_of(Trial(0, {}, labels)) == outcome
    assert again.outcome_of(Trial(1, {}, labels)) is None


# --- full disks, other processes ----------------------------------------------------------------------------------
class FullDisk(Run):
    """The disk is full while these trials finish."""

    def __init__(self, full, path, stack):
        super().__init__()
        self.full, self.path, self.stack = full, path, stack

    def __call__(self, trial, *, rule):
        self.stack.close()
        outcome = super().__call__(trial, rule=rule)
        if trial.number in self.full:
            # room for a part of the line: it is written, and taken back
            self.stack.enter_context(longest_file(self.path.stat().st_size + 10))
        return outcome


@pytest.fixture
def stack():
    with contextlib.ExitStack() as contexts:
        yield contexts


@pytest.mark.filterwarnings("ignore:messages cannot be written to standard output")  # pytest captures it in a file
def test_a_full_disk_does_not_end_a_sweep(tmp_path, stack):
    path = tmp_path / "sweep.jsonl"
    run = FullDisk({2, 3, 4}, path, stack)
    with pytest.warns(
        UserWarning, match=r"sweep\.jsonl cannot be written \(File too large\): the sweep goes on"
    ) as caught:
        history = swept(run, Halving(), path)
    assert len([warning for warning in caught if "sweep.jsonl" in str(warning.message)]) == 1
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["number"] for line in lines[1:]] == list(range(8))  # written when there was space again
    again = Run()
    assert swept(again, Halving(), path).outcomes == history.outcomes
    assert again.numbers == []


@pytest.mark.filterwarnings("ignore:messages cannot be written to standard output")
def test_trials_that_cannot_be_written_to_the_end_are_named(tmp_path, stack):
    path = tmp_path / "sweep.jsonl"
    run = FullDisk({6, 7}, path, stack)
    with pytest.warns(UserWarning, match="sweep.jsonl") as caught:
        swept(run, Halving(), path)
    stack.close()
    assert f"{path} lacks the finished trials 6, 7: the next sweep with it will run them again" in str(
        caught[-1].message
    )
    again = Run()
    swept(again, Halving(), path)
    assert again.numbers == [6, 7]


def test_a_disk_that_is_full_from_the_start_is_an_error(tmp_path):
    path = tmp_path / "sweep.jsonl"
    with longest_file(10), pytest.raises(OSError, match=rf"File too large: '{path}'"):
        swept(Run(), Halving(), path)
    assert not path.exists()
    swept(Run(), Halving(), path)


def test_a_journal_that_another_sweep_writes_is_refused(tmp_path):
    path = tmp_path / "sweep.jsonl"
    with contextlib.closing(Journal(path, ABOUT, 1)):
        with path.open("a") as stream:
            stream.write('{"number": 0, "lab')  # being written
        content = path.read_bytes()
        whose = (
            rf"the journal {path} is being written by process {os.getpid()} on .* since .* ago\): use another journal="
        )
        with pytest.raises(RuntimeError, match=whose):
            swept(Run(), Halving(), path)
        assert path.read_bytes() == content
    assert len(swept(Run(), Halving(), path)) == 8


def test_a_journal_that_is_refused_is_free_again(tmp_path):
    path = tmp_path / "sweep.jsonl"
    path.write_text("no journal\n")
    for _ in range(2):
        with pytest.raises(ValueError, match="line 1 is damaged"):
            swept(Run(), Halving(), path)
