"""A stopped training goes on as if never stopped, and says what it will not go on with."""

import contextlib
import errno
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import trained_in_pieces as pieces

from helpers import archives, checkpoints, training
from helpers._backend import keras

TOTAL = pieces.STEPS * pieces.EPOCHS


@pytest.fixture(autouse=True)
def _own_clock(monkeypatch):
    """Put the clock back that ``pieces.clock_of_steps`` replaces."""
    monkeypatch.setattr(checkpoints, "time", checkpoints.time)


class Toy(training.SteppedModel):
    """One layer and one optimizer, quickly compiled; the real models are killed further down."""

    def __init__(self, smoothing=0.0, **settings):
        super().__init__(**settings)
        flatten, dropout = keras.layers.Flatten(), keras.layers.Dropout(0.3)
        last = keras.layers.Dense(2)
        self.sampler = keras.Sequential([keras.Input(pieces.SHAPE), flatten, dropout, last])
        self.smoothing = smoothing

    def compile(self, optimizer, **options):
        super().compile(optimizer=training.prepared(optimizer, self.sampler), **options)

    def optimizers(self):
        return {"network": self.optimizer}

    def check_batch(self, batch):
        pass

    def train_step(self, data):
        turns = self.begin_step()

        def loss():
            output = keras.ops.cast(self.sampler(data, training=True), "float32")
            return keras.ops.mean(keras.ops.square(output - self.random((1, 2))))

        value, _ = training.gradient_step(loss, self.sampler, self.optimizer)
        for name, turn in zip(("d_loss", "g_loss"), turns, strict=True):
            if turn:
                self.note(name, value)
        return self.end_step()


def small(rate=0.01, **settings):
    keras.utils.set_random_seed(0)
    model = Toy(**settings)
    model.compile(keras.optimizers.Adam(rate))
    return model


@pytest.fixture(scope="module")
def unbroken():
    """What a training that nothing stopped ends with: numbers, losses, Keras' history."""
    gan, losses = small(), pieces.Losses()
    data = pieces.batches("GAN", 0)
    steps, epochs = pieces.STEPS, pieces.EPOCHS
    kept = gan.fit(data, steps_per_epoch=steps, epochs=epochs, callbacks=[losses], verbose=0)
    return pieces.numbers(gan), losses.seen, kept.history


def start(folder, **options):
    """A model with its checkpoint, on a clock that shows a minute for each step."""
    gan = small()
    pieces.clock_of_steps(gan)
    return gan, checkpoints.Checkpoint(gan, folder, **{"minutes": 2, **options})


class At(keras.callbacks.Callback):
    """Does something once, when so many steps are made and another begins."""

    def __init__(self, step, act):
        super().__init__()
        self.step, self.act = step, act

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.steps_done() == self.step:
            self.act()


class PowerCutError(Exception):
    """Stands for whatever ends a training without a word."""


def cut():
    raise PowerCutError


def train_until(folder, step, **options):
    """Train until the power is cut in the step after ``step``."""
    gan, checkpoint = start(folder, **options)
    with pytest.raises(PowerCutError):
        pieces.fit(gan, "GAN", checkpoint, pieces.Losses(), At(step, cut))
    return gan


def finish(folder, unbroken, **options):
    """Continue to the end; hold everything against the unbroken training."""
    gan, checkpoint = start(folder, **options)
    losses = pieces.Losses()
    history = pieces.fit(gan, "GAN", checkpoint, losses)
    assert_same((pieces.numbers(gan), losses.seen, history.history), unbroken)
    return checkpoint


def assert_same(found, expected):
    assert found[0].keys() == expected[0].keys()
    for name, value in expected[0].items():
        np.testing.assert_array_equal(found[0][name], value, err_msg=name)
    for mine, theirs in zip(found[1:], expected[1:], strict=True):
        assert json.loads(json.dumps(mine)) == json.loads(json.dumps(theirs))


# --- killed ----------------------------------------------------------------------------------


def killed_and_continued(jobs, root):
    """Run jobs (see trained_in_pieces.py) in processes of their own; how each ended."""
    done = subprocess.run(
        [sys.executable, str(root / "tests" / "trained_in_pieces.py")],
        input="".join(json.dumps(job) + "\n" for job in jobs),
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def assert_equal_files(one, other):
    """Weights, optimizers, samples, losses and history are the same to the last bit."""
    with np.load(one.with_suffix(".npz")) as mine, np.load(other.with_suffix(".npz")) as theirs:
        assert len(mine.files) > 20
        for name in mine.files:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)
    mine, theirs = (json.loads(x.with_suffix(".json").read_text()) for x in (one, other))
    assert len(theirs["losses"]) == TOTAL
    assert json.dumps(mine) == json.dumps(theirs)  # as text, for NaN is not equal to itself


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in list(pieces.MODELS)[1:]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to save time")
@pytest.mark.parametrize("name", ["GAN", *SLOW])
def test_killed_at_three_random_steps_a_training_ends_as_if_never_killed(name, tmp_path, root):
    kills = sorted(random.Random(name).sample(range(1, TOTAL), 3))
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    job = {"model": name, "folder": str(broken), "out": str(broken) + "-numbers"}
    # Once there is a checkpoint (at step 2), other first weights and chance must not matter.
    seeds = [0, *(int(step > 2) for step in kills)]
    jobs = [{**job, "seed": seed, "kill": at} for seed, at in zip(seeds, [*kills, -1], strict=True)]
    said = killed_and_continued(
        [{**job, "folder": str(whole), "out": str(whole) + "-numbers"}, *jobs], root
    )
    ends = [line for line in said if line.startswith("exit")]
    assert ends == ["exit 0", *["exit -9"] * 3, "exit 0"]
    assert sum("Continuing at step" in line for line in said) >= 2
    assert_equal_files(tmp_path / "broken-numbers", tmp_path / "whole-numbers")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked to save time")
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_killed_while_a_checkpoint_is_written_there_is_still_a_good_one(call, tmp_path, root):
    job = {"model": "GAN", "folder": str(tmp_path / "a"), "out": str(tmp_path / "a-numbers")}
    whole = {**job, "folder": str(tmp_path / "b"), "out": str(tmp_path / "b-numbers")}
    said = killed_and_continued([whole, {**job, "while": call}, job], root)
    assert [line for line in said if line.startswith("exit")] == ["exit 0", "exit -9", "exit 0"]
    assert any("Continuing at step" in line for line in said)
    assert_equal_files(tmp_path / "a-numbers", tmp_path / "b-numbers")


# --- continued in the middle ---------------------------------------------------------------


@pytest.mark.parametrize(("cut_at", "kept"), [(4, 4), (5, 5), (8, 7), (14, 14)])
def test_a_training_continues_exactly_from_its_last_checkpoint(
    tmp_path, unbroken, capsys, cut_at, kept
):
    train_until(tmp_path, cut_at)
    checkpoint = finish(tmp_path, unbroken)
    assert f"Continuing at step {kept:,} of {tmp_path}." in capsys.readouterr().out
    assert checkpoint.step == TOTAL
    assert {file.name for file in tmp_path.iterdir()} == {archives.LAST, archives.BEFORE}


def test_a_checkpoint_changes_nothing_in_the_training(tmp_path, unbroken):
    finish(tmp_path, unbroken)


def test_batches_that_begin_elsewhere_are_refused(tmp_path):
    train_until(tmp_path, 4)
    gan, checkpoint = start(tmp_path)
    with pytest.raises(ValueError, match=r"begin at step 0, .* at step 4.*start_step=checkpoint"):
        gan.fit(pieces.batches("GAN", 0), steps_per_epoch=5, epochs=3, callbacks=[checkpoint])


def test_callbacks_see_the_steps_of_the_epoch_under_way_as_if_it_had_not_been_stopped(tmp_path):
    train_until(tmp_path, 8)
    gan, checkpoint = start(tmp_path)
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(("epoch", epoch)),
        on_train_batch_begin=lambda batch, logs: seen.append(batch),
        on_train_batch_end=lambda batch, logs: seen.append((batch, sorted(logs))),
        on_epoch_end=lambda epoch, logs: seen.append(("end", epoch)),
    )
    pieces.fit(gan, "GAN", checkpoint, note, epochs=2)
    loss = ["d_loss", "g_loss"]
    assert seen == [("epoch", 1), 2, (2, loss), 3, (3, loss), 4, (4, loss), ("end", 1)]


def test_after_a_middle_begun_fit_trains_whole_epochs_again(tmp_path):
    train_until(tmp_path, 8)
    gan, checkpoint = start(tmp_path)
    pieces.fit(gan, "GAN", checkpoint, epochs=2)
    gan.fit(pieces.batches("GAN", 10), steps_per_epoch=4, verbose=0)
    assert gan.steps_done() == 14


def test_a_fit_that_fails_in_an_epoch_begun_in_the_middle_leaves_the_model_usable(tmp_path):
    train_until(tmp_path, 8)
    gan, checkpoint = start(tmp_path)
    fail = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: cut())
    with pytest.raises(PowerCutError):
        pieces.fit(gan, "GAN", checkpoint, fail)
    gan.fit(pieces.batches("GAN", 7), steps_per_epoch=3, verbose=0)
    assert gan.steps_done() == 10


def test_when_nothing_is_left_to_do_fit_says_so_and_returns_the_whole_history(
    tmp_path, unbroken, capsys
):
    finish(tmp_path, unbroken)
    finish(tmp_path, unbroken)
    assert "Nothing is left to do: 15 of 15 steps are made." in capsys.readouterr().out
    gan, checkpoint = start(tmp_path)
    pieces.fit(gan, "GAN", checkpoint, epochs=2)
    assert "Nothing is left to do: 15 of 10 steps" in capsys.readouterr().out
    assert gan.steps_done() == 15


def test_more_epochs_continue_a_finished_training(tmp_path, unbroken):
    gan, checkpoint = start(tmp_path)
    pieces.fit(gan, "GAN", checkpoint, pieces.Losses(), epochs=1)
    finish(tmp_path, unbroken)


def test_one_checkpoint_object_serves_a_second_fit(tmp_path, unbroken):
    gan, checkpoint = start(tmp_path)
    losses = pieces.Losses()
    pieces.fit(gan, "GAN", checkpoint, losses, epochs=2)
    history = pieces.fit(gan, "GAN", checkpoint, losses, epochs=3)
    assert_same((pieces.numbers(gan), losses.seen, history.history), unbroken)


def test_without_resume_a_training_begins_anew_and_replaces_both_files(tmp_path, capsys):
    train_until(tmp_path, 8)
    train_until(tmp_path, 3, resume=False)
    assert "Continuing" not in capsys.readouterr().out
    assert [file.name for file in tmp_path.iterdir()] == [archives.LAST]
    _, checkpoint = start(tmp_path)
    assert checkpoint.step == 2


def test_seconds_go_on_counting(tmp_path):
    train_until(tmp_path, 8)
    gan, checkpoint = start(tmp_path)
    assert checkpoint.seconds == 7 * 60
    pieces.fit(gan, "GAN", checkpoint)
    assert checkpoint.seconds == 15 * 60


def test_a_schedule_that_rests_a_network_keeps_its_last_loss_over_the_stop(tmp_path):
    settings = {"schedule": training.every(disc=7)}

    def last_logs(*cuts):
        for step in (*cuts, None):
            gan, losses = small(**settings), pieces.Losses()
            pieces.clock_of_steps(gan)
            checkpoint = checkpoints.Checkpoint(gan, tmp_path / str(cuts), minutes=2)
            with pytest.raises(PowerCutError) if step else contextlib.nullcontext():
                pieces.fit(gan, "GAN", checkpoint, losses, At(step, cut))
        return json.dumps(losses.seen)

    assert last_logs(4, 11) == last_logs()


def test_loss_scales_of_float16_are_kept(tmp_path, precision):
    precision("mixed_float16")
    ends = []
    for folder, cuts in ((tmp_path / "whole", ()), (tmp_path / "broken", (8, 13))):
        for step in cuts:
            train_until(folder, step)
        model, checkpoint = start(folder)
        pieces.fit(model, "GAN", checkpoint, pieces.Losses())
        ends.append((model.optimizer, pieces.numbers(model)))
    (optimizer, whole), (_, broken) = ends
    assert float(optimizer.dynamic_scale) != optimizer.initial_scale
    assert_same((broken,), (whole,))


# --- when it is written --------------------------------------------------------------------


def written_at(folder, monkeypatch, *, cost=0.0, **options):
    """The steps at which a training wrote, on a clock on which each writing takes ``cost``."""
    gan, checkpoint = start(folder, **options)
    steps, lost = [], [0.0]
    monkeypatch.setattr(
        checkpoints.time, "monotonic", lambda: 60.0 * gan.steps_done() + lost[0], raising=False
    )
    write = checkpoint.place.write

    def slow(*arguments, **options):
        steps.append(gan.steps_done())
        lost[0] += cost
        write(*arguments, **options)

    checkpoint.place.write = slow
    pieces.fit(gan, "GAN", checkpoint)
    return steps


def test_it_is_written_after_minutes_at_the_ends_of_epochs_and_at_the_end(tmp_path, monkeypatch):
    assert written_at(tmp_path, monkeypatch, minutes=1000) == [5, 10, 15]
    assert written_at(tmp_path / "b", monkeypatch, minutes=3) == [3, 5, 8, 10, 13, 15]


def test_ends_of_epochs_are_passed_over_where_writing_would_take_much_of_the_time(
    tmp_path, monkeypatch
):
    five_steps = 5 * 60 / checkpoints.SPARING
    assert written_at(tmp_path, monkeypatch, minutes=1000, cost=1.1 * five_steps) == [5, 15]
    assert written_at(tmp_path / "b", monkeypatch, minutes=1000, cost=0.9 * five_steps) == [
        5,
        10,
        15,
    ]


def test_the_end_by_a_time_budget_is_written_too(tmp_path):
    gan, checkpoint = start(tmp_path, minutes=1000)
    stop = At(7, lambda: setattr(gan, "stop_training", True))
    pieces.fit(gan, "GAN", checkpoint, stop)
    assert start(tmp_path)[1].step == 8


# --- interrupted ---------------------------------------------------------------------------

STOPS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]


@pytest.mark.parametrize(("number", "error"), STOPS)
def test_an_interruption_finishes_the_step_writes_and_leaves(
    tmp_path, unbroken, capsys, number, error
):
    gan, checkpoint = start(tmp_path, minutes=1000)
    before = signal.getsignal(number)
    ask = At(6, lambda: signal.raise_signal(number))
    with pytest.raises(error) as left:
        pieces.fit(gan, "GAN", checkpoint, pieces.Losses(), ask)
    assert gan.steps_done() == 7
    assert "Stopped after step 7. Run this again to continue there." in capsys.readouterr().out
    assert getattr(left.value, "code", 143) == 143
    assert signal.getsignal(number) is before
    finish(tmp_path, unbroken)


@pytest.mark.parametrize("step", [4, 9, 14])
def test_interrupted_in_an_epochs_last_step_the_epoch_is_counted(tmp_path, unbroken, step):
    gan, checkpoint = start(tmp_path, minutes=1000)
    ask = At(step, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        pieces.fit(gan, "GAN", checkpoint, pieces.Losses(), ask)
    assert gan.steps_done() == step + 1
    finish(tmp_path, unbroken)


def test_when_another_worker_is_interrupted_this_one_writes_and_leaves_too(
    tmp_path, unbroken, monkeypatch, capsys
):
    gan, checkpoint = start(tmp_path, minutes=1000)
    asked, waited = [], []

    def at_step_7(strategy, *flags):
        asked.append(gan.steps_done())
        return [gan.steps_done() == 7, False] if len(flags) == 2 else flags

    monkeypatch.setattr(checkpoints.replicas, "any_worker", at_step_7)
    written = lambda strategy: waited.append(archives.newest(checkpoint.place)[0]["step"])  # noqa: E731
    monkeypatch.setattr(checkpoints.replicas, "wait_for_all", written)
    with pytest.raises(SystemExit) as left:
        pieces.fit(gan, "GAN", checkpoint, pieces.Losses())
    assert left.value.code == 143
    assert asked == list(range(1, 8))  # once a step, also at the end of an epoch
    assert waited == [7]
    assert "Stopped after step 7" in capsys.readouterr().out
    monkeypatch.undo()
    finish(tmp_path, unbroken)


def test_another_worker_than_the_chief_reads_checkpoints_and_writes_none(tmp_path, as_worker):
    train_until(tmp_path / "a", 8)
    kept = {file.name: file.read_bytes() for file in (tmp_path / "a").iterdir()}
    as_worker(1)
    gan, checkpoint = start(tmp_path / "a")
    assert checkpoint.step == 7
    best = checkpoints.Best(mean_of_first, every=3, folder=tmp_path / "a")
    pieces.fit(gan, "GAN", checkpoint, best)
    assert {file.name: file.read_bytes() for file in (tmp_path / "a").iterdir()} == kept
    start(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_second_interruption_leaves_at_once_without_writing(tmp_path):
    gan, checkpoint = start(tmp_path, minutes=1000)

    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        pieces.fit(gan, "GAN", checkpoint, At(7, twice))
    assert gan.steps_done() == 7
    assert start(tmp_path)[1].step == 5


def test_an_interruption_while_nothing_is_left_to_do_is_not_lost(tmp_path):
    gan, checkpoint = start(tmp_path)
    pieces.fit(gan, "GAN", checkpoint)
    ask = keras.callbacks.LambdaCallback(
        on_train_end=lambda logs: signal.raise_signal(signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        pieces.fit(gan, "GAN", checkpoint, ask)


def test_handlers_are_put_back_when_fit_raises(tmp_path):
    before = [signal.getsignal(number) for number, _ in STOPS]
    train_until(tmp_path, 3)
    assert [signal.getsignal(number) for number, _ in STOPS] == before


def test_an_ignored_signal_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        gan, checkpoint = start(tmp_path)
        pieces.fit(gan, "GAN", checkpoint, At(3, lambda: signal.raise_signal(signal.SIGINT)))
    finally:
        signal.signal(signal.SIGINT, before)
    assert gan.steps_done() == TOTAL


def test_in_another_thread_training_leaves_signals_alone(tmp_path):
    gan, checkpoint = start(tmp_path)
    before, seen = signal.getsignal(signal.SIGINT), []
    look = At(3, lambda: seen.append(signal.getsignal(signal.SIGINT)))
    thread = threading.Thread(target=pieces.fit, args=(gan, "GAN", checkpoint, look))
    thread.start()
    thread.join()
    assert seen == [before]
    assert gan.steps_done() == TOTAL


REAL = """
import sys
import trained_in_pieces as pieces
from helpers import checkpoints
gan = pieces.made("GAN")
tell = pieces.keras.callbacks.LambdaCallback(
    on_train_batch_begin=lambda batch, logs: print("step", flush=True))
checkpoint = checkpoints.Checkpoint(gan, sys.argv[1])
pieces.fit(gan, "GAN", checkpoint, tell, epochs=1_000_000)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, None), (signal.SIGTERM, 143)])
def test_a_process_asked_to_end_writes_and_ends(tmp_path, root, number, status):
    process = subprocess.Popen(
        [sys.executable, "-c", REAL, str(tmp_path)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(8):
        assert process.stdout.readline() == "step\n"
    process.send_signal(number)
    said, errors = process.communicate(timeout=60)
    assert "Stopped after step" in said
    assert process.returncode == (-signal.SIGINT if status is None else status)
    assert ("KeyboardInterrupt" in errors) is (status is None)
    assert archives.newest(archives.place(tmp_path))[0]["step"] >= 8


# --- damaged, foreign, full ----------------------------------------------------------------


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-100]])
def test_a_damaged_file_is_named_and_the_one_before_is_used(tmp_path, unbroken, capsys, damage):
    train_until(tmp_path, 8)
    last = tmp_path / archives.LAST
    last.write_bytes(damage(last.read_bytes()))
    _, checkpoint = start(tmp_path)
    said = capsys.readouterr().out
    assert "checkpoint.npz is damaged" in said
    assert "continuing from the one before" in said
    assert checkpoint.step == 5
    finish(tmp_path, unbroken)


def test_a_damaged_file_never_takes_the_place_of_the_good_one_before(tmp_path):
    train_until(tmp_path, 8)
    (tmp_path / archives.LAST).write_bytes(b"")
    good = (tmp_path / archives.BEFORE).read_bytes()
    _, checkpoint = start(tmp_path)
    assert checkpoint.write()
    assert archives.unpack((tmp_path / archives.LAST).read_bytes())["step"] == 5
    assert (tmp_path / archives.BEFORE).read_bytes() == good


def test_with_no_good_file_left_the_mend_is_told_and_nothing_is_touched(tmp_path):
    train_until(tmp_path, 8)
    for name in (archives.LAST, archives.BEFORE):
        (tmp_path / name).write_bytes(b"PK half")
    with pytest.raises(ValueError, match=r"No good checkpoint is left.*resume=False"):
        start(tmp_path)
    assert (tmp_path / archives.LAST).read_bytes() == b"PK half"
    assert start(tmp_path, resume=False)[1].step == 0


def test_what_must_stay_the_same_may_be_a_tuple_and_must_be_storable(tmp_path):
    same = {"image_size": (64, 64)}
    train_until(tmp_path, 4, same=same)
    assert checkpoints.Checkpoint(small(), tmp_path, same=same).step == 4
    with pytest.raises(ValueError, match=r"same=.*cannot be stored.*Give numbers and text"):
        checkpoints.Checkpoint(small(), tmp_path, same={"folder": tmp_path})


def test_a_foreign_checkpoint_is_refused_and_each_difference_is_named(tmp_path):
    train_until(tmp_path, 4, same={"data": "digits", "batch_size": 4})
    content = (tmp_path / archives.LAST).read_bytes()
    gan = small(rate=0.02, smoothing=0.1)
    before = pieces.numbers(gan)
    with pytest.raises(ValueError, match="belongs to another training") as refused:
        checkpoints.Checkpoint(gan, tmp_path, same={"data": "faces", "batch_size": 4})
    lines = [line for line in str(refused.value).splitlines() if line.startswith("- ")]
    assert lines == [
        "- optimizers.network.learning_rate: 0.01 in the checkpoint, 0.02 here",
        "- same.data: digits in the checkpoint, faces here",
        "- settings.smoothing: 0 in the checkpoint, 0.1 here",
    ]
    assert "resume=False" in str(refused.value)
    assert_same((pieces.numbers(gan),), (before,))
    assert (tmp_path / archives.LAST).read_bytes() == content


def test_a_full_disk_is_reported_training_goes_on_and_the_old_file_stays(
    tmp_path, monkeypatch, unbroken, capsys
):
    train_until(tmp_path, 8)
    kept = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        checkpoint = finish(tmp_path, unbroken)
        assert checkpoint.write() is False
    said = capsys.readouterr().out
    assert f"No checkpoint of step 9: {tmp_path} ([Errno 28] No space left on device)." in said
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == kept
    assert checkpoint.write() is True
    assert start(tmp_path)[1].step == TOTAL


def test_a_folder_that_cannot_be_written_is_named_before_training(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"checkpoint folder .*file/a cannot be written.*choose"):
        start(tmp_path / "file" / "a")


def test_another_version_of_keras_is_told(tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.model_state.keras, "__version__", "9")
        train_until(tmp_path, 4)
    start(tmp_path)
    said = capsys.readouterr().out
    assert re.search(r"which Keras 9 and TensorFlow \S+ wrote: not to the last bit", said)


def test_another_number_of_replicas_is_told_and_continues(tmp_path, monkeypatch, capsys):
    one, two = pieces.made("GAN"), pieces.made("GAN", seed=1)
    checkpoints.Checkpoint(one, tmp_path).write()
    norms = [n for x in two.networks().values() for n in x.layers if hasattr(n, "synchronized")]
    assert norms
    for norm in norms:
        norm.synchronized = True  # as several replicas have it
    surroundings = {**checkpoints.model_state.surroundings(two), "replicas": "2 replicas"}
    monkeypatch.setattr(checkpoints.model_state, "surroundings", lambda model: surroundings)
    checkpoints.Checkpoint(two, tmp_path)
    assert "which 1 replica wrote: not to the last bit" in capsys.readouterr().out
    assert_same((pieces.numbers(two),), (pieces.numbers(one),))


# --- bad use -------------------------------------------------------------------------------


def test_bad_use_is_named(tmp_path):
    gan = small()
    with pytest.raises(ValueError, match=r"compile\(…\).* comes before Checkpoint"):
        checkpoints.Checkpoint(Toy(), tmp_path)
    with pytest.raises(ValueError, match="minutes is 0; it must be more than 0"):
        checkpoints.Checkpoint(gan, tmp_path, minutes=0)
    checkpoint = checkpoints.Checkpoint(gan, tmp_path)
    data = pieces.batches("GAN", 0)
    with pytest.raises(ValueError, match="steps_per_epoch, which a Checkpoint wants, is None"):
        gan.fit(data, callbacks=checkpoint)
    for wrong in ([checkpoint, checkpoint], [checkpoints.Checkpoint(small(), tmp_path)]):
        with pytest.raises(ValueError, match="one Checkpoint, which was made with the model"):
            gan.fit(data, steps_per_epoch=5, callbacks=wrong)
    with pytest.raises(ValueError, match="leave initial_epoch out"):
        gan.fit(data, steps_per_epoch=5, epochs=3, initial_epoch=1, callbacks=[checkpoint])
    gan.compile(*pieces.adams(1), steps_per_execution=2)
    with pytest.raises(ValueError, match="steps_per_execution=1"):
        gan.fit(data, steps_per_epoch=5, callbacks=[checkpoint])
    assert gan.steps_done() == 0


# --- the best ------------------------------------------------------------------------------


def mean_of_first(network):
    """A score that goes up and down: it has no meaning."""
    return float(np.abs(network.get_weights()[0]).sum() * 1000 % 7)


def best_of(folder, *cuts, score=mean_of_first):
    for step in (*cuts, None):
        gan, checkpoint = start(folder)
        best = checkpoints.Best(score, every=3, folder=folder)
        with pytest.raises(PowerCutError) if step else contextlib.nullcontext():
            pieces.fit(gan, "GAN", checkpoint, best, At(step, cut))
    return gan, best


def test_the_best_generator_is_kept_in_memory_and_beside_the_last(tmp_path):
    folder = tmp_path / "whole"
    gan, best = best_of(folder)
    assert [step for step, _ in best.scores] == [3, 6, 9, 12, 15]
    step, score = min(best.scores, key=lambda pair: pair[1])
    assert (best.best_step, best.best_score) == (step, score)
    assert step < TOTAL  # else this test would prove nothing
    saved = keras.models.load_model(folder / "best_generator.keras")
    for network in (best.network(), saved):
        assert mean_of_first(network) == score
        assert mean_of_first(gan.sampler) != score


def test_a_continued_training_remembers_the_best(tmp_path):
    _, whole = best_of(tmp_path / "whole")
    _, broken = best_of(tmp_path / "broken", 8, 11)
    assert broken.scores == whole.scores
    assert (broken.best_step, broken.best_score) == (whole.best_step, whole.best_score)
    for mine, theirs in zip(
        broken.network().get_weights(), whole.network().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_a_score_that_is_no_number_is_never_the_best(tmp_path):
    _, best = best_of(tmp_path, score=lambda network: float("nan"))
    assert len(best.scores) == 5
    assert best.best_step is None
    with pytest.raises(ValueError, match="no best before the first score, at step 3"):
        best.network()


def test_the_number_of_steps_between_scores_is_checked():
    with pytest.raises(ValueError, match="every is 0"):
        checkpoints.Best(mean_of_first, every=0)
