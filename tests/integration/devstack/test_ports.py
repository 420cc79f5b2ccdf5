"""Ports that are taken, on a real system."""

import socket

import pytest

from mintline.errors import Misconfigured
from mintline_devstack.ports import HOST, Ports, choose, free_ports


def test_default_ports__when_one_is_taken__are_refused_by_name_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        wanted = Ports(**{**dict(free_ports().items()), "kms_front": taken.getsockname()[1]})
        with pytest.raises(
            Misconfigured, match=rf"^port {wanted.kms_front} \(kms-front\) in use: .*--ports free"
        ):
            choose("default", wanted)


def test_fallback__when_one_is_taken__is_free_ports_all() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        wanted = Ports(**{**dict(free_ports().items()), "api": taken.getsockname()[1]})
        chosen = choose("fallback", wanted)
    assert chosen.api != wanted.api
    assert len(dict(chosen.items())) == len({port for _, port in chosen.items()})


def test_fallback__when_all_are_free__is_what_was_wanted() -> None:
    wanted = free_ports()
    assert choose("fallback", wanted) == wanted
