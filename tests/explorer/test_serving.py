"""`firth serve`: it answers at the address that it prints, and says what is wrong where it cannot."""

import http.client
import json
import queue
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from firth import cli, serving
from firth.demonstration import kept_models
from firth.errors import UsageError


def test_a_server_answers_at_the_address_that_it_prints(places: dict[str, Path]) -> None:
    command = [sys.executable, "-m", "firth", "serve", str(places["first"]), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = urlsplit(server.stdout.readline().strip())
            assert address.hostname == "127.0.0.1"
            connection = http.client.HTTPConnection(address.netloc, timeout=60)
            connection.request("GET", "/api/neighbours?word=bank&topn=2")
            answer = connection.getresponse()
            assert answer.status == 200
            assert len(json.loads(answer.read())["columns"][0]["neighbours"]) == 2
            connection.close()
        finally:
            server.terminate()
            server.wait(30)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"])
def test_the_address_that_is_printed_is_answered(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    if ":" in host:
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError:
            pytest.skip("this machine has no IPv6")
    uvicorn = pytest.importorskip("uvicorn")
    servers = []

    class Watched(uvicorn.Server):
        def __init__(self, config: object) -> None:
            super().__init__(config)
            servers.append(self)

    monkeypatch.setattr(uvicorn, "Server", Watched)
    said: queue.Queue[str] = queue.Queue()
    how = {"host": host, "port": 0, "token": "of-a-test", "say": said.put}
    thread = threading.Thread(target=serving.serve, args=([places["first"]],), kwargs=how, daemon=True)
    thread.start()
    address = urlsplit(said.get(timeout=60))
    connection = http.client.HTTPConnection(address.netloc, timeout=60)
    connection.request("GET", f"/?{address.query}")
    opened = connection.getresponse()
    opened.read()
    connection.close()
    servers[0].should_exit = True
    thread.join(60)
    assert opened.status == 303
    assert address.hostname not in ("0.0.0.0", "::")


@pytest.mark.parametrize("token", ["", "short", "with+a+plus", "a&b=c;d%e#f", "with a space", "令牌令牌令牌令牌"])
def test_a_token_that_opens_the_server_or_breaks_is_refused(token: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "nothing", "--token", token, "--quiet"]) == 2
    assert "8 or more" in capsys.readouterr().err


def test_what_is_no_origin_or_host_is_said(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", str(places["first"]), "--cors", "*", "--quiet"]) == 2
    assert "http://localhost:3000" in capsys.readouterr().err
    assert cli.main(["serve", str(places["first"]), "--host", "a..b", "--quiet"]) == 1
    assert "a..b" in capsys.readouterr().err


def test_what_is_no_model_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", str(tmp_path / "nothing"), "--quiet"]) == 1
    assert "nothing" in capsys.readouterr().err


def test_without_a_model_the_demonstration_is_due(tmp_path: Path) -> None:
    assert kept_models(tmp_path) == []
    with pytest.raises(UsageError, match="firth demo"):
        serving.serve(cache_dir=tmp_path)


def test_an_address_that_is_taken_is_said(places: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert cli.main(["serve", str(places["first"]), "--port", str(port), "--quiet"]) == 1
    assert "--port 0" in capsys.readouterr().err


def test_names_of_corpora_have_no_folders() -> None:
    assert serving._name([Path("/home/me/a.txt"), Path("b.txt")]) == "a.txt, b.txt"
    assert serving._name(["/x/1", "/x/2", "/x/3", "/x/4"]) == "1, 2, 3, ..."
    assert serving._name([["ready", "words"]]) == "corpus"
