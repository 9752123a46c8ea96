"""Two replicas train as one does, whether GPUs of one machine or workers; what happens on loss."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import run_distributed
import trained_by_two as two
import trained_in_pieces as pieces

SLOW = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in ("ConditionalGAN", "VAE", "VAEGAN", "CycleGAN")
]


def start(root, *arguments, **environment):
    """A process of trained_by_two.py."""
    return subprocess.Popen(
        [sys.executable, str(root / "tests" / "trained_by_two.py"), *map(str, arguments)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process):
    """What a process printed, once it has ended well."""
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed[-3000:]
    return printed


def start_two(root, what, folder):
    """Both workers."""
    both = run_distributed.environments(2, run_distributed.free_ports(2))
    return [start(root, what, folder, **environment) for environment in both]


def read(folder, what):
    with np.load(folder / f"{what}.npz") as found:
        return {name: found[name] for name in found.files}


# --- replicas of one machine ---------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    """``trained(model)``: one replica's losses and weights, and two replicas'."""
    folder = tmp_path_factory.mktemp("mirrored")

    def trained(name):
        finished(start(root, "mirrored", folder, name))
        return read(folder, f"{name}-alone"), read(folder, f"{name}-together")

    return trained


@pytest.fixture(scope="module")
def gan_trained(trained):
    return trained("GAN")


@pytest.fixture(scope="module")
def details(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("details")
    finished(start(root, "details", folder))
    return lambda what: read(folder, what)


def assert_trained_alike(alone, replicas):
    """The losses of each step and all weights are one replica's, but for rounding."""
    assert np.ptp(alone["losses"], axis=0).max() > 1e-3
    np.testing.assert_allclose(replicas["losses"], alone["losses"], rtol=1e-4, atol=1e-5)
    for weights in replicas["weights"]:
        np.testing.assert_allclose(weights, alone["weights"][0], atol=1e-5)


def test_two_replicas_train_a_gan_as_one_does(gan_trained):
    alone, together = gan_trained
    assert_trained_alike(alone, together)
    np.testing.assert_array_equal(*together["weights"])


@pytest.mark.parametrize("name", ["WassersteinGAN", *SLOW])
def test_two_replicas_train_every_other_model_as_one_does(trained, name):
    alone, together = trained(name)
    assert_trained_alike(alone, together)
    np.testing.assert_array_equal(*together["weights"])


def test_dropout_differs_on_replicas_and_from_call_to_call_but_not_from_run_to_run(details):
    found = details("dropped")
    np.testing.assert_array_equal(found["first"], found["again"])
    masks = found["first"] > 0
    for one, other in [(masks[0, 0], masks[1, 0]), (masks[0, 1], masks[1, 1]), masks[0]]:
        assert 0.3 < (one == other).mean() < 0.8  # 0.58 for chance alone, at a rate of 0.3


def test_two_replicas_continue_what_one_began(details):
    found = details("more")
    for replica in found["before"]:
        np.testing.assert_array_equal(replica, found["alone"][0])
    np.testing.assert_array_equal(*found["after"])
    assert (found["before"] != found["after"]).mean() > 0.9
    assert np.isfinite(found["after"]).all()


def test_two_replicas_train_in_float16(details):
    found = details("half")
    assert np.isfinite(found["after"]).all()
    assert (found["before"] != found["after"]).mean() > 0.9
    np.testing.assert_array_equal(*found["after"])
    assert (found["scales"] > 1).all()


def test_generate_under_a_strategy_is_what_the_sampler_draws(details):
    found = details("generated")
    np.testing.assert_allclose(found["generate"], found["sampler"], atol=1e-6)


# --- workers -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workers(root, tmp_path_factory):
    """What two workers found: each its own, an unbroken training, and one of which half is killed.

    The folder, what the one left printed after the other was killed, and what both printed
    when they continued. That the one left ends at all is found by waiting for it.
    """
    folder = tmp_path_factory.mktemp("workers")
    chief, other = start_two(root, "workers", folder)
    printed_by_other, _ = other.communicate(timeout=300)
    assert other.returncode == -signal.SIGKILL, printed_by_other[-3000:]
    printed, _ = chief.communicate(timeout=300)
    assert chief.returncode == 1, printed[-3000:]
    continued = [finished(process) for process in start_two(root, "continued", folder)]
    return folder, printed, continued


@pytest.mark.parametrize("worker", [0, 1])
def test_two_workers_train_as_one_replica_does(gan_trained, workers, worker):
    assert_trained_alike(gan_trained[0], read(workers[0], f"worker-{worker}"))


def test_workers_drop_what_replicas_of_one_machine_drop(details, workers):
    of_workers = [read(workers[0], f"worker-{worker}")["dropped"][0] for worker in (0, 1)]
    np.testing.assert_array_equal(of_workers, details("dropped")["first"])


def test_workers_that_begin_differently_are_refused(workers):
    for worker in (0, 1):
        said = str(read(workers[0], f"worker-{worker}")["refused"])
        assert "the workers begin with seed 0, 1" in said


def test_when_the_time_of_one_worker_is_over_all_stop_after_the_same_step(workers):
    assert [int(read(workers[0], f"worker-{worker}")["stopped"]) for worker in (0, 1)] == [1, 1]


def test_when_one_worker_is_told_to_stop_both_write_leave_and_continue_to_the_last_bit(workers):
    for worker in (0, 1):
        interrupted, unbroken = (
            read(workers[0], f"{what}-{worker}") for what in ("interrupted", "unbroken")
        )
        assert interrupted.pop("status") == 128 + signal.SIGTERM
        for name, numbers in unbroken.items():
            np.testing.assert_array_equal(interrupted[name], numbers, err_msg=name)


def test_when_a_worker_is_killed_the_other_says_so_and_ends(workers):
    _, printed, _ = workers
    last = printed.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: another worker has gone")
    assert "Start all workers again" in last


def test_after_that_both_continue_from_the_checkpoint_to_the_last_bit(workers):
    folder, _, continued = workers
    assert all(f"Continuing at step {two.KILLED_AT}" in printed for printed in continued)
    for worker in (0, 1):
        unbroken, killed = (read(folder, f"{what}-{worker}") for what in ("unbroken", "killed"))
        assert len(unbroken["losses"]) == 2 * pieces.STEPS
        for name, numbers in unbroken.items():
            np.testing.assert_array_equal(killed[name], numbers, err_msg=name)


def test_only_the_chief_writes_checkpoints(workers):
    names = {file.name for file in (workers[0] / "killed").iterdir()}
    assert names == {"checkpoint.npz", "checkpoint.before.npz"}


# --- the launcher --------------------------------------------------------------------------


def test_each_worker_gets_the_same_cluster_and_its_own_number(monkeypatch):
    from helpers import files

    both = run_distributed.environments(2, [5001, 5002])
    chiefs = []
    for index, environment in enumerate(both):
        monkeypatch.setenv("TF_CONFIG", environment["TF_CONFIG"])
        config = files.tf_config()
        assert config["cluster"] == {"worker": ["127.0.0.1:5001", "127.0.0.1:5002"]}
        assert config["task"]["index"] == index
        chiefs.append(files.is_chief())
    assert chiefs == [True, False]


def test_free_ports_are_different_and_can_be_listened_on():
    import socket

    ports = run_distributed.free_ports(3)
    assert len(set(ports)) == 3
    with socket.socket() as one:
        one.bind(("127.0.0.1", ports[0]))


def test_a_notebook_runs_through_run_lessons_each_worker_with_its_own_copy(tmp_path):
    notebook = tmp_path / "lesson.ipynb"
    notebook.touch()
    first, second = run_distributed.commands([str(notebook), "--profile", "smoke"], 2)
    assert first[1].endswith("run_lessons.py")
    assert first[2:5] == [str(notebook), "--profile", "smoke"]
    assert first[:-1] == second[:-1]
    assert first[-1] != second[-1]


def test_without_a_program_it_is_lesson_2_that_runs():
    first, second = run_distributed.commands([], 2)
    assert first[1].endswith("run_lessons.py")
    assert first[2].endswith("02_dcgan_celeba.ipynb")
    assert run_distributed.LESSON.is_file()
    assert first[-1] != second[-1]


def test_a_program_that_does_not_exist_is_refused(capsys):
    assert run_distributed.main(["nowhere.py"]) == 2
    assert "no program nowhere.py" in capsys.readouterr().err


WORKER = """
import json, os, sys, time
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
print("I am", index, *sys.argv[1:])
if sys.argv[1] == "fail" and index == 1:
    sys.exit(3)
if sys.argv[1] == "fail":
    time.sleep(600)
"""


def test_lines_carry_the_workers_number_and_success_is_0(tmp_path, capfd):
    program = tmp_path / "program.py"
    program.write_text(WORKER)
    assert run_distributed.main(["--workers", "2", str(program), "word"]) == 0
    assert sorted(capfd.readouterr().out.split("\n")[:-1]) == ["[0] I am 0 word", "[1] I am 1 word"]


def test_a_worker_that_does_not_end_after_anothers_failure_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(run_distributed, "PATIENCE", 0.2)
    program = tmp_path / "program.py"
    program.write_text(WORKER)
    assert run_distributed.main([str(program), "fail"]) == 3
