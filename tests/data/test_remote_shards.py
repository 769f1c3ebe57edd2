"""Tar files at addresses: signed ones keep their secret, slow servers are given up; caches that cannot be used."""

import errno
import time

import pytest
from filelock import FileLock

from colorize.data import Shards, listing
from colorize.data.filesystem import expand_pattern
from colorize.data.listing import list_folder
from colorize.data.resolve import open_source
from colorize.utils import download as storage
from colorize.utils.download import cache_path, local_copy, without_secrets, without_signature
from colorize.utils.errors import UserError
from tests.faults.servers import served, slowly
from tests.helpers.data_sets import jpeg, tarred, write_shards

SECRET = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20261128T000000Z&X-Amz-Signature=0f1e2d3c4b5a"
TAR = tarred({f"{i}.jpg": jpeg(i) for i in range(3)})


def whole(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(TAR) + TAR)


def says(text):
    return lambda connection: connection.sendall(text)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(listing, "MIN_CACHED", 1)


# --- signed addresses


def test_a_signed_address_is_no_pattern_and_its_secret_is_nowhere(tmp_path, capsys):
    """Not in a name, not in a message, not in what is kept; and the next signature finds what this one fetched."""
    with served(whole) as (address, asked):
        source = open_source(f"{address}/train-00000.tar?{SECRET}")
        data = Shards(f"{address}/train-00000.tar?{SECRET}")
        again = Shards(f"{address}/train-00000.tar?{SECRET.replace('0f1e', 'ffff').replace('1128', '1129')}")
    assert asked == [f"GET /train-00000.tar?{SECRET} HTTP/1.1"]
    assert data.fingerprint() == again.fingerprint()
    assert [photo.read() for photo in source.train] == [jpeg(i) for i in range(3)]
    told = [source.title, data.val_description, *(photo.where for photo in source.train), *source.train.names()]
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    told += [str(path) for path in kept] + [path.read_bytes().decode("latin-1") for path in kept]
    assert len(kept) >= 2
    assert not [text for text in told if "Signature" in text or "0f1e2d3c4b5a" in text]
    assert "0f1e" not in capsys.readouterr().out


def test_a_refusal_keeps_the_secret(monkeypatch):
    monkeypatch.setattr(storage, "TRIES", 1)
    with pytest.raises(UserError, match=r"cannot read http://127\.0\.0\.1:9/a\.tar ") as refused:
        Shards(f"http://user:hunter2@127.0.0.1:9/a.tar?{SECRET}")
    assert not [word for word in ("Amz", "hunter2") if word in str(refused.value)]
    with (
        served(lambda connection: connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as (
            at,
            _,
        ),
        pytest.raises(UserError, match="the server says 403 Forbidden") as refused,
    ):
        Shards(f"{at}/a.tar?{SECRET}")
    assert "Amz" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("https://host/a.tar?X-Goog-Signature=1&X-Goog-Date=2", "https://host/a.tar"),
        ("https://host/a.tar?sv=2024&sr=b&sig=abc%3D&se=2026", "https://host/a.tar"),
        ("https://host/a.tar?Expires=1&Signature=2&Key-Pair-Id=3", "https://host/a.tar"),
        ("https://host/get?id=5&token=abc", "https://host/get?id=5"),
        ("s3://bucket/a.tar", "s3://bucket/a.tar"),
        ("/a?b/c.tar", "/a?b/c.tar"),
    ],
)
def test_what_signs_does_not_identify(address, same):
    assert without_signature(address) == same
    assert "?" not in without_secrets(address) or not storage.is_remote(address)


def test_numbers_and_hosts_in_signed_addresses():
    assert expand_pattern("http://[::1]:80/t-{00..01}.tar?a=[1]*") == [
        f"http://[::1]:80/t-0{i}.tar?a=[1]*" for i in range(2)
    ]
    with pytest.raises(UserError, match="a web server does not list its files"):
        expand_pattern(f"http://host/*.tar?{SECRET}")


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
    (tmp_path / "a[1]?.tar").write_bytes(TAR)
    assert len(open_source(str(tmp_path / "a[1]?.tar")).train) == 3


# --- slow servers


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (slowly(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"), r"a\.tar is too slow: \d+ bytes came"),
        (slowly(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), r"a\.tar is too slow"),
        (slowly(b"", b"H"), r"cannot read .*a\.tar \(no answer within .* s: timed out"),
        (slowly(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"), r"cannot read .*a\.tar \("),
        (lambda connection: time.sleep(5), r"cannot read .*a\.tar \("),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"),
            "broke off after 3 of 9",
        ),
    ],
    ids=["body", "without length", "status", "headers", "silence", "end"],
)
def test_a_transfer_is_bounded_as_a_whole(answer, message, monkeypatch):
    for name, value in {"TRIES": 1, "SECONDS": 0.5, "PATIENCE": 0.5}.items():
        monkeypatch.setattr(storage, name, value)
    began = time.monotonic()
    with served(answer) as (address, _), pytest.raises(UserError, match=message):
        open_source(f"{address}/a.tar")
    assert time.monotonic() - began < 4


# --- caches of others


def test_a_cache_that_cannot_be_made_is_passed_over(tmp_path, monkeypatch, photographs):
    """A file in its place stands for another user's folder: the root user may write anywhere."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(storage, "gettempdir", lambda: str(tmp_path))
    assert len(list_folder(photographs)) == 14
    with served(whole) as (address, _):
        assert local_copy(f"{address}/a.tar").read_bytes() == TAR
    assert cache_path("files").is_relative_to(tmp_path / f"colorize-{storage.getuser()}")
    monkeypatch.setattr(storage, "gettempdir", lambda: str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be written to: name a folder with COLORIZE_CACHE"):
        cache_path("files")


def test_where_nothing_can_be_locked_nobody_waits(photographs, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    assert len(list_folder(photographs)) == 14
    with served(whole) as (address, _):
        assert len(open_source(f"{address}/a.tar").train) == 3


def test_a_kept_list_that_cannot_be_read_is_made_anew(photographs, tmp_path):
    assert len(list_folder(photographs)) == 14
    (note,) = (tmp_path / "cache" / "lists").rglob("stamp.json")
    for text in ("{", "[]", '{"stamp": {}}'):
        note.write_text(text)
        assert len(list_folder(photographs)) == 14


def test_a_list_that_cannot_be_kept_is_a_list(tmp_path, monkeypatch):
    folder = write_shards(tmp_path / "tars", 1)

    def refuse(self, folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("colorize.data.collection.Table.save", refuse)
    assert len(open_source(str(folder)).train) == 6
