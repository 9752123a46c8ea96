"""Where a lesson runs: profile, device, seeds, precision, on one machine or several.

A lesson begins with :func:`by_profile` in its parameters cell and :func:`start` in its
set-up cell, where :func:`strategy` stands too if the lesson can train on several GPUs or
machines; everything else here serves those three.
"""

import contextlib
import os
import pathlib
import platform
from collections.abc import Iterator
from typing import Any, Literal, get_args

import psutil

from helpers import checks, files
from helpers.files import is_chief
from helpers.waiting import cores

PROFILES = ("smoke", "quick", "full")

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
Device = Literal["auto", "cpu", "gpu"]
Strategy = Literal["auto", "none", "mirrored", "workers"]


def gpus() -> list[str]:
    """Names of the GPUs that TensorFlow can use, for instance ``['/physical_device:GPU:0']``."""
    from helpers._backend import tf

    return [device.name for device in tf.config.list_physical_devices("GPU")]


def profile() -> str:
    """The profile that the lessons run in: ``"smoke"``, ``"quick"`` or ``"full"``.

    The environment variable ``GAN_PROFILE`` decides. Without it, the profile is ``full``
    where TensorFlow finds a GPU and ``quick`` elsewhere.

    Raises:
        ValueError: ``GAN_PROFILE`` names no profile.
    """
    chosen = os.environ.get("GAN_PROFILE", "").strip().lower()
    if not chosen:
        return "full" if gpus() else "quick"
    if chosen not in PROFILES:
        raise ValueError(
            f"GAN_PROFILE is {chosen!r}, which is no profile. "
            f"Set it to one of {', '.join(PROFILES)}, or unset it."
        )
    return chosen


def by_profile(*, smoke: Any, quick: Any, full: Any) -> Any:
    """The value for the profile in force, with the other profiles' values in plain sight.

    Example:
        >>> EPOCHS = by_profile(smoke=1, quick=8, full=60)
    """
    return {"smoke": smoke, "quick": quick, "full": full}[profile()]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and Keras, so that initial weights are the same in every run."""
    from helpers._backend import keras

    keras.utils.set_random_seed(seed)


def processor_gains_from_bfloat16() -> bool:
    """Whether half-precision arithmetic (bfloat16) is faster than float32 on this machine.

    True on GPUs of compute capability 8.0 and above, and on processors that multiply
    bfloat16 matrices in hardware (AMX). Elsewhere the conversions eat most of the gain: with
    AVX512-BF16 alone, lesson 1 trained about a tenth faster (``benchmarks/training.py``
    measures it), too little to give up precision for.
    """
    from helpers._backend import tf

    for device in tf.config.list_physical_devices("GPU"):
        capability = tf.config.experimental.get_device_details(device).get("compute_capability")
        return capability is not None and capability >= (8, 0)
    return "amx_bf16" in _processor_flags()


def set_precision(precision: Precision = "auto") -> str:
    """Choose the arithmetic of the layers built from now on, and return its Keras name.

    Args:
        precision: ``"float32"``; ``"mixed_bfloat16"`` (weights float32, arithmetic
            bfloat16); ``"mixed_float16"``, for GPUs older than 2020, which have no bfloat16
            (our models scale their losses, since small numbers become 0 in float16); or
            ``"auto"``: bfloat16 only where :func:`processor_gains_from_bfloat16`.

    Raises:
        ValueError: another name.
    """
    from helpers._backend import keras

    if precision == "auto":
        precision = "mixed_bfloat16" if processor_gains_from_bfloat16() else "float32"
    checks.choice("PRECISION", precision, get_args(Precision))
    keras.config.set_dtype_policy(precision)
    return precision


def start(*, seed: int = 0, precision: Precision = "float32", device: Device = "auto") -> None:
    """Prepare a lesson: choose device and precision, seed everything, print the report.

    Args:
        seed: for weights and noise.
        precision: see :func:`set_precision`.
        device: ``"auto"`` uses a GPU if there is one, ``"gpu"`` insists on one,
            ``"cpu"`` hides it.

    Raises:
        RuntimeError: ``device="gpu"`` and TensorFlow finds none.
        ValueError: an unknown device, precision or profile.
    """
    choose_device(device)
    set_graph_optimizer(on=profile() != "smoke")  # of a few steps it costs more than it saves
    policy = set_precision(precision)
    seed_everything(seed)
    print(report(policy))


def choose_device(device: Device = "auto") -> None:
    """See :func:`start`; call it before the first network is built."""
    from helpers._backend import tf

    checks.choice("DEVICE", device, get_args(Device))
    if device == "gpu" and not gpus():
        raise RuntimeError(
            "DEVICE is 'gpu', but TensorFlow finds no GPU. In Colab: Runtime > Change runtime "
            "type > GPU. On your own Linux machine: pip install 'tensorflow[and-cuda]' and "
            "check that nvidia-smi lists the card. Or set DEVICE = 'auto'."
        )
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")


def set_graph_optimizer(*, on: bool) -> None:
    """Whether TensorFlow rewrites each compiled step to run faster (part of a second each)."""
    from helpers._backend import tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": not on})


def strategy(kind: Strategy = "auto", *, logical_cpus: int | None = None) -> Any:
    """How training is spread: over nothing, the GPUs of this machine, or several machines.

    Networks are built and compiled ``with strategy.scope():``; all else in a lesson stays as
    it is. The batch size is that of all replicas together: each gets its part of every
    batch, and its own noise. To be called before TensorFlow has computed anything, best
    right after :func:`start`.

    For several machines run the same program on each, with the environment variable
    ``TF_CONFIG`` saying who takes part and which one this is (task index 0 is the chief,
    which alone writes; see :func:`is_chief`)::

        TF_CONFIG='{"cluster": {"worker": ["10.0.0.4:2222", "10.0.0.5:2222"]},
                    "task": {"type": "worker", "index": 0}}'

    Args:
        kind: ``"none"``; ``"mirrored"``: the GPUs of this machine; ``"workers"``: the machines
            in ``TF_CONFIG``, with all their GPUs; ``"auto"``: workers if ``TF_CONFIG`` is
            set, else mirrored if there are several GPUs or ``logical_cpus``, else none.
        logical_cpus: act as if this machine had so many processors, and spread over them: to
            try a strategy without GPUs. Nothing becomes faster.

    Returns:
        A ``tf.distribute.Strategy``.

    Raises:
        ValueError: an unknown kind; nothing to spread over; a ``TF_CONFIG`` with a mistake.
        RuntimeError: TensorFlow has computed something already.
    """
    from helpers._backend import tf

    checks.choice("STRATEGY", kind, get_args(Strategy))
    visible = tf.config.get_visible_devices("GPU")
    if kind == "auto":
        several = len(visible) > 1 or logical_cpus is not None
        kind = "workers" if files.tf_config() else "mirrored" if several else "none"
    if kind == "none":
        return tf.distribute.get_strategy()
    if kind == "workers":
        return _workers()
    if logical_cpus is None and not visible:
        raise ValueError(
            "STRATEGY is 'mirrored', but TensorFlow finds no GPU to spread over. Set it to "
            "'none', or try it out on this processor with logical_cpus=2."
        )
    return _mirrored(logical_cpus)


def _mirrored(logical_cpus: int | None) -> Any:
    from helpers._backend import tf

    devices = None
    if logical_cpus is not None:
        checks.whole("logical_cpus", logical_cpus)
        cpu = tf.config.list_physical_devices("CPU")[0]
        made = tf.config.get_logical_device_configuration(cpu)
        if made is None or len(made) != logical_cpus:
            one = tf.config.LogicalDeviceConfiguration()
            with _as_the_first():
                tf.config.set_logical_device_configuration(cpu, [one] * logical_cpus)
        devices = [f"CPU:{i}" for i in range(logical_cpus)]
    made = tf.distribute.MirroredStrategy(devices)
    print(f"strategy   mirrored: each batch is split among {made.num_replicas_in_sync} replicas")
    return made


def _workers() -> Any:
    from helpers._backend import tf

    config = files.tf_config()
    if not config:
        raise ValueError(
            "STRATEGY is 'workers', but the environment variable TF_CONFIG is not set, which "
            "says who takes part. Set it on every machine, or try `make run-distributed`."
        )
    (kind, index), cluster = files.task(config), config["cluster"]
    machines = [machine for tasks in cluster.values() for machine in tasks]
    print(
        f"strategy   {kind} {index} of {len(machines)} workers; waiting until all are there: "
        + ", ".join(machines),
        flush=True,
    )
    with _as_the_first():
        made = tf.distribute.MultiWorkerMirroredStrategy()
    writes = "writes" if is_chief() else "leaves writing to the chief"
    print(f"strategy   {made.num_replicas_in_sync} replicas in all; this worker {writes}")
    return made


@contextlib.contextmanager
def _as_the_first() -> Iterator[None]:
    """For what TensorFlow allows only before it has computed anything."""
    try:
        yield
    except RuntimeError as error:
        raise RuntimeError(
            "runtime.strategy comes too late: TensorFlow has computed something already. "
            f"Restart the kernel (or the program) and call it first. ({error})"
        ) from error


def report(policy: str | None = None) -> str:
    """A few lines on what this machine is and what the lesson will use of it."""
    from helpers._backend import keras, tf

    devices = [d.name.split(":", 1)[1] for d in tf.config.get_visible_devices("GPU")]
    memory = psutil.virtual_memory()
    lines = {
        "profile": f"{profile()} (of {', '.join(PROFILES)}; set GAN_PROFILE to choose)",
        "device": ", ".join(devices) if devices else f"no GPU: training on {cores()} CPU cores",
        "memory": f"{memory.available / 2**30:.0f} of {memory.total / 2**30:.0f} GiB free",
        "precision": policy or keras.config.dtype_policy().name,
        "software": f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}",
    }
    return "\n".join(f"{name:<10} {value}" for name, value in lines.items())


def peak_memory() -> float:
    """The most memory this process has held so far, in GiB (resident set)."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return float(info.peak_wset) / 2**30
    import resource

    unit = 1 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def _processor_flags() -> set[str]:
    """Instruction sets of the processor, as Linux names them; empty elsewhere."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return set()
    for line in cpuinfo.read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()
