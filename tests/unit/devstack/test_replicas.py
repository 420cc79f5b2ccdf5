"""Further copies of a worker: each with a name, an admin port and a socket of its own."""

from pathlib import Path
from typing import Any, cast

import pytest

from mintline.errors import Misconfigured
from mintline_devstack.replicas import further, parse
from mintline_devstack.supervisor import ChildSpec

HTTP = cast("Any", None)


async def ready() -> None:
    return


def spec(name: str, **env: str) -> ChildSpec:
    return ChildSpec(name=name, argv=("true",), env=env, cwd=Path("/"), ready=cast("Any", ready))


def test_parse__when_given_names_and_counts__then_it_reads_them() -> None:
    assert parse(["builder=2", "indexer=1"]) == {"builder": 2, "indexer": 1}


@pytest.mark.parametrize("word", ["builder", "builder=0", "builder=17", "builder=x", "api=2", "=2", ""])
def test_parse__when_a_word_is_wrong__says_what_is_expected(word: str) -> None:
    with pytest.raises(Misconfigured, match=r"NAME=1\.\.16"):
        parse([word])


def test_further__when_copies_are_made__then_each_has_what_must_not_be_shared() -> None:
    specs = [
        spec("builder", MINTLINE_ADMIN_PORT="1", KEPT="x"),
        spec("signer-host", MINTLINE_ADMIN_PORT="2", MINTLINE_KMS_PROXY_ADDRESS="unix:///run/kms.sock"),
        spec("indexer", MINTLINE_ADMIN_PORT="3", MINTLINE_INSTANCE="local"),
        spec("api", MINTLINE_ADMIN_PORT="4"),
    ]
    copies = {"builder": 3, "signer-host": 2, "indexer": 2}
    more, admin = further(specs, copies, sockets=Path("/run"), http=HTTP)
    by_name = {child.name: child.env for child in more}
    assert set(by_name) == set(admin) == {"builder-2", "builder-3", "signer-host-2", "indexer-2"}
    assert by_name["builder-2"]["KEPT"] == "x"
    assert by_name["signer-host-2"]["MINTLINE_KMS_PROXY_ADDRESS"] == "unix:///run/kms-2.sock"
    assert by_name["indexer-2"]["MINTLINE_INSTANCE"] == "local-2"
    assert len({env["MINTLINE_ADMIN_PORT"] for env in by_name.values()} - {"1", "2", "3"}) == 4


def test_further__when_one_of_each_is_asked_for__adds_nothing() -> None:
    assert further([spec("builder")], {"builder": 1}, sockets=Path("/run"), http=HTTP) == ([], {})
