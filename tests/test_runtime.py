"""Profile, device, precision and seeds: what is asked for is what is used, or an error."""

import pathlib
import random
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from helpers import runtime
from helpers._backend import keras, tf

GPU = SimpleNamespace(name="/physical_device:GPU:0", device_type="GPU")


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine: ``machine(gpu_capability=..., flags=...)``."""

    def pretend(*, gpu_capability=None, flags=()):
        found = [] if gpu_capability is None else [GPU]
        details = {"compute_capability": gpu_capability} if gpu_capability else {}
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: found)
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: found)
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
        monkeypatch.setattr(runtime, "_processor_flags", lambda: set(flags))

    return pretend


@pytest.mark.parametrize("name", ["smoke", "quick", "full"])
@pytest.mark.parametrize("spelling", [str, str.upper, " {} ".format])
def test_gan_profile_decides(monkeypatch, name, spelling):
    monkeypatch.setenv("GAN_PROFILE", spelling(name))
    assert runtime.profile() == name
    assert runtime.by_profile(smoke="smoke", quick="quick", full="full") == name


@pytest.mark.parametrize(("gpu_capability", "expected"), [(None, "quick"), ((8, 0), "full")])
@pytest.mark.parametrize("unset", [None, "", " "])
def test_without_gan_profile_the_gpu_decides(machine, monkeypatch, gpu_capability, expected, unset):
    machine(gpu_capability=gpu_capability)
    if unset is not None:
        monkeypatch.setenv("GAN_PROFILE", unset)
    assert runtime.profile() == expected
    assert runtime.by_profile(smoke=1, quick=2, full=3) == (3 if gpu_capability else 2)


def test_a_profile_that_does_not_exist_is_refused_by_name(monkeypatch):
    monkeypatch.setenv("GAN_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"GAN_PROFILE is 'fast'.*smoke, quick, full, or unset it"):
        runtime.by_profile(smoke=1, quick=2, full=3)


@pytest.mark.parametrize(
    ("gpu_capability", "flags", "gains"),
    [
        (None, {"amx_bf16", "avx512_bf16"}, True),
        (None, {"avx512_bf16", "avx2"}, False),
        (None, (), False),
        ((8, 0), (), True),
        ((9, 0), (), True),
        ((7, 5), {"amx_bf16"}, False),
        ((), {"amx_bf16"}, False),  # a GPU that does not tell its capability
    ],
)
def test_auto_precision_is_bfloat16_only_where_the_processor_gains(
    machine, precision, gpu_capability, flags, gains
):
    machine(gpu_capability=gpu_capability, flags=flags)
    expected = "mixed_bfloat16" if gains else "float32"
    assert runtime.processor_gains_from_bfloat16() is gains
    assert runtime.set_precision("auto") == expected
    assert keras.config.dtype_policy().name == expected
    assert keras.layers.Dense(1).compute_dtype == ("bfloat16" if gains else "float32")


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16"])
def test_the_precision_asked_for_is_set(precision, name):
    assert runtime.set_precision(name) == name
    assert keras.config.dtype_policy().name == name


@pytest.mark.parametrize("name", ["float16", "mixed_float16", "bf16", None])
def test_another_precision_is_refused_and_nothing_set(precision, name):
    with pytest.raises(ValueError, match=r"PRECISION is .*'auto', 'float32' or 'mixed_bfloat16'"):
        runtime.set_precision(name)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("cpuinfo", "flags"),
    [
        ("processor\t: 0\nflags\t\t: fpu amx_bf16\nbugs\t: none\n", {"fpu", "amx_bf16"}),
        ("processor\t: 0\nFeatures\t: fp asimd\n", set()),
        (None, set()),
    ],
)
def test_processor_flags_are_those_that_linux_lists(monkeypatch, cpuinfo, flags):
    monkeypatch.setattr(pathlib.Path, "exists", lambda self: cpuinfo is not None)
    monkeypatch.setattr(pathlib.Path, "read_text", lambda self: cpuinfo)
    assert runtime._processor_flags() == flags


def test_a_gpu_asked_for_and_not_there_is_an_error_with_the_mend(machine):
    machine()
    mend = r"DEVICE is 'gpu', but TensorFlow finds no GPU.*Change runtime.*DEVICE = 'auto'"
    with pytest.raises(RuntimeError, match=mend):
        runtime.start(device="gpu")


@pytest.mark.parametrize(("device", "hidden"), [("cpu", [([], "GPU")]), ("gpu", []), ("auto", [])])
def test_only_device_cpu_hides_the_gpu(machine, monkeypatch, device, hidden):
    machine(gpu_capability=(8, 0))
    calls = []
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda *a: calls.append(a))
    runtime.choose_device(device)
    assert calls == hidden


def test_an_unknown_device_is_refused_by_name():
    with pytest.raises(ValueError, match=r"DEVICE is 'tpu'.*'auto', 'cpu' or 'gpu'"):
        runtime.choose_device("tpu")


def test_a_seed_makes_python_numpy_and_initial_weights_the_same():
    def draws(seed):
        runtime.seed_everything(seed)
        weights = keras.layers.Dense(3)
        weights.build((None, 4))
        legacy = np.random.random()  # noqa: NPY002 (the generator that Keras seeds)
        return random.random(), legacy, *weights.kernel.numpy().ravel()

    assert draws(1) == draws(1)
    assert not set(draws(1)) & set(draws(2))


@pytest.mark.parametrize(
    ("gpu_capability", "device"), [(None, "no GPU: training on "), ((8, 0), "physical_device")]
)
def test_start_reports_profile_device_memory_precision_and_versions(
    machine, monkeypatch, capsys, precision, gpu_capability, device
):
    machine(gpu_capability=gpu_capability)
    monkeypatch.setenv("GAN_PROFILE", "smoke")
    runtime.start(seed=1, precision="mixed_bfloat16")
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert set(lines) == {"profile", "device", "memory", "precision", "software"}
    assert lines["profile"].startswith("smoke")
    assert ("GPU:0" if gpu_capability else device) in lines["device"]
    assert lines["precision"] == "mixed_bfloat16"
    assert f"TensorFlow {tf.__version__}, Keras {keras.__version__}" in lines["software"]
    free, total = (float(n) for n in lines["memory"].split(" GiB")[0].split(" of "))
    assert 0 <= free <= total


def test_start_seeds_and_by_default_keeps_full_precision(capsys, precision):
    precision("mixed_bfloat16")
    drawn = set()
    for _ in range(2):
        runtime.start(seed=5)
        drawn.add(random.random())
    assert len(drawn) == 1
    assert keras.config.dtype_policy().name == "float32"


def test_peak_memory_is_in_gib_and_no_less_than_what_is_in_use():
    used = psutil.Process().memory_info().rss / 2**30
    assert used * 0.99 <= runtime.peak_memory() < psutil.virtual_memory().total / 2**30
