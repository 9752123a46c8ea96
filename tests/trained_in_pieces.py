"""A training that may be killed: run by test_checkpoints.py, one process for each piece.

Reads jobs, one JSON object a line: {"model", "folder", "out", "kill": step, "signal": number,
"while": what}. Each is done in a process forked after the imports, which take most of the time.
A clock of steps stands in for the time, so that checkpoints fall where the test wants them.
"""

import json
import os
import pathlib
import signal
import sys
from types import SimpleNamespace

import numpy as np

from helpers import checkpoints, cyclegan, gans, training, vaes
from helpers._backend import keras, tf
from helpers.image_set import ImageSet

layers = keras.layers
STEPS, EPOCHS, BATCH = 5, 3, 4
SHAPE, CLASSES, LATENT = (4, 4, 1), 3, 3


def network(inputs, *last, norm=True):
    """One hidden layer with all that has a training mode or chance in it."""
    inputs = [keras.Input(shape) for shape in inputs]
    flat = [layers.Flatten()(x) for x in inputs]
    x = layers.Dense(6)(layers.Concatenate()(flat) if len(flat) > 1 else flat[0])
    x = layers.BatchNormalization(momentum=0.9)(x) if norm else x
    x = layers.Dropout(0.3)(layers.LeakyReLU(negative_slope=0.2)(x))
    outputs = [build(x) for build in last]
    return keras.Model(*(many if len(many) > 1 else many[0] for many in (inputs, outputs)))


def picture(x):
    return layers.Reshape(SHAPE)(layers.Dense(int(np.prod(SHAPE)), activation="tanh")(x))


def maker(*inputs):
    return network(inputs or [(LATENT,)], picture)


def judge(*inputs, norm=True):
    return network(inputs or [SHAPE], layers.Dense(1), norm=norm)


def encoder():
    return network([SHAPE], layers.Dense(LATENT), layers.Dense(LATENT))


def adams(n):
    return [keras.optimizers.Adam(0.01 * (i + 1), 0.5) for i in range(n)]


def compiled(model, optimizers, **options):
    model.compile(*adams(optimizers), **options)
    return model


MODELS = {
    "GAN": lambda: compiled(
        gans.GAN(
            maker(),
            judge(),
            schedule=training.every(gen=3),
            label_noise=0.1,
            instance_noise=0.1,
            ema_decay=0.9,
        ),
        2,
    ),
    "ConditionalGAN": lambda: compiled(
        gans.ConditionalGAN(maker((LATENT,), (CLASSES,)), judge(SHAPE, (CLASSES,))), 2
    ),
    "WassersteinGAN": lambda: compiled(
        gans.WassersteinGAN(maker(), judge(norm=False), disc_updates=2), 2
    ),
    "VAE": lambda: compiled(vaes.VAE(encoder(), maker(), ema_decay=0.9), 1),
    "VAEGAN": lambda: compiled(
        vaes.VAEGAN(encoder(), maker(), judge(), similarity="pixels", ema_decay=0.9), 3
    ),
    "CycleGAN": lambda: compiled(
        cyclegan.CycleGAN(maker(SHAPE), maker(SHAPE), judge(), judge(), pool=6, ema_decay=0.9), 2
    ),
}


def made(name, seed=0):
    """A compiled model, always with the same first weights; another ``seed``: other Dropout."""
    keras.utils.set_random_seed(seed)
    return MODELS[name]()


def pictures(n=22, seed=5):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (n, *SHAPE)).astype(np.uint8)
    return ImageSet("noise", images, random.integers(0, CLASSES, n), ("a", "b", "c"), "here", n)


def batches(name, start_step):
    options = {"seed": 3, "start_step": start_step}
    if name == "CycleGAN":
        other = pictures(seed=6).batches(BATCH, **options)
        return tf.data.Dataset.zip(pictures().batches(BATCH, **options), other)
    return pictures().batches(
        BATCH, conditional="one_hot" if name == "ConditionalGAN" else None, **options
    )


class Losses(keras.callbacks.Callback):
    """All that every step logged; kept in the checkpoint."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(sorted(logs.items()))

    def state(self):
        return {"seen": self.seen}

    def load_state(self, state):
        self.seen = state["seen"]


class Kill(keras.callbacks.Callback):
    """Sends a signal to this very process when so many steps are made."""

    def __init__(self, step, number):
        super().__init__()
        self.at, self.number = step, number

    def on_train_batch_begin(self, batch, logs=None):
        if self.model.steps_done() == self.at:
            os.kill(os.getpid(), self.number)


def fit(model, name, checkpoint, *callbacks, epochs=EPOCHS):
    return model.fit(
        batches(name, checkpoint.step),
        steps_per_epoch=STEPS,
        epochs=epochs,
        callbacks=[*callbacks, checkpoint],
        verbose=0,
    )


def numbers(model):
    """All numbers that training may change, and samples, by name."""
    found = {f"variable {i}": v.numpy() for i, v in enumerate(model.variables)}
    for name, optimizer in model.optimizers().items():
        found |= {f"{name} {i}": v.numpy() for i, v in enumerate(optimizer.variables)}
    inputs = [np.ones((2, *x.shape[1:]), np.float32) for x in model.sampler.inputs]
    samples = model.sampler(inputs if len(inputs) > 1 else inputs[0], training=False)
    return {**found, "samples": np.asarray(samples)}


def clock_of_steps(model):
    """A checkpoint's minutes are steps from now on."""
    checkpoints.time = SimpleNamespace(monotonic=lambda: 60.0 * model.steps_done())


def kill_in(function):
    """Be killed at the second call of ``os.fsync`` or ``os.replace``."""
    original, calls = getattr(os, function), []

    def deadly(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments)

    setattr(os, function, deadly)


def train(job):
    model = made(job["model"], seed=job.get("seed", 0))
    clock_of_steps(model)
    if "while" in job:
        kill_in(job["while"])
    losses = Losses()
    killer = Kill(job.get("kill"), job.get("signal", signal.SIGKILL))
    checkpoint = checkpoints.Checkpoint(model, job["folder"], minutes=2)
    history = fit(model, job["model"], checkpoint, losses, killer)
    story = {"losses": losses.seen, "history": history.history, "epochs": history.epoch}
    out = pathlib.Path(job["out"])
    np.savez(out.with_suffix(".npz"), **numbers(model))
    out.with_suffix(".json").write_text(json.dumps(story, default=float))


def main():
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            train(json.loads(line))
            sys.stdout.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(f"exit {os.waitstatus_to_exitcode(status)}", flush=True)


if __name__ == "__main__":
    main()
