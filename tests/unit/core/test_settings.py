"""Settings come from the environment, and say in one line what is wrong with it."""

from typing import Annotated

import pytest
from pydantic import BaseModel, SecretStr

from mintline.errors import Misconfigured
from mintline.settings import FormerName, ServiceSettings, Settings, load


class Inner(BaseModel):
    address: str


class Example(Settings):
    port: int
    urls: tuple[str, ...] = ()
    inner: Inner | None = None
    secret: SecretStr = SecretStr("hunter2")


def test_load__when_there_are_other_variables__then_it_reads_the_prefixed_ones() -> None:
    settings = load(Example, {"MINTLINE_PORT": "80", "PORT": "x", "MINTLINE_OTHER_SERVICE": "y"})
    assert settings.port == 80


def test_load__when_a_field_is_structured__reads_json() -> None:
    settings = load(
        Example,
        {"MINTLINE_PORT": "1", "MINTLINE_URLS": '["http://a"]', "MINTLINE_INNER": '{"address":"0x1"}'},
    )
    assert settings.urls == ("http://a",)
    assert settings.inner == Inner(address="0x1")


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({}, "MINTLINE_PORT"),
        ({"MINTLINE_PORT": "eighty"}, "MINTLINE_PORT"),
        ({"MINTLINE_PORT": "1", "MINTLINE_URLS": "[oops"}, "MINTLINE_URLS"),
        ({"MINTLINE_PORT": "1", "MINTLINE_INNER": "{}"}, "MINTLINE_INNER.ADDRESS"),
        ({"MINTLINE_PORT": "1", "MINTLINE_LOG_LEVEL": "loud"}, "MINTLINE_LOG_LEVEL"),
    ],
)
def test_load__when_a_variable_is_wrong__names_it_in_one_line(environ: dict[str, str], named: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        load(Example, environ)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


class Renamed(Settings):
    port: Annotated[int, FormerName("door")]


@pytest.mark.parametrize(
    ("environ", "port"),
    [
        ({"MINTLINE_PORT": "1"}, 1),
        ({"MINTLINE_DOOR": "2"}, 2),
        ({"MINTLINE_DOOR": "2", "MINTLINE_PORT": "1"}, 1),
    ],
)
def test_load__when_a_field_had_another_name__then_that_is_read_where_its_own_is_missing(
    environ: dict[str, str], port: int
) -> None:
    assert load(Renamed, environ).port == port


def test_load__when_a_renamed_field_is_missing__then_its_present_name_is_given() -> None:
    with pytest.raises(Misconfigured, match="MINTLINE_PORT: Field required"):
        load(Renamed, {})


def test_load__when_a_secret_is_wrong__does_not_repeat_it() -> None:
    class Strict(Settings):
        token: int

    with pytest.raises(Misconfigured) as caught:
        load(Strict, {"MINTLINE_TOKEN": "s3cr3t-value"})
    assert "s3cr3t-value" not in str(caught.value)


def test_public__when_there_are_secrets__then_it_leaves_them_out() -> None:
    public = load(Example, {"MINTLINE_PORT": "80"}).public()
    assert public["port"] == 80
    assert "secret" not in public
    assert "hunter2" not in repr(public)


@pytest.mark.parametrize("prefix", ["", "Upper", "under_score", "-dash", "x" * 41])
def test_resource_prefix__when_aws_would_refuse_it__is_refused(prefix: str) -> None:
    with pytest.raises(Misconfigured):
        load(ServiceSettings, {"MINTLINE_RESOURCE_PREFIX": prefix})
