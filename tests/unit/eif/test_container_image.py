from __future__ import annotations

import stat
import tarfile

import pytest

from mintline.errors import Misconfigured
from mintline_eif.container_image import read

from .conftest import Save, member, tarred

FOLDER, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def test_image__when_layers_overlap__is_what_the_last_one_leaves(save: Save) -> None:
    path = save(
        [member("etc", kind=FOLDER), member("etc/a", b"1"), member("etc/b", b"1"), member("old/c", b"1")],
        [member("./etc/a", b"2", mode=0o600, uid=10001), member("etc/.wh.b"), member(".wh.old")],
    )

    files = read(path).files

    assert set(files) == {"etc", "etc/a"}
    assert (files["etc/a"].content, files["etc/a"].uid, files["etc/a"].mode) == (
        b"2",
        10001,
        stat.S_IFREG | 0o600,
    )


def test_image__when_a_layer_makes_a_folder_opaque__keeps_only_what_that_layer_has(save: Save) -> None:
    path = save(
        [member("a", kind=FOLDER), member("a/below", b"1"), member("ab", b"1")],
        [member("a/new", b"2"), member("a/.wh..wh..opq")],
    )

    assert set(read(path).files) == {"a", "a/new", "ab"}


def test_image__when_a_folder_becomes_a_link__has_nothing_below_it(save: Save) -> None:
    path = save(
        [member("lib", kind=FOLDER), member("lib/x", b"1")], [member("lib", kind=LINK, linkname="usr/lib")]
    )

    files = read(path).files

    assert set(files) == {"lib"}
    assert files["lib"].mode == stat.S_IFLNK | 0o777
    assert files["lib"].content == b"usr/lib"


def test_image__when_it_has_hard_links_and_devices__has_files_of_their_own_and_no_devices(save: Save) -> None:
    path = save(
        [member("perl", b"x")],
        [
            member("perl5", kind=HARD, linkname="perl"),
            member("dev/null", kind=tarfile.CHRTYPE),
            member("pipe", kind=tarfile.FIFOTYPE),
        ],
    )

    files = read(path).files

    assert set(files) == {"perl", "perl5"}
    assert files["perl5"].content == b"x"


def test_image__when_its_layers_are_compressed__reads_the_same(save: Save) -> None:
    members = [member("a", b"1")]

    assert read(save(tarred(members, "w:gz"))).files == read(save(members)).files


def test_image__when_read__says_what_it_runs_and_on_what(save: Save) -> None:
    image = read(save([], architecture="arm64"))

    assert image.arm64
    assert image.run.argv == ("/app/bin/python", "-m", "mintline_signer.enclave")
    assert image.run.env == ("PATH=/app/bin",)


def test_image__when_there_are_several_or_none__is_refused(save: Save) -> None:
    with pytest.raises(Misconfigured, match="expected one image"):
        read(save([], images=2))

    nothing = save([])
    nothing.write_bytes(b"not a tar")
    with pytest.raises(Misconfigured, match="docker save"):
        read(nothing)

    empty = save([])
    empty.write_bytes(tarred([]))
    with pytest.raises(Misconfigured, match=r"manifest\.json"):
        read(empty)


def test_image__when_a_layer_is_missing__is_refused(save: Save) -> None:
    whole = save([member("a", b"1")])
    with tarfile.open(whole) as saved:
        kept = [(m, content.read()) for m in saved if (content := saved.extractfile(m)) is not None]
    whole.write_bytes(tarred([(m, c) for m, c in kept if not m.name.startswith("layer")]))

    with pytest.raises(Misconfigured, match="lacks its layer"):
        read(whole)
