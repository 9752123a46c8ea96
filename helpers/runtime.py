"""Where a lesson runs: profile, device, seeds, precision.

A lesson begins with :func:`by_profile` in its parameters cell and :func:`start` in its
set-up cell; everything else here serves those two.
"""

import os
import pathlib
import platform
from typing import Any, Literal

import psutil

PROFILES = ("smoke", "quick", "full")

Precision = Literal["auto", "float32", "mixed_bfloat16"]
Device = Literal["auto", "cpu", "gpu"]


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
    AVX512-BF16 alone, lesson 1 trained about a tenth faster (``benchmarks/training_speed.py``
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
        precision: ``"float32"``, ``"mixed_bfloat16"`` (weights float32, arithmetic
            bfloat16), or ``"auto"``: bfloat16 only where
            :func:`processor_gains_from_bfloat16`.

    Raises:
        ValueError: another name.
    """
    from helpers._backend import keras

    if precision == "auto":
        precision = "mixed_bfloat16" if processor_gains_from_bfloat16() else "float32"
    if precision not in ("float32", "mixed_bfloat16"):
        raise ValueError(
            f"PRECISION is {precision!r}; it must be 'auto', 'float32' or 'mixed_bfloat16'."
        )
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
    policy = set_precision(precision)
    seed_everything(seed)
    print(report(policy))


def choose_device(device: Device = "auto") -> None:
    """See :func:`start`; call it before the first network is built."""
    from helpers._backend import tf

    if device not in ("auto", "cpu", "gpu"):
        raise ValueError(f"DEVICE is {device!r}; it must be 'auto', 'cpu' or 'gpu'.")
    if device == "gpu" and not gpus():
        raise RuntimeError(
            "DEVICE is 'gpu', but TensorFlow finds no GPU. In Colab: Runtime > Change runtime "
            "type > GPU. On your own Linux machine: pip install 'tensorflow[and-cuda]' and "
            "check that nvidia-smi lists the card. Or set DEVICE = 'auto'."
        )
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")


def report(policy: str | None = None) -> str:
    """A few lines on what this machine is and what the lesson will use of it."""
    from helpers._backend import keras, tf

    devices = [d.name.split(":", 1)[1] for d in tf.config.get_visible_devices("GPU")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory()
    lines = {
        "profile": f"{profile()} (of {', '.join(PROFILES)}; set GAN_PROFILE to choose)",
        "device": ", ".join(devices) if devices else f"no GPU: training on {cores} CPU cores",
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
