"""Training that survives: exact continuation after any stop, and the best generator kept.

Colab disconnects, laptops sleep, spot machines vanish. With a :class:`Checkpoint` among the
callbacks of ``.fit``, the same program run again continues as if it had never been stopped,
to the last bit. :class:`Best` keeps the best generator, which is seldom the last.
"""

import contextlib
import math
import os
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from helpers import archives, checks, files, mid_epoch, model_state, replicas, runs
from helpers._backend import keras

SPARING = 50.0
"""An epoch's end writes only if so many times the cost of writing has passed since the last."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_NO_EPOCHS: dict[str, Any] = {"epoch": [], "values": {}}


class Checkpoint(keras.callbacks.Callback):
    """Keeps a training in one file, and continues it from there.

    Made on a compiled model, before the batches, which must begin where training continues::

        checkpoint = Checkpoint(gan, folder, same={"data": digits.name, "batch_size": 64})
        batches = digits.batches(64, seed=SEED, start_step=checkpoint.step)
        gan.fit(batches, steps_per_epoch=300, epochs=EPOCHS, callbacks=[checkpoint, figure])

    ``epochs`` counts from step 0, so the run ends where it would have ended unstopped, also if
    it continues in the middle of an epoch. The file holds all numbers of the model and its
    optimizers, and the state of every other callback that has the methods ``state()``
    (a dictionary of arrays and JSON values) and ``load_state(state)``, which is called
    before training begins. It is written

    - at the ends of epochs, unless they come so fast that writing would cost more than a
      fiftieth of the time, after every so many minutes, and at the end of training;
    - when training is interrupted, by the notebook's stop button, Ctrl-C or SIGTERM: the step
      under way is finished first. Interrupt twice to stop at once, without writing. Of machines
      that train together all stop after the same step, whichever was interrupted.

    ``checkpoint.npz`` is never half-written: it appears when it is whole, and the one before
    it stays as ``checkpoint.before.npz``, which is used should the last be damaged. A
    checkpoint that cannot be written (the disk is full) is reported, and training goes on.
    Under other versions of Keras and TensorFlow, or on another number of replicas, which each
    draw noise of their own, training goes on too, but not to the last bit; that is said.

    Args:
        model: one of our models, compiled.
        folder: a folder, for example a run folder or one of a mounted Google Drive, or a
            bucket such as ``"s3://my-bucket/digits"`` (which needs ``pip install fsspec s3fs``).
            Machines that train together must all reach it; only the first one writes.
        same: what else must not change between a run and its continuation: JSON values.
        minutes: the longest time between two checkpoints.
        resume: continue from a checkpoint if there is one; else begin anew, and replace it.

    Raises:
        ValueError: the checkpoint belongs to something else (every difference is named), or no
            good one is left; a model that is not compiled; ``minutes`` not above 0; something
            in ``same`` that is no JSON value.
        OSError: the folder cannot be written.
        ImportError: a package is missing that reaches the bucket.
    """

    def __init__(
        self,
        model: Any,
        folder: str | os.PathLike[str],
        *,
        same: Mapping[str, Any] | None = None,
        minutes: float = 5.0,
        resume: bool = True,
    ) -> None:
        super().__init__()
        if not model.compiled:
            raise ValueError("compile(…), with the optimizers, comes before Checkpoint.")
        if not minutes > 0:
            raise ValueError(f"minutes is {minutes!r}; it must be more than 0.")
        self.set_model(model)
        self.minutes = minutes
        self.place = archives.place(folder)
        self.identity = {
            **model_state.identity(model),
            "same": archives.as_stored("same", same or {}),
        }
        self._writes = files.is_chief()
        self._old: archives.Old = "keep none"  # files of a training that is not continued
        self._callbacks: list[Any] = []
        self._others: archives.State = {"step": None, "history": _NO_EPOCHS, "companions": {}}
        self._seconds, self._cost = 0.0, 0.0
        self._began: float | None = None
        self._signal: int | None = None
        if self._writes:
            self.place.check()
        found = archives.newest(self.place) if resume else None
        if found is not None:
            self._restore(*found)

    @property
    def step(self) -> int:
        """Steps made so far: where the batches have to begin."""
        return int(self.model.steps_done())

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before the last stop included."""
        here = 0.0 if self._began is None else time.monotonic() - self._began
        return self._seconds + here

    def write(self) -> bool:
        """Write the state as it stands; whether that went well, which is also said."""
        began, step = time.monotonic(), self.step
        self._others |= {"step": step, "seconds": self.seconds}
        if self._callbacks:  # else .fit has not been called, and what was read still holds
            history = self.model.history
            self._others |= {
                "history": {"epoch": history.epoch, "values": history.history},
                "companions": {key: one.state() for key, one in self._companions().items()},
            }
        try:
            if self._writes:
                self.place.write({**self._others, **self._of_the_model()}, self._old)
                self._old = "keep the last"
        except OSError as error:
            print(f"No checkpoint of step {step:,}: {self.place} ({error}).")
            return False
        finally:
            self._written = time.monotonic()
            self._cost = self._written - began
        return True

    def _of_the_model(self) -> archives.State:
        return {
            "identity": self.identity,
            **model_state.surroundings(self.model),
            "model": model_state.numbers(self.model),
            "last_losses": {name: float(x) for name, x in self.model.last_losses.items()},
        }

    def _restore(self, state: archives.State, last_is_good: bool) -> None:
        """Put the model into a state read, if it is one of this very model."""
        found = model_state.differences(state["identity"], self.identity)
        if found:
            listed = "".join(f"\n- {line}" for line in found)
            raise ValueError(
                f"the checkpoint in {self.place} belongs to another training:{listed}\n"
                "Put that back as it was, choose another folder, or begin anew with "
                "resume=False, which replaces the checkpoint."
            )
        model_state.load_numbers(self.model, state.pop("model"))
        self.model.last_losses.update(state["last_losses"])
        self._others = state
        self._old = "keep the last" if last_is_good else "keep the one before"
        self._seconds = state["seconds"]
        here = model_state.surroundings(self.model)
        other = [state[key] for key in here if state.get(key, here[key]) != here[key]]
        note = f", which {' and '.join(other)} wrote: not to the last bit" if other else ""
        print(f"Continuing at step {state['step']:,} of {self.place}{note}.")

    # --- what .fit calls ---------------------------------------------------------------------

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock; give Keras its history of earlier epochs back."""
        self._began = self._written = time.monotonic()
        if self._others["step"] == self.step:
            _load_history(self.model.history, self._others["history"], self._first_epoch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Write if it is time, or if somebody asked to stop."""
        if batch + 1 == self.params["steps"]:
            return  # the epoch's end, which follows at once, belongs to the same state
        asked = self._asked_to_leave()
        if asked or time.monotonic() - self._written >= 60 * self.minutes:
            self.write()
        self._leave(asked)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write, unless the last one is so recent that writing would take much of the time."""
        asked, passed = self._asked_to_leave(), time.monotonic() - self._written
        if asked or passed >= min(SPARING * self._cost, 60 * self.minutes):
            self.write()
        self._leave(asked)

    def on_train_end(self, logs: Any = None) -> None:
        """Write the end of training."""
        if self._others["step"] != self.step:
            self.write()
        self._seconds, self._began = self.seconds, None

    # --- stopping and going on ---------------------------------------------------------------

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Within, SIGINT and SIGTERM let the step under way finish and be written."""
        self._signal, before = None, {}
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    before[number] = signal.signal(number, self._heed)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._signal:
            raise _leaving(self._signal)

    def _heed(self, number: int, frame: Any) -> None:
        if self._signal:
            raise _leaving(number)
        self._signal = number

    def _asked_to_leave(self) -> int | None:
        """The signal that came to this worker or, after the same step, to another one."""
        mine = [self._signal == number for number in _SIGNALS]  # one that comes later can wait
        came = replicas.any_worker(self.model.distribute_strategy, *mine)
        return next((number for number, one in zip(_SIGNALS, came, strict=True) if one), None)

    def _leave(self, asked: int | None) -> None:
        if asked:
            print(f"Stopped after step {self.step:,}. Run this again to continue there.")
            self._signal = None
            replicas.wait_for_all(self.model.distribute_strategy)  # the chief may still write
            raise _leaving(asked)

    def settle(self, batches: Any, epochs: int, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments for Keras' ``.fit`` with which it goes on at this very step."""
        steps: Any = arguments.get("steps_per_epoch")
        checks.whole("steps_per_epoch, which a Checkpoint wants,", steps)
        self._check_begin(batches, arguments)
        if self.step >= epochs * steps:
            print(f"Nothing is left to do: {self.step:,} of {epochs * steps:,} steps are made.")
        self._first_epoch = min(self.step // steps, epochs)
        self._callbacks = [one for one in arguments["callbacks"] if one is not self]
        if not any(isinstance(one, keras.callbacks.History) for one in self._callbacks):
            self._callbacks.append(keras.callbacks.History())
        if self._others["step"] == self.step:
            for key, companion in self._companions().items():
                if key in self._others["companions"]:
                    companion.load_state(self._others["companions"][key])
        verbose = arguments.get("verbose", "auto")
        callbacks = mid_epoch.Callbacks(
            [*self._callbacks, self],  # the last, so that all others have seen the step
            add_progbar=verbose != 0,
            model=self.model,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
        )
        callbacks.made_already = self.step % steps
        return {**arguments, "callbacks": callbacks, "initial_epoch": self._first_epoch}

    def _check_begin(self, batches: Any, arguments: dict[str, Any]) -> None:
        begin = getattr(batches, "start_step", self.step)
        if begin != self.step:
            raise ValueError(
                f"the batches begin at step {begin:,}, but training goes on at step "
                f"{self.step:,}. Make them with batches(…, start_step=checkpoint.step)."
            )
        if arguments.get("initial_epoch"):
            raise ValueError("leave initial_epoch out: the Checkpoint knows where to begin.")
        if self.model.steps_per_execution != 1:
            raise ValueError("a Checkpoint counts single steps: compile(steps_per_execution=1).")

    def _companions(self) -> dict[str, Any]:
        """The callbacks that have a state to keep, by kind, and by order within a kind."""
        found: dict[str, Any] = {}
        for one in self._callbacks:
            if hasattr(one, "state") and hasattr(one, "load_state"):
                kind = type(one).__name__
                found[f"{kind} {sum(key.split()[0] == kind for key in found) + 1}"] = one
        return found


@contextlib.contextmanager
def guarding(
    model: Any, batches: Any, epochs: int, arguments: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """What ``.fit`` does for a :class:`Checkpoint` among its callbacks; nothing without one.

    Yields the keyword arguments for Keras' own ``.fit``.

    Raises:
        ValueError: two checkpoints, another model's, or arguments that do not go with one.
    """
    among = [one for one in arguments["callbacks"] if isinstance(one, Checkpoint)]
    if not among:
        yield arguments
        return
    if len(among) > 1 or among[0].model is not model:
        raise ValueError("fit takes one Checkpoint, which was made with the model it trains.")
    settled = among[0].settle(batches, epochs, arguments)
    try:
        with among[0].heeding_signals():
            yield settled
    finally:
        if isinstance(model.train_function, mid_epoch.FromStep):
            model.train_function = model.train_function.step


class Best(keras.callbacks.Callback):
    """Keeps the generator that scored best, for the last one is seldom it.

    Every so many steps the sampler is scored, which should be done on fixed z, so that scores
    can be compared. Training continued from a :class:`Checkpoint` remembers the best so far.

    Args:
        score: maps the sampler to a number; lower is better, NaN never the best.
        every: steps between scores.
        folder: where to keep ``best_generator.keras``, as a rule the run folder; None: in
            memory alone.

    Attributes:
        best_step, best_score: of the best so far; None and infinity before the first.
        scores: list of (step, score).
    """

    def __init__(
        self,
        score: Callable[[keras.Model], float],
        *,
        every: int,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        checks.whole("every", every)
        self.score = score
        self.every = every
        self.folder = None if folder is None else pathlib.Path(folder)
        self.best_step: int | None = None
        self.best_score = math.inf
        self.scores: list[tuple[int, float]] = []
        self._weights: list[NDArray[Any]] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Note where training begins."""
        self._step = int(self.model.steps_done())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Score, if it is time."""
        self._step += 1
        if self._step % self.every == 0:
            self._compare(float(self.score(self.model.sampler)))

    def network(self) -> keras.Model:
        """A network of its own with the weights of the best.

        Raises:
            ValueError: nothing has been scored yet.
        """
        if self.best_step is None:
            raise ValueError(f"there is no best before the first score, at step {self.every:,}.")
        network = keras.models.clone_model(self.model.sampler)
        network.set_weights(self._weights)
        return network

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "step": self.best_step,
            "score": self.best_score,
            "scores": [list(pair) for pair in self.scores],
            "weights": self._weights,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what :meth:`state` gave."""
        self.best_step, self.best_score = state["step"], state["score"]
        self.scores = [(step, score) for step, score in state["scores"]]
        self._weights = state["weights"]

    def _compare(self, score: float) -> None:
        self.scores.append((self._step, score))
        if not score < self.best_score:
            return
        self.best_step, self.best_score = self._step, score
        self._weights = self.model.sampler.get_weights()
        if self.folder is not None:
            runs.save_network(self.folder / "best_generator.keras", self.model.sampler)


def _leaving(number: int) -> BaseException:
    """How Python leaves on a signal: what SIGINT raises, and the exit status of SIGTERM."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _load_history(history: Any, epochs: archives.State, first: int) -> None:
    """Give Keras' record of epochs those before the first that is trained now."""
    history.epoch = [epoch for epoch in epochs["epoch"] if epoch < first]
    known = len(history.epoch)
    history.history = {name: values[:known] for name, values in epochs["values"].items()}
