"""What can go wrong in training: a rule, a name and a remedy for each, by numbers alone.

The bounds here were chosen by looking at trainings that went well and at trainings that were
broken on purpose (points, 14×14 and 28×28 digits, every loss): each lies well apart from both.
``benchmarks/clinic.py`` examines them on lesson 8's patients, with any seeds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOOKS = 4
"""A symptom is judged over so many looks; with 50 steps between them, 200 steps."""
EARLY = 300
"""Steps that a generator is given before its samples are judged; the first ones are all alike."""


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

    def pace(self, network: str) -> NDArray[Any]:
        """The relative change of a network's weights in 50 steps, at each look.

        There are more steps between two looks where looking would cost too much.
        """
        return self[f"moved_{network}"] * (50 / np.diff(self["step"]).mean())

    def late(self) -> bool:
        """Whether samples may be judged."""
        return self.above("step", EARLY)


def discriminator_wins(recent: Recent) -> bool:
    """The discriminator is always right and sure of it."""
    # A healthy one was once as right as that, at a loss of 0.06. A loss of 0.02 means that it
    # gives the truth 98 %, so that little is left of a slope.
    right = recent.above("d_real", 0.99) and recent.above("d_fake", 0.99)
    return right and recent.below("d_loss", 0.02)


def gradient_vanished(recent: Recent) -> bool:
    """The generator's gradient is next to nothing although there is much left to learn.

    Where the discriminator is sure, a loss that does not saturate has a long gradient. A
    discriminator that stands still is no cause of this kind.
    """
    # It falls by powers of ten, so the geometric mean: one step in a hundred that still has a
    # gradient does not hide the others.
    length = float(np.exp(np.mean(np.log(recent["g_gradient"] + 1e-12))))
    if discriminator_wins(recent):
        # Then the non-saturating loss has a slope of nearly 1 in each logit and the saturating
        # one of less than 0.02: lengths of several units on the one side, tenths on the other.
        return length < 0.3
    # Healthy ones fell to 0.07 at the least. A short gradient is fine where nothing is left to
    # learn, that is, a gap of less than half the distance between two real samples.
    solved, frozen = recent["gap"][-1] < 0.5, recent.below("moved_discriminator", 1e-6)
    return bool(length < 0.01 and not solved and not frozen)


def stands_still(recent: Recent) -> bool:
    """A network does not move although it has its turns."""
    # Adam moves every weight by its learning rate, so 1e-6 of a weight in 50 steps is a rate of
    # 1e-8 or none; round-off alone makes 1e-7.
    return any(recent.below(name, 1e-6) for name in recent if name.startswith("moved_"))


def not_in_training(recent: Recent) -> bool:
    """A network's weights move, and what its layers note down in training does not."""
    # No bound to choose: such a variable is written at every step, or never. (1e-12: a seed that
    # counts on by 1 from 4e9 changes by 2e-10 of itself.)
    names = [name.removeprefix("state_") for name in recent if name.startswith("state_")]
    return any(
        recent.below(f"state_{name}", 1e-12) and recent.above(f"moved_{name}", 1e-6)
        for name in names
    )


def labels_leak(recent: Recent) -> bool:
    """The discriminator knows fakes in its own turn that it takes for real in the generator's."""
    # The same verdicts in both turns would make at most 1 - 0.95 of the second, and three times
    # as much is more than the chance of a batch, and the generator's last step, explain.
    return recent.above("d_fake", 0.95) and recent.above("g_fooled", 0.15)


def discriminator_lags(recent: Recent) -> bool:
    """The discriminator hardly moves, and is wrong although fakes are bad, each in its own way."""
    # Right by chance is 0.5. The gap tells it from a game that is over: samples as good as real
    # ones have 0 ± 0.1, and those that left the picture several units. Paces of weights: healthy
    # ones have 0.01 and more for both; diversity below 0.25 has a name of its own.
    right = float(np.mean(recent["d_real"] + recent["d_fake"])) / 2
    slow, led = recent.pace("discriminator") < 0.0015, recent.pace("generator") > 0.003
    far = recent.above("gap", 0.2) and recent.above("diversity", 0.25)
    return bool(recent.late() and right < 0.65 and np.all(slow & led) and far)


def overfitting(recent: Recent) -> bool:
    """The discriminator tells pictures that it was trained on from others by heart."""
    # Of 32 pictures and 32 others chance makes 0.5 ± 0.07: 0.85 is five times that away. With
    # enough pictures it stayed below 0.72, and what was known by heart had 0.97 and more.
    return recent.late() and recent.above("told_apart", 0.85)


def too_fast(recent: Recent) -> bool:
    """Within 50 steps the weights of a generator change by a good part of themselves.

    Judged as soon as the start is over, for a jump of the loss may calm Adam down afterwards.
    """
    # Healthy ones have 0.01 to 0.13, and one, once, at step 300, 0.2: hence all four looks. With
    # ten times the learning rate it was 0.3 to 0.4.
    started, swings = recent["step"][-1] >= EARLY, float(np.mean(recent["drift"])) > 0.9
    return bool(started and np.all(recent.pace("generator") > 0.2) and not swings)


def outputs_outside(recent: Recent) -> bool:
    """Samples leave [-1, 1], by more than round-off."""
    return recent.above("high", 1.02) or recent.below("low", -1.02)


def outputs_narrow(recent: Recent) -> bool:
    """Samples are never negative, or stay far from both ends though nothing holds them back."""
    if recent.above("low", -1e-6):
        return True
    # White on black of a healthy generator reaches 0.9 after some hundred steps.
    far = bool(np.all(np.maximum(-recent["low"], recent["high"]) < 0.7))
    held = gradient_vanished(recent) or discriminator_wins(recent) or stands_still(recent)
    return recent.late() and far and not held


def mode_collapse(recent: Recent) -> bool:
    """A GAN's samples of different z are nearly the same; those of a healthy VAE may be, too."""
    # Healthy ones have 0.5 and more, and lesson 8's smallest GAN, once, 0.32. The mean, for a
    # collapse that wanders flickers.
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
    # In 50 steps the mean moved by about the distance between two real samples. Healthy ones
    # moved by 0.65 at the most, early, and by 0.3 later.
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


NO_TRAINING, LEAK, LAGS = "training=True is missing", "labels leak", "D too weak"
OVERFITTING, TOO_FAST = "overfitting", "learning rate too large"
OUTSIDE, NARROW = "outputs outside the range", "outputs in a part of the range"
VANISHED, WINS, STILL = "vanishing gradient", "D wins", "a network stands still"
COLLAPSE, OSCILLATION = "mode collapse", "oscillation"

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
        NO_TRAINING,
        "weights of the {not_training} move, but BatchNormalization or Dropout there does not run "
        "as in training: say training=True at every call within a training step (lesson 8).",
        not_in_training,
    ),
    Symptom(
        VANISHED,
        "the generator's gradient has all but vanished (length {g_gradient:.1g}), so it no longer "
        "learns: use loss='non_saturating' or a WassersteinGAN, or give the discriminator a "
        "smaller learning rate (lesson 7).",
        gradient_vanished,
        (OUTSIDE, NARROW, NO_TRAINING, LAGS),
    ),
    Symptom(
        WINS,
        "the discriminator wins: it is right about {d_real:.0%} of the real and {d_fake:.0%} of "
        "the fake pictures at a loss of {d_loss:.1g}, and tells the generator little; give it a "
        "smaller learning rate, fewer updates or instance noise, or smooth the labels (lesson 2).",
        discriminator_wins,
        (OUTSIDE, NARROW, NO_TRAINING, VANISHED, LEAK, OVERFITTING),
    ),
    Symptom(
        LEAK,
        "labels leak through the batch: in its own turn the discriminator knows {d_fake:.0%} of "
        "the fakes, in the generator's it takes {g_fooled:.0%} of them for real; show it real and "
        "fake in batches of their own (joint_batch=False), or leave out its BatchNormalization "
        "(lesson 8).",
        labels_leak,
    ),
    Symptom(
        OVERFITTING,
        "the discriminator knows its training pictures by heart: it scores one of them above a "
        "held-out one {told_apart:.0%} of the time (half would be chance); take more pictures, "
        "augment real and fake alike, or stop earlier (lesson 8).",
        overfitting,
    ),
    Symptom(
        LAGS,
        "the discriminator is too weak: it is right about {d_real:.0%} of the real and "
        "{d_fake:.0%} of the fake samples, though these are far from real ones, and hardly moves; "
        "give it a larger learning rate, more updates or a larger network (lesson 8).",
        discriminator_lags,
        (STILL,),
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
        (NARROW, NO_TRAINING, VANISHED, WINS, STILL, LEAK, OVERFITTING),
    ),
    Symptom(
        "posterior collapse",
        "posterior collapse: a picture's code says next to nothing about it ({kl:.1g} nats): the "
        "decoder draws the same for every z; make beta smaller, or let it grow from 0 (lesson 4).",
        posterior_collapse,
        (NARROW, STILL),
    ),
    Symptom(
        OSCILLATION,
        "oscillation: the generator's pictures as a whole swing to and fro and do not settle; make "
        "both learning rates smaller, take beta_1=0.5 in Adam, give the discriminator as many "
        "updates as the generator, and show the EMA copy (lesson 8).",
        oscillation,
        (NO_TRAINING, STILL, LAGS, COLLAPSE),
    ),
    Symptom(
        TOO_FAST,
        "the generator's weights change by {moved_generator:.0%} of themselves from one look to "
        "the next, long after the start: make its learning rate ten times smaller (lesson 8).",
        too_fast,
        (OUTSIDE, NARROW, NO_TRAINING, STILL, LEAK, OVERFITTING, LAGS, COLLAPSE, OSCILLATION),
    ),
    Symptom(
        "input starvation",
        "training waits for pictures {waiting:.0%} of the time: prepare them once and stream them "
        "with ImageSet.batches(), or decode them in parallel and prefetch (lesson 2).",
        starvation,
    ),
)
