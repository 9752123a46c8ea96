"""Names what goes wrong in training, from the numbers alone, and says what to do about it.

The bounds here were chosen by looking at trainings that went well and at trainings that were
broken on purpose (points, 14×14 and 28×28 digits, every loss): each lies well apart from both.
"""

import functools
import math
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers._backend import keras, tf
from helpers.statistics import Statistics, number

LOOKS = 4
"""A symptom is judged over so many looks; with 50 steps between them, 200 steps."""
EARLY = 300
"""Steps that a generator is given before its samples are judged."""


class Recent(dict[str, NDArray[Any]]):
    """The last looks: for each number its values; NaN, which keeps no bound, if unknown."""

    def __missing__(self, name: str) -> NDArray[Any]:
        return np.full(LOOKS, np.nan)

    def above(self, name: str, bound: float) -> bool:
        """Whether the number lay above the bound at each of these looks."""
        return bool(np.all(self[name] > bound))

    def below(self, name: str, bound: float) -> bool:
        """Whether the number lay below the bound at each of these looks."""
        return bool(np.all(self[name] < bound))

    def late(self) -> bool:
        """Whether samples may be judged."""
        return self.above("step", EARLY)


def gradient_vanished(recent: Recent) -> bool:
    """The generator's gradient is next to nothing."""
    return float(np.mean(recent["g_gradient"])) < 0.01


def discriminator_wins(recent: Recent) -> bool:
    """The discriminator is always right and sure of it."""
    right = recent.above("d_real", 0.99) and recent.above("d_fake", 0.99)
    return right and recent.below("d_loss", 0.02)


def stands_still(recent: Recent) -> bool:
    """A network does not move although it has its turns."""
    return any(recent.below(name, 1e-6) for name in recent if name.startswith("moved_"))


def outputs_outside(recent: Recent) -> bool:
    """Samples leave [-1, 1]."""
    return recent.above("high", 1.02) or recent.below("low", -1.02)


def outputs_narrow(recent: Recent) -> bool:
    """Samples are never negative, or stay far from both ends though nothing holds them back."""
    if recent.above("low", -1e-6):
        return True
    far = bool(np.all(np.maximum(-recent["low"], recent["high"]) < 0.7))
    held = gradient_vanished(recent) or discriminator_wins(recent) or stands_still(recent)
    return recent.late() and far and not held


def mode_collapse(recent: Recent) -> bool:
    """A GAN's samples of different z are nearly the same; those of a healthy VAE may be, too."""
    return recent.late() and "g_loss" in recent and float(np.mean(recent["diversity"])) < 0.25


def posterior_collapse(recent: Recent) -> bool:
    """A VAE's code says nothing, counted in nats; a VAE-GAN's may well say little."""
    return recent.late() and "g_loss" not in recent and recent.below("kl", 0.2)


def oscillation(recent: Recent) -> bool:
    """The samples as a whole move to and fro, further than chance and learning would take them.

    Also where a schedule brings it about: a generator that has four updates to each of its
    discriminator's runs ahead of it, and at too large a rate draws one shape for every z, another
    one some steps later.
    """
    return recent.late() and float(np.mean(recent["drift"])) > 0.9


def starvation(recent: Recent) -> bool:
    """Steps spend much of their time waiting for pictures, and not because they are so short."""
    return recent.above("waiting", 0.3) and recent.above("wait_seconds", 0.01)


def inputs_outside(recent: Recent) -> bool:
    """The pictures trained on are not in [-1, 1]."""
    low, high = recent["input_low"], recent["input_high"]
    return bool(np.all((low < -1.001) | (high > 1.001) | (low >= 0)))


@dataclass(frozen=True)
class Symptom:
    """What can go wrong.

    Attributes:
        name: in a word or two.
        says: a sentence with the remedy; names in braces become the last look's numbers.
        shows: whether it shows in the last looks.
        follows: the names of symptoms that explain this one, which is then left unsaid.
    """

    name: str
    says: str
    shows: Callable[[Recent], bool]
    follows: tuple[str, ...] = ()


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
OUTSIDE, NARROW = "outputs outside the range", "outputs in a part of the range"
VANISHED, WINS, STILL = "vanishing gradient", "D wins", "a network stands still"
COLLAPSE = "mode collapse"

SYMPTOMS = (
    Symptom(
        "inputs outside the range",
        "the pictures trained on lie in [{input_low:.3g}, {input_high:.3g}] and not in [-1, 1], "
        "where the generator's tanh makes its own: convert them with datasets.to_float(images) "
        "(lesson 1).",
        inputs_outside,
    ),
    Symptom(
        OUTSIDE,
        "the generator's pictures reach from {low:.3g} to {high:.3g}, but real ones lie in "
        "[-1, 1], which gives fakes away: end the generator in activation='tanh' (lesson 2).",
        outputs_outside,
    ),
    Symptom(
        NARROW,
        "the generator's pictures only reach from {low:.3g} to {high:.3g} of [-1, 1], so black or "
        "white stay out of its reach: end it in activation='tanh', not in a sigmoid or ReLU "
        "(lesson 2).",
        outputs_narrow,
    ),
    Symptom(
        VANISHED,
        "the generator's gradient has all but vanished (length {g_gradient:.1g}), so it no longer "
        "learns: use loss='non_saturating' or a WassersteinGAN, or give the discriminator a "
        "smaller learning rate (lesson 7).",
        gradient_vanished,
        (OUTSIDE, NARROW),
    ),
    Symptom(
        WINS,
        "the discriminator wins: it is right about {d_real:.0%} of the real and {d_fake:.0%} of "
        "the fake pictures at a loss of {d_loss:.1g}, and tells the generator little; give it a "
        "smaller learning rate, fewer updates or instance noise, or smooth the labels (lesson 2).",
        discriminator_wins,
        (OUTSIDE, NARROW, VANISHED),
    ),
    Symptom(
        STILL,
        "no step moves the {still}: check the learning rate, that trainable is True, and that the "
        "loss depends on it (lesson 8).",
        stands_still,
        (NARROW, VANISHED, WINS),
    ),
    Symptom(
        COLLAPSE,
        "mode collapse: pictures from different z are nearly the same ({diversity:.0%} of the "
        "distance between real ones); give the generator a smaller learning rate or fewer "
        "updates, or try a WassersteinGAN (lesson 8).",
        mode_collapse,
        (NARROW, VANISHED, WINS, STILL),
    ),
    Symptom(
        "posterior collapse",
        "posterior collapse: a picture's code says next to nothing about it ({kl:.1g} nats): the "
        "decoder draws the same for every z; make beta smaller, or let it grow from 0 (lesson 4).",
        posterior_collapse,
        (NARROW, STILL),
    ),
    Symptom(
        "oscillation",
        "oscillation: the generator's pictures as a whole swing to and fro and do not settle; make "
        "both learning rates smaller, take beta_1=0.5 in Adam, give the discriminator as many "
        "updates as the generator, and show the EMA copy (lesson 8).",
        oscillation,
        (COLLAPSE,),
    ),
    Symptom(
        "input starvation",
        "training waits for pictures {waiting:.0%} of the time: prepare them once and stream them "
        "with ImageSet.batches(), or decode them in parallel and prefetch (lesson 2).",
        starvation,
    ),
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
                    still = [n[6:] for n in line if n.startswith("moved_") and line[n] < 1e-6]
                    words = {**line, "still": " and the ".join(still)}
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
