"""The verb `fetch`: the Library of Congress by way of a local server."""

import csv
import io
import re
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from colorize.cli import historical as fetching
from colorize.cli.historical import COLUMNS, LIST, read_picture_list
from colorize.data.sources import Historical


def test_the_list_is_sound():
    rows = read_picture_list(LIST)
    kinds = [row["kind"] for row in rows]
    assert kinds.count("plates") >= 20
    assert kinds.count("prints") >= 5
    assert len({(row["kind"], row["file"]) for row in rows}) == len({row["image"] for row in rows}) == len(rows)
    for row in rows:
        assert re.match(r"https://(www\.loc\.gov/(item|resource)/|hdl\.loc\.gov/loc\.pnp/)", row["item"])
        assert row["image"].startswith("https://tile.loc.gov/storage-services/service/pnp/")
        assert row["image"].endswith(f"/{row['file']}")
        assert "restrictions" in row["rights"]
        if row["kind"] == "plates":
            number = int(row["file"][:5])
            assert f"/prok/{number // 100 * 100:05d}/{number:05d}v.jpg" in row["image"]


def jpeg(value):
    file = io.BytesIO()
    Image.new("L", (8, 8), value).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A server with two pictures and a list of them: `.pages`, `.asked`, `.write(checksum, …)`."""

    class Library:
        pages = {"/a.jpg": jpeg(10), "/b.jpg": jpeg(20)}  # noqa: RUF012
        asked: list = []  # noqa: RUF012
        list = tmp_path / "list.tsv"

        def write(self, **changes):
            lines = ["# a remark", "\t".join(COLUMNS)]
            for kind, name in (("plates", "a.jpg"), ("prints", "b.jpg")):
                row = {column: f"{column} of {name}" for column in COLUMNS} | {"sha256": "", "sha256_from": ""}
                row |= {"kind": kind, "file": name, "image": f"{self.address}/{name}"} | changes.get(name[0], {})
                lines.append("\t".join(row[column] for column in COLUMNS))
            self.list.write_text("\n".join(lines) + "\n", encoding="utf-8")

    held = Library()
    held.asked = []
    held.pages = dict(Library.pages)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            held.asked.append(self.path)
            page = held.pages.get(self.path)
            if callable(page):
                page(self)
                return
            self.send_response(404 if page is None else 200)
            self.send_header("Content-Length", str(len(page or b"")))
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    held.address = f"http://127.0.0.1:{server.server_port}"
    held.write()
    monkeypatch.setattr(fetching, "PAUSE", 0.0)
    yield held
    server.shutdown()
    server.server_close()


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


BOTH = ["plates/CREDITS.tsv", "plates/a.jpg", "prints/CREDITS.tsv", "prints/b.jpg"]


def test_pictures_come_once_and_with_their_checksums(library, inside, tmp_path):
    words = ("fetch", "historical", "-o", "got", "--list", library.list)
    done = inside(*words)
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "got") == BOTH
    assert (tmp_path / "got/plates/a.jpg").read_bytes() == library.pages["/a.jpg"]
    with (tmp_path / "got/plates/CREDITS.tsv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert row["sha256"] == sha256(library.pages["/a.jpg"]).hexdigest()
    assert (row["source"], row["rights"]) == ("item of a.jpg", "rights of a.jpg")
    assert "1/2 plates/a.jpg" in done.stdout
    done = inside(*words)
    assert done.returncode == 0
    assert done.stdout.count("already exists") == 2
    assert library.asked == ["/a.jpg", "/b.jpg"]
    (tmp_path / "got/prints/b.jpg").unlink()
    assert inside(*words).returncode == 0
    assert library.asked == ["/a.jpg", "/b.jpg", "/b.jpg"]
    (photo,) = Historical(str(tmp_path / "got/prints"))
    with (tmp_path / "got/prints/CREDITS.tsv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert (photo.name, row["file"]) == ("b.jpg", "b.jpg")
    assert all(row[key] == f"{key} of b.jpg" for key in ("title", "photographer", "year", "rights"))


def test_one_kind_alone(library, inside, tmp_path):
    assert inside("fetch", "historical", "-o", "got", "--only", "plates", "--list", library.list).returncode == 0
    assert names(tmp_path / "got") == BOTH[:2]
    assert library.asked == ["/a.jpg"]


def refused(done, *says):
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    for text in says:
        assert text in done.stderr


def test_a_picture_that_has_changed_is_refused(library, inside, tmp_path):
    words = ("fetch", "historical", "-o", "got", "--list", library.list)
    library.write(a={"sha256": "0" * 64, "sha256_from": "the test"})
    refused(inside(*words), "has changed", "0" * 64)
    assert not (tmp_path / "got").exists()
    library.write()
    inside(*words)
    (tmp_path / "got/plates/a.jpg").unlink()
    library.pages["/a.jpg"] = jpeg(99)  # the first download's checksum holds
    refused(inside(*words), "has changed")
    assert names(tmp_path / "got") == [name for name in BOTH if name != "plates/a.jpg"]


def test_a_file_that_is_in_the_way_is_left_alone(library, inside, tmp_path):
    words = ("fetch", "historical", "-o", "got", "--list", library.list)
    (tmp_path / "got/plates").mkdir(parents=True)
    (tmp_path / "got/plates/a.jpg").write_bytes(b"mine")
    refused(inside(*words), "a.jpg", "move it away")
    (tmp_path / "got/plates/a.jpg").unlink()
    inside(*words)
    (tmp_path / "got/plates/a.jpg").write_bytes(b"mine")
    refused(inside(*words), "a.jpg", "another file")
    assert (tmp_path / "got/plates/a.jpg").read_bytes() == b"mine"


def half(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(jpeg(1))


def busy(handler):
    handler.send_response(429, "Too Many Requests")
    handler.end_headers()


@pytest.mark.parametrize(
    ("page", "says"),
    [(half, "broke off"), (busy, "429"), (b"<html>sorry</html>", "no whole picture"), (b"", "no whole")],
)
def test_what_goes_wrong_leaves_nothing_behind(library, inside, tmp_path, page, says):
    library.pages["/a.jpg"] = page
    refused(inside("fetch", "historical", "-o", "got", "--list", library.list), says, "/a.jpg")
    assert not (tmp_path / "got").exists()


def test_a_picture_that_is_gone_does_not_stop_the_others(library, inside, tmp_path):
    del library.pages["/a.jpg"]
    done = inside("fetch", "historical", "-o", "got", "--list", library.list)
    assert done.returncode == 1
    assert "/a.jpg is not at the server" in done.stdout
    assert names(tmp_path / "got") == BOTH[2:]


def test_without_a_network_it_says_so(library, inside, tmp_path):
    library.write(a={"image": "http://127.0.0.1:9/a.jpg"})  # nobody listens there
    refused(inside("fetch", "historical", "-o", "got", "--list", library.list), "cannot fetch", "network")
    assert not (tmp_path / "got").exists()


def test_a_silent_server_is_not_waited_for(library, inside, tmp_path, monkeypatch):
    done = threading.Event()
    library.pages["/a.jpg"] = lambda handler: done.wait(20)
    monkeypatch.setattr("colorize.utils.download.SECONDS", 0.3)
    refused(inside("fetch", "historical", "-o", "got", "--list", library.list), "timed out")
    done.set()
    assert not (tmp_path / "got").exists()


def test_a_file_without_an_end_is_given_up(library, inside, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "LARGEST", 100)
    refused(inside("fetch", "historical", "-o", "got", "--list", library.list), "gave up")
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"file": "../a.jpg"}, "file name"),
        ({"kind": "films"}, "plates or prints"),
        ({"sha256": "0" * 64}, "sha256_from"),
    ],
)
def test_a_list_with_a_mistake_is_refused(library, inside, change, says):
    library.write(a=change)
    refused(inside("fetch", "historical", "-o", "got", "--list", library.list), says)
    assert library.asked == []


def test_what_is_no_list_is_refused(inside, tmp_path):
    (tmp_path / "list.tsv").write_text("a\tb\n1\t2\n")
    refused(inside("fetch", "historical", "-o", "got", "--list", "list.tsv"), "columns kind, file")
    refused(inside("fetch", "historical", "-o", "got", "--list", "none.tsv"), "there is no list")
    refused(inside("fetch", "modern", "-o", "got"), "historical")
