"""Archives give back what was put in, notice every damage, and are never half-written."""

import errno
import io
import os

import numpy as np
import pytest

from helpers import archives
from helpers._backend import tf

STATE = {
    "step": 700,
    "big": 2**60,
    "scores": [[100, 3.25], [200, float("inf")]],
    "nothing": None,
    "weights": {"a": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array(7, np.int64)]},
    "empty": np.zeros((0, 4)),
}


def packed(state):
    file = io.BytesIO()
    np.savez(file, **archives.pack(state))
    return file.getvalue()


def test_a_state_comes_back_as_it_was():
    state = archives.unpack(packed(STATE))
    weights, empty = state.pop("weights")["a"], state.pop("empty")
    assert state == {k: v for k, v in STATE.items() if k not in ("weights", "empty")}
    for mine, theirs in zip(
        [*weights, empty], [*STATE["weights"]["a"], STATE["empty"]], strict=True
    ):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)


def test_floats_keep_their_last_bit_and_tuples_become_lists():
    value = 0.1 + 0.2
    state = archives.unpack(packed({"a": (value, np.float32(value)), "nan": float("nan")}))
    assert state["a"] == [value, float(np.float32(value))]
    assert np.isnan(state["nan"])


def test_bfloat16_comes_back():
    numbers = tf.constant([1.5, -2.0], tf.bfloat16).numpy()
    (found,) = archives.unpack(packed({"a": [numbers]}))["a"]
    assert found.dtype == numbers.dtype
    np.testing.assert_array_equal(found, numbers)


def test_nothing_is_pickled():
    for wrong in ({"a": np.array([object()])}, {"a": object()}):
        with pytest.raises(TypeError):
            archives.pack(wrong)
    file = io.BytesIO()
    np.savez(file, json=np.array([{}], dtype=object))
    with pytest.raises(archives.DamagedError):
        archives.unpack(file.getvalue())


def test_a_changed_byte_anywhere_is_noticed_or_changes_nothing():
    content = packed(STATE)
    noticed = 0
    for at in range(0, len(content), 3):
        changed = bytearray(content)
        changed[at] ^= 0x41
        try:
            state = archives.unpack(bytes(changed))
        except archives.DamagedError:
            noticed += 1
        else:  # a byte that does not matter, such as a date
            assert packed(state)[:8] == content[:8]
            assert np.array_equal(state["weights"]["a"][0], STATE["weights"]["a"][0])
            assert state["step"] == 700
    assert noticed > 0.5 * len(content) / 3


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_a_truncated_file_is_damaged(cut):
    with pytest.raises(archives.DamagedError, match="bytes, "):
        archives.unpack(packed(STATE)[:cut])


@pytest.mark.parametrize("foreign", [b"a text", packed({})[:0], b"PK\x03\x04" + b"0" * 100])
def test_another_kind_of_file_is_damaged(foreign):
    with pytest.raises(archives.DamagedError):
        archives.unpack(foreign)


# --- places --------------------------------------------------------------------------------


@pytest.fixture(params=["local", "remote"])
def folder(request, tmp_path):
    """A new folder on the disk, and one in memory through fsspec."""
    if request.param == "local":
        return archives.place(tmp_path / "deep" / "er")
    fsspec = pytest.importorskip("fsspec", reason="pip install fsspec")
    fsspec.filesystem("memory").store.clear()
    return archives.place("memory://bucket/run")


def write(folder, *steps, old="keep the last"):
    for step in steps:
        folder.write({**STATE, "step": step}, old)


def step_in(folder, name):
    content = folder.read(name)
    return None if content is None else archives.unpack(content)["step"]


def test_the_last_and_the_one_before_are_kept(folder):
    folder.check()
    assert archives.newest(folder) is None
    for step, kept in ((1, None), (2, 1), (3, 2)):
        write(folder, step)
        assert step_in(folder, archives.LAST) == step
        assert step_in(folder, archives.BEFORE) == kept
    state, last_is_good = archives.newest(folder)
    assert (state["step"], last_is_good) == (3, True)


@pytest.mark.parametrize(("old", "before"), [("keep the one before", 1), ("keep none", None)])
def test_a_last_one_not_worth_keeping_is_replaced(folder, old, before):
    folder.check()
    write(folder, 1, 2)
    write(folder, 3, old=old)
    assert step_in(folder, archives.LAST) == 3
    assert step_in(folder, archives.BEFORE) == before


def test_between_two_renamings_the_one_before_is_found(folder, tmp_path, capsys):
    if not isinstance(folder, archives._Local):
        pytest.skip("a bucket replaces a file at once")
    folder.check()
    write(folder, 1)
    os.replace(folder.folder / archives.LAST, folder.folder / archives.BEFORE)
    state, _ = archives.newest(folder)
    assert state["step"] == 1
    write(folder, 2)
    assert (step_in(folder, archives.LAST), step_in(folder, archives.BEFORE)) == (2, 1)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_write_that_fails_leaves_both_files_and_nothing_else(tmp_path, monkeypatch, call):
    folder = archives.place(tmp_path)
    write(folder, 1, 2)

    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            write(folder, 3)
    assert (step_in(folder, archives.LAST), step_in(folder, archives.BEFORE)) == (2, 1)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_upload_that_fails_leaves_the_last(monkeypatch):
    pytest.importorskip("fsspec", reason="pip install fsspec")
    folder = archives.place("memory://bucket/fails")
    folder.check()
    write(folder, 1)

    def refuse(*arguments, **options):
        raise RuntimeError("token expired")

    with monkeypatch.context() as patch:
        patch.setattr(type(folder.system), "put_file", refuse)
        with pytest.raises(OSError, match="RuntimeError: token expired"):
            write(folder, 2)
    assert step_in(folder, archives.LAST) == 1


def test_a_file_that_cannot_be_read_is_not_taken_for_none(tmp_path):
    (tmp_path / archives.LAST).mkdir()
    with pytest.raises(OSError, match=r"directory|denied"):
        archives.newest(archives.place(tmp_path))


def test_a_bucket_without_its_package_names_what_to_install(monkeypatch):
    for missing in ("fsspec", "s3fs"):
        monkeypatch.setitem(__import__("sys").modules, missing, None)
    with pytest.raises(ImportError, match="pip install fsspec s3fs"):
        archives.place("s3://bucket/run")
