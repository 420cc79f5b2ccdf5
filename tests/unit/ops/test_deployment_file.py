"""A deployment's document is read as earlier versions wrote it, too."""

import json
from pathlib import Path

import pytest

from mintline.errors import Misconfigured
from mintline_ops.deployment_file import read


@pytest.mark.parametrize("name", ["authorization_key", "sealing"])
def test_read__when_the_authorization_key_has_either_of_its_names__then_it_is_there(
    tmp_path: Path, name: str
) -> None:
    document = tmp_path / "deployment.json"
    chain = {"chain_id": 1, name: {"public_key": "MFkw", "secrets": ["p/sealing/1/00"]}}
    document.write_text(json.dumps({"prefix": "p", "region": "us-east-1", "chain": chain}))

    assert read(document).chain.authorization_key == chain[name]


def test_read__when_the_authorization_key_has_both_of_its_names__then_that_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "deployment.json"
    key = {"public_key": "MFkw", "secrets": ["p/sealing/1/00"]}
    chain = {"chain_id": 1, "authorization_key": None, "sealing": key}
    document.write_text(json.dumps({"prefix": "p", "region": "us-east-1", "chain": chain}))

    with pytest.raises(Misconfigured, match="two names of one key"):
        read(document)
