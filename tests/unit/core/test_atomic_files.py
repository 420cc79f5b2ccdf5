from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mintline.atomic_files import replace_file


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("before", [None, b"old content, which is longer"])
def test_replace_file__when_written__then_it_has_the_content_and_the_mode_alone(
    tmp_path: Path, before: bytes | None, mode: int
) -> None:
    path = tmp_path / "settings.json"
    if before is not None:
        path.write_bytes(before)

    replace_file(path, b"new", mode=mode)

    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def test_replace_file__when_a_reader_has_the_old_one_open__then_it_reads_that_to_its_end(
    tmp_path: Path,
) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        replace_file(path, b"new")

        assert reader.read() == b"old"


@pytest.mark.parametrize("fails", ["fchmod", "fsync", "replace"])
def test_replace_file__when_it_fails__then_the_old_content_stays_and_nothing_is_left_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError("no space left on the device")

    if fails == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif fails == "replace":
        monkeypatch.setattr(Path, "replace", fail)
    else:
        monkeypatch.setattr(os, "fchmod", fail)

    with pytest.raises(OSError, match="no space left"):
        replace_file(path, b"new")

    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_replace_file__when_done__then_content_was_synced_before_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "settings.json"
    steps: list[str] = []
    sync, replace = os.fsync, Path.replace

    def record_sync(descriptor: int) -> None:
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def record_replace(source: Path, target: Path) -> Path:
        steps.append("name")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(Path, "replace", record_replace)
    replace_file(path, b"new")

    assert steps == ["file", "name", "folder"]
