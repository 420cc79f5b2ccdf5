"""What a run of chaos or of the soak leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mintline_bench.load import Posted
from mintline_harness.evidence import evidence


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def posted(mint_id: str, status: str) -> Posted:
    return Posted(mint_id, user=0, name=mint_id, started=0, answered=0, body={"status": status})


def test_evidence__when_the_run_went_well__then_nothing_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with evidence("chaos", again="again") as kept:
        (kept.folder / "logs").mkdir()
        kept.dispensable()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_evidence__when_a_promise_was_broken__then_says_where_it_is_and_which_mints_did_not_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with evidence("chaos", again="make chaos FIRST=7 SEEDS=1") as kept:
        kept.record({"seed": 7, "stuck": 1}, [posted("m1", "finalized"), posted("m2", "built")])
    assert json.loads((kept.folder / "verdict.json").read_text()) == {
        "seed": 7,
        "stuck": 1,
        "not_finalized": {"m2": "built"},
    }
    text = capsys.readouterr().err
    assert f"--state {kept.folder} " in text
    assert "make chaos FIRST=7 SEEDS=1" in text


def test_evidence__when_the_run_itself_fails__then_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError), evidence("soak", again="again"):
        raise RuntimeError
    assert [folder.name.startswith("mintline-soak-") for folder in tmp_path.iterdir()] == [True]
    assert "soak: kept" in capsys.readouterr().err
