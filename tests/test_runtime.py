"""Profile, device, precision, seeds, strategy: what is asked for is what is used, or an error."""

import json
import pathlib
import random
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from helpers import runtime
from helpers._backend import keras, tf

GPU = SimpleNamespace(name="/physical_device:GPU:0", device_type="GPU")


@pytest.fixture(autouse=True)
def graphs_as_ever():
    yield
    runtime.set_graph_optimizer(on=True)  # as it is where no lesson was started


@pytest.fixture
def machine(monkeypatch):
    """Pretend to be a machine: ``machine(gpu_capability=..., flags=...)``."""

    def pretend(*, gpu_capability=None, flags=(), gpus=1):
        found = [] if gpu_capability is None else [GPU] * gpus
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


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_the_precision_asked_for_is_set(precision, name):
    assert runtime.set_precision(name) == name
    assert keras.config.dtype_policy().name == name


@pytest.mark.parametrize("name", ["float16", "bf16", None])
def test_another_precision_is_refused_and_nothing_set(precision, name):
    with pytest.raises(ValueError, match=r"PRECISION is .*auto, float32, mixed_bfloat16, mixed_fl"):
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
    with pytest.raises(ValueError, match=r"DEVICE is 'tpu'.*auto, cpu, gpu"):
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


@pytest.mark.parametrize(("profile", "off"), [("smoke", True), ("quick", False), ("full", False)])
def test_only_the_smoke_profile_leaves_graphs_as_they_are(monkeypatch, capsys, profile, off):
    monkeypatch.setenv("GAN_PROFILE", profile)
    runtime.set_graph_optimizer(on=off)  # the other way round
    runtime.start()
    assert tf.config.optimizer.get_experimental_options()["disable_meta_optimizer"] == off


def test_peak_memory_is_in_gib_and_no_less_than_what_is_in_use():
    used = psutil.Process().memory_info().rss / 2**30
    assert used * 0.99 <= runtime.peak_memory() < psutil.virtual_memory().total / 2**30


# --- strategy; what it does to training is in test_distributed.py -----------------------------


def tf_config(index=0, kind="worker", **cluster):
    cluster = cluster or {"worker": ["machine-a:1", "machine-b:2"]}
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.fixture
def chosen(machine, monkeypatch):
    """Which strategy would be made: ``chosen(kind, ...)`` on a machine with so many GPUs."""

    def choose(kind="auto", *, gpus=0, config="", **options):
        machine(gpu_capability=(8, 0) if gpus else None, gpus=gpus)
        monkeypatch.setenv("TF_CONFIG", config)
        monkeypatch.setattr(runtime, "_mirrored", lambda cpus: ("mirrored", cpus))
        monkeypatch.setattr(runtime, "_workers", lambda: "workers")
        return runtime.strategy(kind, **options)

    return choose


def test_auto_takes_workers_for_tf_config_then_several_gpus_then_nothing(chosen):
    assert chosen(gpus=2, config=tf_config()) == "workers"
    assert chosen(gpus=2) == ("mirrored", None)
    assert chosen(gpus=0, logical_cpus=3) == ("mirrored", 3)
    for gpus in (0, 1):
        assert chosen(gpus=gpus) is tf.distribute.get_strategy()


def test_the_strategy_asked_for_is_the_one_made(chosen):
    assert chosen("none", gpus=2, config=tf_config()) is tf.distribute.get_strategy()
    assert chosen("mirrored", gpus=1, config=tf_config()) == ("mirrored", None)
    assert chosen("workers", config=tf_config()) == "workers"


def test_without_a_strategy_networks_are_built_as_ever():
    with runtime.strategy("none").scope():
        layer = keras.layers.Dense(1)
        layer.build((None, 2))
    assert layer.kernel.shape == (2, 1)


def test_a_strategy_that_cannot_be_is_refused_with_the_mend(chosen):
    with pytest.raises(ValueError, match=r"STRATEGY is 'many'.*auto, none, mirrored, workers"):
        chosen("many")
    with pytest.raises(ValueError, match=r"no GPU to spread over.*logical_cpus=2"):
        chosen("mirrored")


def test_workers_without_tf_config_are_refused_with_the_mend(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", " ")
    with pytest.raises(ValueError, match=r"TF_CONFIG is not set.*make run-distributed"):
        runtime.strategy("workers")


@pytest.mark.parametrize("cpus", [0, -1, 1.5])
def test_logical_cpus_are_a_whole_number(cpus):
    with pytest.raises(ValueError, match="logical_cpus"):
        runtime.strategy("mirrored", logical_cpus=cpus)


def test_a_strategy_that_comes_too_late_says_so():
    tf.zeros(()).numpy()  # TensorFlow has begun
    with pytest.raises(RuntimeError, match=r"comes too late.*Restart the kernel"):
        runtime.strategy("mirrored", logical_cpus=2)


def test_who_the_chief_is_can_be_asked_here(monkeypatch):
    for index in (0, 1):
        monkeypatch.setenv("TF_CONFIG", tf_config(index))
        assert runtime.is_chief() is (index == 0)


# --- float16 ----------------------------------------------------------------------------------


def test_in_float16_both_losses_are_scaled_and_last_layers_stay_float32(precision):
    from helpers import gans, models

    precision("mixed_float16")
    gan = gans.GAN(models.digit_generator(), models.digit_discriminator())
    gan.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    for optimizer in gan.optimizers().values():
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    for network in (gan.generator, gan.discriminator):
        assert network.layers[0].compute_dtype == "float16"
        assert network.layers[-1].compute_dtype == "float32"


@pytest.mark.parametrize("name", ["mixed_bfloat16", "mixed_float16"])
def test_in_half_precision_training_keeps_to_float32(precision, build, pictures, name):
    """The same losses within what half precision rounds, and lengths of gradients not scaled."""

    def trained(policy):
        precision(policy)
        gan = build.gan(g_rate=0.05, d_rate=0.05, ema_decay=0)
        return [gan.train_step(pictures) for _ in range(5)]

    for half, full in zip(trained(name), trained("float32"), strict=True):
        for key in ("d_loss", "g_loss", "d_gradient", "g_gradient"):
            assert float(half[key]) == pytest.approx(float(full[key]), rel=0.05), key
