"""The lines of a drop that is measured."""

import json

from mintline_bench.drop import lines_of


def test_lines_of__when_there_are_some__each_has_an_address_and_a_name_of_its_own() -> None:
    lines = [json.loads(text) for text in lines_of("run", 3).splitlines()]
    assert [line["metadata"]["name"] for line in lines] == ["bench run 0", "bench run 1", "bench run 2"]
    assert len({line["recipient"]["address"] for line in lines}) == 3
