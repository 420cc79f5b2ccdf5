"""The state folder belongs to one line at a time, and damage in it has one clear line."""

import os
from pathlib import Path

import pytest

from mintline.errors import Misconfigured
from mintline_devstack import paths
from mintline_devstack.principals import ROLES, issue_credentials
from mintline_devstack.state_folder import SOCKET_FOLDER_LIMIT, StateFolder, write_json
from mintline_ops.run_file import read_json


def test_lock__when_held__refuses_a_second_line_and_names_the_holder(tmp_path: Path) -> None:
    with (
        StateFolder(tmp_path).locked(),
        pytest.raises(Misconfigured, match=rf"pid {os.getpid()}"),
        StateFolder(tmp_path).locked(),
    ):
        pytest.fail("two lines in one folder")


def test_lock__when_let_go__can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with StateFolder(tmp_path).locked():
            assert StateFolder(tmp_path).in_use()
    assert not StateFolder(tmp_path).in_use()


def test_running__when_the_file_was_left_by_a_killed_line__is_none(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    with state.locked():
        write_json(state.run, {"api_url": "http://127.0.0.1:1"})
        assert state.running() == {"api_url": "http://127.0.0.1:1"}
    assert state.running() is None


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_read_json__when_damaged__names_the_file_and_the_way_out(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(Misconfigured, match=r"state\.json.*make clean"):
        read_json(tmp_path / "state.json")


def test_credentials__when_issued_twice__are_found_again_and_private(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.prepare()
    first = issue_credentials(state)
    assert issue_credentials(state) == first
    assert len({credentials.secret_access_key for credentials in first.values()}) == len(ROLES)
    assert (state.kms / "principals.json").stat().st_mode & 0o777 == 0o600


def test_credentials__when_shown__hide_the_secret(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.prepare()
    api = issue_credentials(state)["api"]
    assert api.secret_access_key not in repr(api)


@pytest.mark.parametrize("name", ["anvil", "ministack"])
def test_tool__when_it_is_not_installed__says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(paths, "CHECKOUT", tmp_path)
    with pytest.raises(Misconfigured, match=rf"{name} is not installed at {tmp_path}.*make setup"):
        paths.tool(name)


def test_prepare__when_folders_are_open_to_others__closes_those_that_hold_keys(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    tmp_path.chmod(0o755)
    for folder in (state.ministack, state.kms):
        folder.mkdir()
        folder.chmod(0o755)
    state.prepare()
    parts = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert state.ministack in parts
    assert {path.stat().st_mode & 0o777 for path in parts} == {0o700}


def test_prepare__when_a_file_is_in_the_way__says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(Misconfigured, match="cannot use the state folder"):
        StateFolder(tmp_path / "taken").prepare()


def test_sockets__when_the_folder_is_deep__are_elsewhere_and_gone_afterwards(tmp_path: Path) -> None:
    with StateFolder(tmp_path / ("d" * SOCKET_FOLDER_LIMIT)).sockets() as folder:
        assert folder.is_dir()
        assert len(str(folder)) <= SOCKET_FOLDER_LIMIT
    assert not folder.exists()


def test_sockets__when_the_path_is_short__are_in_the_state_folder() -> None:
    with StateFolder(Path("/s")).sockets() as folder:
        assert folder == Path("/s/enclave")
