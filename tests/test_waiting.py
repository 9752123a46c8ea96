"""The line of progress, and one process at a time."""

import subprocess
import sys
import threading
import time

import pytest

from helpers.waiting import Progress, alone


def test_progress_tells_how_far_how_fast_and_how_long_and_is_silent_when_short(clock, capsys):
    progress = Progress("preparing", 100)
    clock.now += 1
    progress.show(90)
    assert capsys.readouterr().out == "", "what takes under two seconds is not worth a line"
    progress.end()
    assert capsys.readouterr().out == ""
    progress = Progress("preparing", 100, done=20)
    clock.now += 10
    progress.show(20)
    assert capsys.readouterr().out == "", "nothing to tell the speed from"
    progress.show(40)
    assert capsys.readouterr().out.rstrip() == "\rpreparing: 40 of 100, 2/s, 0:30 left"
    clock.now += 0.1
    progress.show(41)
    assert capsys.readouterr().out == "", "not more often than one can read"
    clock.now += 10
    progress.end()
    assert capsys.readouterr().out.split() == ["preparing:", "done", "in", "20", "s"]


def test_progress_of_bytes_is_told_in_megabytes(clock, capsys):
    progress = Progress("faces.zip", 500_000_000, 100_000_000, unit="MB")
    clock.now += 10
    progress.show(200_000_000)
    line = "\rfaces.zip: 200.0 of 500.0 MB, 10.0 MB/s, 0:30 left"
    assert capsys.readouterr().out.rstrip() == line


def test_progress_without_a_known_total_tells_what_has_come(clock, capsys):
    progress = Progress("faces.zip", None, unit="MB")
    clock.now += 3
    progress.show(30_000_000)
    assert capsys.readouterr().out.rstrip() == "\rfaces.zip: 30.0 MB, 10.0 MB/s"


def test_a_second_process_waits_and_says_so(tmp_path, root):
    file = tmp_path / "set.lock"
    code = (
        "import pathlib, sys; from helpers.waiting import alone\n"
        "with alone(pathlib.Path(sys.argv[1]), 'drawing faces'): print('mine', flush=True)"
    )
    with alone(file, "drawing faces"):
        second = subprocess.Popen(
            [sys.executable, "-c", code, file], cwd=root, stdout=subprocess.PIPE, text=True
        )
        said = second.stdout.readline()
        assert said == "Another process is drawing faces; waiting for it …\n"
        time.sleep(0.5)
        assert second.poll() is None
    assert second.communicate(timeout=30)[0] == "mine\n"


def test_the_lock_is_free_after_its_holder_was_killed(tmp_path, root):
    file = tmp_path / "set.lock"
    code = (
        "import pathlib, sys, time; from helpers.waiting import alone\n"
        "with alone(pathlib.Path(sys.argv[1]), 'x'): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, file], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    holder.communicate()
    free = threading.Event()

    def take():
        with alone(file, "x"):
            free.set()

    threading.Thread(target=take, daemon=True).start()
    assert free.wait(20)


def test_the_lock_is_given_back_after_an_error(tmp_path):
    with pytest.raises(KeyError), alone(tmp_path / "set.lock", "x"):
        raise KeyError
    with alone(tmp_path / "set.lock", "x"):
        pass
