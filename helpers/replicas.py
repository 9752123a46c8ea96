"""Several replicas that train one model: what they must have in common, and what must differ.

A replica is a copy of the model on one GPU (or one processor); a worker is a process, as a
rule one on each machine, with a replica or more. Each replica sees its part of every batch, and
the gradients are added up. On one replica nothing here does anything.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from helpers import checks
from helpers._backend import keras, tf

_APART = 2**32  # between the dropout counters of two replicas: more than any run draws


def synchronize(network: keras.Model) -> None:
    """Let BatchNormalization count over the whole batch, not over each replica's part of it.

    Otherwise two replicas with half a batch each would not train as one with all of it.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for layer in checks.layers_of(network):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def spread_dropout(model: Any) -> None:
    """Let Dropout drop other numbers on each replica; Keras drops the same on all.

    The state of a layer's chance is (seed, counter). Replica r counts from r · 2³² on, however
    often this is called, so that a continued run draws what an unstopped one would have.
    """
    states = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    strategy = model.distribute_strategy
    if not states or strategy.num_replicas_in_sync == 1:
        return

    numbers = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant(context.replica_id_in_sync_group, tf.int64)
    )
    for state in states:
        own = getattr(state.value, "values", [state.value])
        for replica, one in zip(strategy.experimental_local_results(numbers), own, strict=True):
            seed, counter = tf.unstack(tf.cast(one, tf.int64))
            counter = counter % _APART + _APART * replica
            one.assign(tf.cast(tf.stack([seed, counter]), one.dtype))


def any_worker(strategy: Any, *flags: bool) -> list[bool]:
    """For each flag, whether it is true on at least one worker; all must ask at the same step."""
    if not _several_workers(strategy):
        return list(flags)
    votes = strategy.experimental_distribute_values_from_function(
        lambda context: tf.constant([float(flag) for flag in flags])
    )
    found: list[bool] = (strategy.reduce("SUM", votes, axis=None) > 0).numpy().tolist()
    return found


def wait_for_all(strategy: Any) -> None:
    """Return when all workers have called this."""
    any_worker(strategy, True)


def check_same_start(model: Any) -> None:
    """Refuse to train unless all workers begin at the same step, from the same seed.

    Raises:
        ValueError: they do not; training would go on, and give nonsense.
    """
    strategy = model.distribute_strategy
    if not _several_workers(strategy):
        return
    mine = [[model.steps_done(), model.seed]]
    gathered = strategy.gather(
        strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(mine, tf.int64)
        ),
        axis=0,
    )
    for what, of_workers in zip(("step", "seed"), gathered.numpy().T.tolist(), strict=True):
        if len(set(of_workers)) > 1:
            raise ValueError(
                f"the workers begin with {what} {', '.join(map(str, of_workers))}. All must run "
                "the same program with the same settings, and all must reach the folder of the "
                "checkpoint, for instance on a shared disk or in a bucket."
            )


class StopTogether(keras.callbacks.Callback):
    """Lets all workers stop after the same step, when one of them wants to stop.

    One that stopped by itself, because its own clock says that the time is over, would leave
    the others waiting for its gradients. Stands after the callbacks that may stop training.
    """

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ask all workers."""
        self._vote()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ask all workers."""
        self._vote()

    def _vote(self) -> None:
        (stop,) = any_worker(self.model.distribute_strategy, self.model.stop_training)
        self.model.stop_training = stop


@contextlib.contextmanager
def together(model: Any, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What ``.fit`` does when there are several replicas; yields its keyword arguments.

    Raises:
        ValueError: the workers do not begin alike.
        RuntimeError: another worker has gone.
    """
    spread_dropout(model)
    if not _several_workers(model.distribute_strategy):
        yield arguments
        return
    check_same_start(model)
    try:
        yield {**arguments, "callbacks": [*arguments["callbacks"], StopTogether()]}
    except _LOST as error:
        raise RuntimeError(
            "another worker has gone: its process was stopped, or its machine or the network "
            "failed. Start all workers again; with a Checkpoint among the callbacks they continue "
            f"where it was last written. (TensorFlow said: {type(error).__name__})"
        ) from error


_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)


def _several_workers(strategy: Any) -> bool:
    return strategy.cluster_resolver is not None
