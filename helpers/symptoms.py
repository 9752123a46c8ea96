"""Names what goes wrong in training, from the numbers alone, and says what to do about it."""

import functools
import math
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import numpy as np

from helpers._backend import keras, tf
from helpers.illnesses import LOOKS, SYMPTOMS, Recent
from helpers.statistics import Statistics, number

IDLE_GPU = (
    "this machine has a GPU, but the networks are not on it, so training is many times slower "
    "than it could be: install TensorFlow with pip install 'tensorflow[and-cuda]' (on Windows "
    "within WSL2), or choose a GPU runtime, and start again (lesson 1)."
)
NOT_A_NUMBER = (
    "{name} is {value}, and no later step can mend that, so training stops here: go back to the "
    "last checkpoint with learning rates ten times smaller, and look for a division by 0 or a "
    "logarithm of 0 if the loss is your own (lesson 8)."
)


class Symptoms(Statistics):
    """A callback that stays silent as long as training is healthy.

    What goes wrong is told in one sentence with the remedy and the lesson that explains it,
    once for as long as it lasts, and again only if it went away in between. NaN stops the
    training. What follows from another symptom (a discriminator that wins leaves the generator
    where it is) is not told beside it. Partial collapse, onto some of several kinds of pictures,
    cannot be seen in these numbers; see lesson 8's scores.

    Args:
        real: see :class:`helpers.statistics.Statistics`.
        z: see there.
        **kwargs: see there.

    Attributes:
        found: list of (step, name of the symptom, sentence).
        history: see :class:`helpers.statistics.Statistics`.

    Example:
        >>> symptoms = Symptoms(digits.sample(32), z)
        >>> gan.fit(digits.batches(64), steps_per_epoch=900, callbacks=[symptoms])
    """

    def __init__(self, real: Any, z: Any, **kwargs: Any) -> None:
        super().__init__(real, z, **kwargs)
        self.found: list[tuple[int, str, str]] = []
        self._unseen: dict[str, int] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Look at what can be seen before training: the device."""
        if not self._continued:
            self.found, self._unseen = [], {}
        super().on_train_begin(logs)
        if gpu_lies_idle(self.model):
            self._tell("no GPU in use", IDLE_GPU)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop at NaN; see :class:`helpers.statistics.Statistics` for the rest."""
        super().on_train_batch_end(batch, logs)
        for name, value in (logs or {}).items():
            if "loss" in name and not math.isfinite(number(value)) and self._had_turns(name):
                self._tell("NaN", NOT_A_NUMBER.format(name=name, value=number(value)))
                self.model.stop_training = True
                return

    def look(self) -> dict[str, float]:
        """See :class:`helpers.statistics.Statistics`; then judge the last looks."""
        line = super().look()
        recent = Recent({n: np.asarray(values[-LOOKS:]) for n, values in self.history.items()})
        if self.real.ndim != 4:  # points have no range
            for name in ("low", "high", "input_low", "input_high"):
                recent.pop(name, None)
        if len(recent["step"]) == LOOKS:
            self._judge(recent, line)
        return line

    def state(self) -> dict[str, Any]:
        """See :class:`helpers.statistics.Statistics`; with what was found."""
        found = [list(one) for one in self.found]
        return {**super().state(), "found": found, "unseen": dict(self._unseen)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """See :class:`helpers.statistics.Statistics`."""
        super().load_state(state)
        self.found = [(step, name, says) for step, name, says in state["found"]]
        self._unseen = dict(state["unseen"])

    def _judge(self, recent: Recent, line: dict[str, float]) -> None:
        shown = {symptom.name for symptom in SYMPTOMS if symptom.shows(recent)}
        for symptom in SYMPTOMS:
            if symptom.name not in shown:
                self._forget_in_time(symptom.name)
            elif not shown.intersection(symptom.follows):
                if symptom.name not in self._unseen:
                    words = {**line, "still": _named(line, "moved_", 1e-6)}
                    words["not_training"] = _named(line, "state_", 1e-12)
                    self._tell(symptom.name, symptom.says.format(**words))
                self._unseen[symptom.name] = 0

    def _forget_in_time(self, name: str) -> None:
        """A symptom that did not show at so many looks in a row may be told anew."""
        if name in self._unseen:
            self._unseen[name] += 1
            if self._unseen[name] >= 2 * LOOKS:
                del self._unseen[name]

    def _tell(self, name: str, says: str) -> None:
        self.found.append((self.steps, name, says))
        print(f"\nStep {self.steps:,}: {says}", flush=True)

    def _had_turns(self, loss: str) -> bool:
        """Whether a loss is one that was computed: a schedule may keep a network at rest."""
        schedule = self.model.schedule
        turn = {"d_loss": 0, "g_loss": 1}.get(loss)
        return schedule is None or turn is None or schedule(self.steps - 1)[turn] > 0


def _named(line: Mapping[str, float], prefix: str, bound: float) -> str:
    """The networks whose number lies below a bound."""
    low = [n.removeprefix(prefix) for n in line if n.startswith(prefix) and line[n] < bound]
    return " and the ".join(low)


def gpu_lies_idle(model: keras.Model) -> bool:
    """Whether there is a GPU that this model's networks are not on, and nobody hid it."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    visible = tf.config.get_visible_devices("GPU")
    if hidden or (tf.config.list_physical_devices("GPU") and not visible):
        return False
    if not visible:
        return has_nvidia_card()
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        return False
    return not any("GPU" in weight.value.device for weight in model.weights)


@functools.cache
def has_nvidia_card() -> bool:
    """Whether the driver's own tool lists a card, whatever TensorFlow thinks."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    try:
        done = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "GPU " in done.stdout
