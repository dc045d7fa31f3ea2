"""Evaluation sets by name: where they are found, and how they are fetched from a server on this machine."""

import hashlib
import io
import json
import re
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from firth import sets
from firth.errors import FirthError, UsageError
from firth.evaluation import WordPair
from firth.sets import KNOWN, Set, checked, find, look

PAIRS = b"king\tqueen\t9\nking\tparis\t1\n"


def digest(content):
    return hashlib.sha256(content).hexdigest()


def zipped(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


class Server(ThreadingHTTPServer):
    """Answers with what `pages` has for a path: bytes, or a status, or an address to go to."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.pages = {}
        self.cut = set()
        self.asked = []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Says nothing."""

    def do_GET(self):
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path, 404)
        if isinstance(page, str):
            self.send_response(302)
            self.send_header("Location", page)
            self.end_headers()
        elif isinstance(page, int):
            self.send_error(page)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page[: len(page) // 2] if self.path in self.server.cut else page)


@pytest.fixture
def server():
    running = Server()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def place(monkeypatch, tmp_path):
    """Nothing in the environment, an empty cache, and no proxy."""
    for name in (sets.FOLDER, *sets.OFFLINE, "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(sets, "find", lambda name, **how: find(name, cache_dir=tmp_path / "cache", **how))
    return tmp_path / "cache"


def knowing(monkeypatch, server, **changes):
    """A set that the server has."""
    told = {
        "name": "royal",
        "kind": "similarity",
        "language": "en",
        "title": "Two pairs",
        "files": ("royal.tsv",),
        "sha256": {"royal.tsv": digest(PAIRS)},
        "address": f"{server.address}/royal.tsv" if server else "",
        "page": "https://example.org/royal",
    }
    known = Set(**told | changes)
    monkeypatch.setattr(sets, "KNOWN", (*KNOWN, known))
    return known


def kept(place):
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()) if place.exists() else []


# --- what is known


def test_what_is_known_is_whole():
    assert len({one.name for one in KNOWN}) == len(KNOWN)
    for one in KNOWN:
        assert all(re.fullmatch("[0-9a-f]{64}", checksum) for checksum in one.sha256.values())
        assert (
            one.address.startswith("https://") or (one.sha256 and one.address.startswith("http://")) or not one.address
        )
        assert one.page.startswith("http")
        assert one.kind in ("similarity", "analogy", "outliers", "categories", "scws", "wic")


def test_a_name_that_is_not_known_is_told():
    with pytest.raises(UsageError, match=r"no set 'wordsim'; there are wordsim353, simlex999.*--pairs"):
        find("wordsim")


def test_the_shared_files_are_those_that_are_known():
    shared = Path(__file__).parents[2] / "shared" / "data" / "eval"
    if not shared.is_dir():
        pytest.skip("there is no shared folder of evaluation sets")
    for name in ("wordsim353", "simlex999", "google", "scws", "wordsim240", "ca8"):
        found = find(name, folder=shared)
        assert (found.where, checked(found)) == ("folder", "as known")


# --- on this machine


@pytest.mark.parametrize("depth", ["", "en/", "some/where/"])
def test_a_set_is_found_in_a_folder(place, monkeypatch, tmp_path, depth):
    known = knowing(monkeypatch, None)
    path = tmp_path / "mine" / depth / "royal.tsv"
    path.parent.mkdir(parents=True)
    path.write_bytes(PAIRS)
    found = sets.find("Royal", folder=tmp_path / "mine")
    assert (found.known, found.path, found.where, checked(found)) == (known, path, "folder", "as known")
    monkeypatch.setenv(sets.FOLDER, str(tmp_path / "mine"))
    assert sets.find("royal").path == path
    path.write_bytes(PAIRS + b"man\tboy\t5\n")
    assert checked(sets.find("royal")) == "other"  # it is the user's, and used as it is
    with pytest.raises(UsageError, match="is no folder"):
        sets.find("royal", folder=tmp_path / "nowhere")


def test_a_set_is_found_in_an_installed_package(place, monkeypatch, tmp_path):
    package = tmp_path / "site" / "carrier"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('it is not imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    knowing(monkeypatch, None, package=("carrier", "data/royal.tsv"))
    with pytest.raises(FirthError, match="not on this machine, and no address is known for certain"):
        sets.find("royal")
    (package / "data" / "royal.tsv").write_bytes(PAIRS)
    found = sets.find("royal")
    assert (found.where, checked(found)) == ("package", "as known")


def test_gensims_files_are_those_that_are_known(place):
    pytest.importorskip("gensim")
    for name in ("wordsim353", "simlex999", "google"):
        found = sets.find(name)
        assert (found.where, checked(found)) == ("package", "as known")
        assert sets.READERS[found.known.kind](found.path)


def test_a_set_of_several_files_is_its_folder(place, monkeypatch, tmp_path):
    knowing(monkeypatch, None, files=("a/1.txt", "b/2.txt"), needs_all=True, sha256={})
    for name in ("a/1.txt", "b/2.txt"):
        with pytest.raises(FirthError, match=r"as a/1.txt and b/2.txt"):
            sets.find("royal", folder=tmp_path)
        path = tmp_path / "whole" / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    found = sets.find("royal", folder=tmp_path)
    assert (found.path, checked(found)) == (tmp_path / "whole", "unknown")
    assert set(found.sha256) == {"a/1.txt", "b/2.txt"}


def test_wic_is_found_without_the_answers_of_its_test(place, tmp_path):
    for name in sets.known("wic").files[:4]:
        path = tmp_path / "mine" / "WiC" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("T\n")
    found = sets.find("wic", folder=tmp_path / "mine")
    assert (found.path, len(found.sha256)) == (tmp_path / "mine" / "WiC", 4)
    (found.path / "test").mkdir()
    (found.path / "test" / "test.data.txt").write_text("")
    assert len(sets.find("wic", folder=tmp_path / "mine").sha256) == 5
    (found.path / "dev" / "dev.gold.txt").unlink()
    with pytest.raises(FirthError, match=r"names a folder that has it as train/train\.data\.txt.*dev/dev\.gold\.txt$"):
        sets.find("wic", folder=tmp_path / "mine", fetch=False)


def test_looking_fetches_nothing(place, monkeypatch, server):
    knowing(monkeypatch, server)
    found = {one.name: where for one, where in look(cache_dir=place)}
    assert found["royal"] is None
    assert server.asked == []


# --- fetched


def test_a_set_is_fetched_once(place, monkeypatch, server):
    knowing(monkeypatch, server)
    server.pages["/royal.tsv"] = PAIRS
    found = sets.find("royal")
    assert (found.where, found.path.read_bytes(), checked(found)) == ("fetched", PAIRS, "as known")
    assert len(found.remarks) == 1
    assert "terms" in found.remarks[0]
    assert sets.READERS["similarity"](found.path)[0] == WordPair("king", "queen", 9.0)
    again = sets.find("royal")
    assert (again.where, again.path, again.remarks) == ("cache", found.path, ())
    assert server.asked == ["/royal.tsv"]
    assert kept(place) == ["sets/royal/fetched.json", "sets/royal/royal.tsv"]


def test_what_was_changed_in_the_cache_is_fetched_anew(place, monkeypatch, server):
    knowing(monkeypatch, server)
    server.pages["/royal.tsv"] = PAIRS
    sets.find("royal").path.write_bytes(b"man\tboy\t1\n")
    found = sets.find("royal")
    assert (found.where, found.path.read_bytes()) == ("fetched", PAIRS)


def test_a_wrong_checksum_is_told_and_leaves_nothing(place, monkeypatch, server):
    knowing(monkeypatch, server)
    server.pages["/royal.tsv"] = PAIRS + b"man\tboy\t1\n"
    with pytest.raises(FirthError, match=rf"has the SHA-256 .* and {digest(PAIRS)} is the one that is known"):
        sets.find("royal")
    assert kept(place) == []


def test_what_came_first_is_trusted_and_has_to_stay(place, monkeypatch, server):
    knowing(monkeypatch, server, sha256={})
    server.pages["/royal.tsv"] = PAIRS
    found = sets.find("royal")
    assert "no checksum of royal is known beforehand" in found.remarks[1]
    assert checked(found) == "unknown"
    found.path.unlink()
    server.pages["/royal.tsv"] = PAIRS + b"\n"
    with pytest.raises(
        FirthError, match=r"the one of what came the first time: it is not used.*delete .*royal.fetched\.json first"
    ):
        sets.find("royal")
    assert kept(place) == ["sets/royal/fetched.json"]
    server.pages["/royal.tsv"] = PAIRS
    assert sets.find("royal").where == "fetched"
    from firth import cache

    (listed,) = cache.entries(place)
    assert (listed.what, listed.sources, listed.folder) == ("set", "royal", place / "sets" / "royal")
    assert cache.clear(place) == listed.n_bytes
    assert kept(place) == []
    server.pages["/royal.tsv"] = PAIRS + b"\n"  # with what was kept goes what has to stay
    assert sets.find("royal").where == "fetched"


@pytest.mark.parametrize(
    ("page", "message"),
    [(404, "the answer is 404 Not Found"), (503, "the answer is 503"), (None, "the answer is 404")],
)
def test_what_is_not_there_is_told(place, monkeypatch, server, page, message):
    knowing(monkeypatch, server)
    if page is not None:
        server.pages["/royal.tsv"] = page
    with pytest.raises(FirthError, match=rf"{message}.*https://example.org/royal tells of it, and --sets-from FOLDER"):
        sets.find("royal")
    assert kept(place) == []


def test_a_connection_that_breaks_off_leaves_nothing(place, monkeypatch, server):
    knowing(monkeypatch, server)
    server.pages["/royal.tsv"] = PAIRS
    server.cut.add("/royal.tsv")
    with pytest.raises(FirthError, match="broke off"):
        sets.find("royal")
    assert kept(place) == []
    server.cut.clear()
    assert sets.find("royal").where == "fetched"


def test_a_server_that_is_not_there_is_told(place, monkeypatch, server):
    knowing(monkeypatch, server)
    server.shutdown()
    server.server_close()
    with pytest.raises(FirthError, match="royal cannot be fetched from http:"):
        sets.find("royal")


def test_what_is_too_long_is_no_set(place, monkeypatch, server):
    knowing(monkeypatch, server, sha256={})
    monkeypatch.setattr(sets, "MOST_BYTES", 10)
    server.pages["/royal.tsv"] = PAIRS
    with pytest.raises(FirthError, match="gives more than"):
        sets.find("royal")
    assert kept(place) == []


@pytest.mark.parametrize("variable", sets.OFFLINE)
def test_nothing_is_fetched_offline(place, monkeypatch, server, variable):
    knowing(monkeypatch, server)
    server.pages["/royal.tsv"] = PAIRS
    monkeypatch.setenv(variable, "1")
    with pytest.raises(FirthError, match=f"not on this machine, and {variable} keeps from the network"):
        sets.find("royal")
    monkeypatch.delenv(variable)
    with pytest.raises(FirthError, match="was not to be fetched"):
        sets.find("royal", fetch=False)
    assert server.asked == []
    sets.find("royal")
    monkeypatch.setenv(variable, "1")
    assert sets.find("royal").where == "cache"


def test_only_https_where_no_checksum_decides(place, monkeypatch, server):
    server.pages["/royal.tsv"] = "http://example.org/elsewhere.tsv"
    knowing(monkeypatch, server, sha256={})
    with pytest.raises(FirthError, match=r"http://example.org/elsewhere.tsv is not fetched: HTTPS is due"):
        sets.find("royal")
    server.pages["/royal.tsv"] = f"{server.address}/there.tsv"
    server.pages["/there.tsv"] = PAIRS
    assert sets.find("royal").path.read_bytes() == PAIRS
    sets._check_address("http://example.org/a", is_known=True)
    for address in ("http://example.org/a", "ftp://example.org/a", "file:///etc/passwd"):
        with pytest.raises(FirthError, match="HTTPS is due"):
            sets._check_address(address, is_known=False)
    with pytest.raises(FirthError, match="HTTPS is due"):
        sets._check_address("file:///etc/passwd", is_known=True)


def test_archives_give_their_members_alone(place, monkeypatch, server):
    members = {"train/train.txt": "train.txt", "dev/dev.txt": "dev.txt"}
    known = {
        "files": tuple(members),
        "needs_all": True,
        "members": members,
        "sha256": {},
        "address": f"{server.address}/all.zip",
    }
    knowing(monkeypatch, server, **known)
    inside = {"__MACOSX/train.txt": b"x", "Set/train/train.txt": b"one", "Set/dev.txt": b"two", "../../evil.txt": b"!"}
    server.pages["/all.zip"] = zipped(inside)
    found = sets.find("royal")
    assert (found.path / "train/train.txt").read_bytes() == b"one"
    assert kept(place) == ["sets/royal/dev/dev.txt", "sets/royal/fetched.json", "sets/royal/train/train.txt"]
    assert sets.find("royal").where == "cache"


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"<html>", "is no ZIP archive"), (zipped({"other.txt": b"x"}), "has no royal.tsv")],
)
def test_what_is_no_archive_is_told(place, monkeypatch, server, content, message):
    knowing(monkeypatch, server, members={"royal.tsv": "royal.tsv"}, address=f"{server.address}/a.zip")
    server.pages["/a.zip"] = content
    with pytest.raises(FirthError, match=message):
        sets.find("royal")
    assert kept(place) == []


def test_a_record_that_was_written_by_others_leads_nowhere(place, monkeypatch, server):
    knowing(monkeypatch, server)
    server.pages["/royal.tsv"] = PAIRS
    folder = place / "sets" / "royal"
    folder.mkdir(parents=True)
    for record in ("[]", '{"sha256": 3}', json.dumps({"sha256": {"../../secret": digest(PAIRS)}}), "{"):
        (folder / "fetched.json").write_text(record)
        assert sets.find("royal").where == "fetched"
