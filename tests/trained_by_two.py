"""Trainings on two replicas: run by test_distributed.py, for a strategy is chosen once a process.

    trained_by_two.py mirrored FOLDER MODEL …  these models, on one replica and on two
    trained_by_two.py details FOLDER           dropout, float16, samples, on two replicas
    trained_by_two.py workers FOLDER           one of two workers, see TF_CONFIG; one is killed
    trained_by_two.py continued FOLDER         both again

What they find goes to FOLDER, as arrays in ``<what>.npz``, one row a replica.
"""

import os
import pathlib
import signal
import sys

import numpy as np
import trained_in_pieces as pieces

from helpers import checkpoints, replicas, runtime, training
from helpers._backend import keras, tf

STEPS = 4
KILLED_AT = 6
OPTIMIZERS = {"VAE": 1, "VAEGAN": 3}


def part_of_whole(shape, *, kind, seed, step, draw):
    """Instead of each replica's own noise: its part of what one replica would draw for all."""
    context = tf.distribute.get_replica_context()
    parts, part = context.num_replicas_in_sync, context.replica_id_in_sync_group
    key = tf.stack([tf.cast(seed + 1000 * draw, tf.int32), tf.cast(step, tf.int32)])
    whole = tf.concat([[shape[0] * parts], shape[1:]], axis=0)
    drawn = tf.random.stateless_normal(whole, key) if kind == "normal" else None
    drawn = tf.random.stateless_uniform(whole, key, -1.0, 1.0) if drawn is None else drawn
    return drawn[part * shape[0] : (part + 1) * shape[0]]


def without_own_chance(name):
    """A model that does the same on two replicas as on one, if training is right."""
    model = pieces.made(name)
    if name == "CycleGAN":
        model.pool = 0  # each replica would have its own
    for network in vars(model).copy().values():
        for layer in network.layers if isinstance(network, keras.Model) else []:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
    # Adam would make much of rounding errors where the gradient is nothing else.
    model.compile(*[keras.optimizers.SGD(0.1) for _ in range(OPTIMIZERS.get(name, 2))])
    return model


def of_replicas(variables):
    """All numbers in one row for each of this process's replicas."""
    copies = [getattr(v.value, "values", [v.value]) for v in variables]
    return np.array(
        [
            np.concatenate([np.ravel(np.asarray(x)) for x in row])
            for row in zip(*copies, strict=True)
        ]
    )


def trained(name, strategy, steps=STEPS):
    with strategy.scope():
        model = without_own_chance(name)
    losses = pieces.Losses()
    batches = pieces.batches(name, 0)
    model.fit(batches, steps_per_epoch=steps, callbacks=[losses], verbose=0)
    rows = [
        [float(np.ravel(x)[0]) for key, x in line if "gradient" not in key] for line in losses.seen
    ]
    return {"weights": of_replicas(model.weights), "losses": rows}


def save(folder, what, **arrays):
    np.savez(folder / f"{what}.npz", **arrays)


def dropped(strategy):
    """Which numbers a Dropout layer drops on each replica of this process, two calls in turn."""
    with strategy.scope():
        gan = pieces.made("GAN")
    layer = next(x for x in gan.generator.layers if isinstance(x, keras.layers.Dropout))

    def drop():
        return layer(tf.ones((1, 64)), training=True)

    @tf.function
    def on_all():
        return strategy.run(drop)

    seen = []
    for _ in range(2):
        replicas.spread_dropout(gan)
        seen.append([np.asarray(x)[0] for x in strategy.experimental_local_results(on_all())])
    return np.array(seen).swapaxes(0, 1)  # replica, call, number


def mirrored(folder, *names):
    strategy = runtime.strategy(logical_cpus=2)
    training.random_like = part_of_whole
    for name in names:
        for where, spread in {"alone": runtime.strategy("none"), "together": strategy}.items():
            save(folder, f"{name}-{where}", **trained(name, spread))


def details(folder):
    runtime.strategy("mirrored", logical_cpus=2)
    strategy = runtime.strategy("mirrored", logical_cpus=2)  # as if the cell were run twice
    save(folder, "dropped", first=dropped(strategy), again=dropped(strategy))
    save(folder, "half", **half(strategy))
    save(folder, "more", **continued_by_more(folder, strategy))
    with strategy.scope():
        gan = pieces.made("GAN")
    z = training.noise(6, gan.latent_dim, kind=gan.noise_kind, seed=0, step=-1)
    save(folder, "generated", generate=gan.generate(6), sampler=gan.sampler(z, training=False))


def half(strategy):
    """Steps in float16: its weights before and after, and the scales of both losses."""
    runtime.set_precision("mixed_float16")
    with strategy.scope():
        gan = pieces.made("GAN")
    runtime.set_precision("float32")
    before = of_replicas(gan.weights)
    gan.fit(pieces.batches("GAN", 0), steps_per_epoch=STEPS, verbose=0)
    scales = [of_replicas([o.dynamic_scale])[0] for o in gan.optimizers().values()]
    return {"before": before, "after": of_replicas(gan.weights), "scales": scales}


def continued_by_more(folder, strategy):
    """Weights before and after: one replica's checkpoint, and the epoch that two added to it."""
    gan = pieces.made("GAN")
    pieces.fit(gan, "GAN", checkpoints.Checkpoint(gan, folder / "more"), epochs=1)
    with strategy.scope():
        other = pieces.made("GAN")
    checkpoint = checkpoints.Checkpoint(other, folder / "more")
    before = of_replicas(other.weights)
    pieces.fit(other, "GAN", checkpoint, epochs=2)
    after = of_replicas(other.weights)
    return {"alone": of_replicas(gan.weights), "before": before, "after": after}


# --- workers -------------------------------------------------------------------------------


def continued(folder, strategy, name, killed_at=None, *, number=signal.SIGKILL, minutes=1e-9):
    """Train with a checkpoint, as a rule after every step; what it came to."""
    with strategy.scope():
        gan = pieces.made("GAN")
    checkpoint = checkpoints.Checkpoint(gan, folder / name, minutes=minutes)
    losses, kill = pieces.Losses(), pieces.Kill(killed_at, number)
    pieces.fit(gan, "GAN", checkpoint, losses, kill, epochs=2)
    numbers = of_replicas([v for group in variables(gan) for v in group])
    rows = [[np.ravel(x)[0] for _, x in line] for line in losses.seen]
    return {"numbers": numbers, "losses": rows, "generated": gan.generate(4)}


def variables(gan):
    return [gan.variables, *(optimizer.variables for optimizer in gan.optimizers().values())]


def stopped(strategy, minutes):
    """Steps made until a clock stopped the training."""
    with strategy.scope():
        gan = pieces.made("GAN")
    budget = training.TimeBudget(minutes)
    gan.fit(pieces.batches("GAN", 0), steps_per_epoch=10**6, callbacks=[budget], verbose=0)
    return gan.steps_done()


def refused(strategy, seed):
    """What ``.fit`` says when the workers' seeds differ."""
    with strategy.scope():
        gan = pieces.made("GAN")
    gan.seed = seed
    try:
        gan.fit(pieces.batches("GAN", 0), steps_per_epoch=1, verbose=0)
    except ValueError as error:
        return str(error)
    return ""


def interrupted(folder, strategy, number):
    """The second worker gets a signal; the exit status of this one, and what it continued to."""
    at = None if runtime.is_chief() else KILLED_AT
    try:
        continued(folder, strategy, "interrupted", at, number=number, minutes=60)
    except SystemExit as left:
        return {"status": left.code, **continued(folder, strategy, "interrupted")}
    return {"status": 0}


def workers(folder):
    strategy = runtime.strategy()
    me = 0 if runtime.is_chief() else 1
    keras.utils.set_random_seed(me)  # weights come from the chief nevertheless
    own_noise, training.random_like = training.random_like, part_of_whole
    found = trained("GAN", strategy)
    training.random_like = own_noise
    said = refused(strategy, seed=me)
    steps = stopped(strategy, minutes=60 if me == 0 else 1e-9)
    save(folder, f"worker-{me}", **found, dropped=dropped(strategy), refused=said, stopped=steps)
    save(folder, f"unbroken-{me}", **continued(folder, strategy, "unbroken"))
    save(folder, f"interrupted-{me}", **interrupted(folder, strategy, signal.SIGTERM))
    killed_at = KILLED_AT if me == 1 else None
    save(folder, f"killed-{me}", **continued(folder, strategy, "killed", killed_at))


def again(folder):
    strategy = runtime.strategy("workers")
    me = 0 if runtime.is_chief() else 1
    save(folder, f"killed-{me}", **continued(folder, strategy, "killed"))


PROGRAMS = {"mirrored": mirrored, "details": details, "workers": workers, "continued": again}

if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "Agg")
    what, where, *names = sys.argv[1:]
    PROGRAMS[what](pathlib.Path(where), *names)
