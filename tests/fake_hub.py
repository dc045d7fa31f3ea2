"""A server on this machine that answers as the Hugging Face Hub does, as far as firth asks."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_tests"
LARGE = (".safetensors", ".hdf5", ".bin")


class FakeHub(ThreadingHTTPServer):
    """Repositories in memory.

    Attributes:
        repositories: The files of each model by name.
        private: Those that only the token opens.
        asked: Method and path of each request.
        cut: Files of which only half is sent.
        refused: Paths that are answered with a status.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.private: set[str] = set()
        self.asked: list[str] = []
        self.cut: set[str] = set()
        self.refused: dict[str, int] = {}
        self.large: dict[str, bytes] = {}  # what was uploaded and stands in no commit yet
        self.revisions: dict[tuple[str, str], dict[str, bytes]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def commit(self, name: str) -> str:
        """The hash of what a repository holds."""
        digest = hashlib.sha1()
        for path, content in sorted(self.repositories[name].items()):
            digest.update(path.encode() + b"\0" + content)
        self.revisions[name, digest.hexdigest()] = dict(self.repositories[name])
        return digest.hexdigest()

    def fetched(self) -> set[str]:
        """The names of the files that were asked for."""
        return {
            path.split("/resolve/")[1].partition("/")[2] for path in self.asked if "GET" in path and "/resolve/" in path
        }


@contextmanager
def running() -> Iterator[FakeHub]:
    hub = FakeHub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str = "", **told: str) -> None:
        self.status = status
        self.code = code
        self.told = told


class Answer(BaseHTTPRequestHandler):
    server: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self.answer("GET")

    def do_HEAD(self) -> None:
        self.answer("HEAD")

    def do_POST(self) -> None:
        self.answer("POST")

    def do_PUT(self) -> None:
        self.answer("PUT")

    def answer(self, method: str) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{method} {path}")
        try:
            for refused, status in self.server.refused.items():
                if refused in path:
                    raise Refused(status)
            self.answer_to(method, path, body)
        except Refused as refused:
            self.send_response(refused.status)
            if refused.code:
                self.send_header("X-Error-Code", refused.code)
            content = json.dumps({"error": "refused", **refused.told}).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if method != "HEAD":
                self.wfile.write(content)

    def answer_to(self, method: str, path: str, body: bytes) -> None:
        if method in ("GET", "HEAD") and (found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)):
            self.file(method, *found.groups())
        elif method == "GET" and (found := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path)):
            self.information(*found.groups())
        elif method == "GET" and (found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/.*)?", path)):
            self.tree(*found.groups())
        elif method == "PUT" and path.startswith("/large/"):
            self.server.large[path.removeprefix("/large/")] = body
            self.json({})
        elif path == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif method == "POST" and self.has_token():
            self.post(path, body)
        else:
            raise Refused(401 if method == "POST" else 404)

    def has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def files(self, name: str, revision: str) -> dict[str, bytes]:
        if name not in self.server.repositories or (name in self.server.private and not self.has_token()):
            raise Refused(401, "RepoNotFound")
        if revision in ("main", self.server.commit(name)):
            return self.server.repositories[name]
        if (name, revision) not in self.server.revisions:
            raise Refused(404, "RevisionNotFound")
        return self.server.revisions[name, revision]

    def information(self, name: str, revision: str | None) -> None:
        files = self.files(name, revision or "main")
        commit = self.server.commit(name) if revision in (None, "main") else str(revision)
        self.json({"id": name, "sha": commit, "siblings": [{"rfilename": path} for path in sorted(files)]})

    def tree(self, name: str, revision: str) -> None:
        self.json(
            [
                {"type": "file", "path": path, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
                for path, content in sorted(self.files(name, revision).items())
            ]
        )

    def file(self, method: str, name: str, revision: str, path: str) -> None:
        content = self.files(name, revision).get(path)
        if content is None:
            raise Refused(404, "EntryNotFound")
        self.send_response(200)
        self.send_header("X-Repo-Commit", revision)
        self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if method == "GET" and path in self.server.cut:
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
        elif method == "GET":
            self.wfile.write(content)

    def post(self, path: str, body: bytes) -> None:
        if path == "/api/repos/create":
            told = json.loads(body)
            name = f"{told['organization']}/{told['name']}" if told.get("organization") else told["name"]
            if name in self.server.repositories:
                raise Refused(409, url=f"{self.server.address}/{name}")
            self.server.repositories[name] = {".gitattributes": b""}
            self.server.private |= {name} if told.get("private") or told.get("visibility") == "private" else set()
            self.json({"url": f"{self.server.address}/{name}"})
        elif re.fullmatch(r"/api/models/([^/]+/[^/]+)/preupload/main", path):
            kinds = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                    "oid": None,
                }
                for file in json.loads(body)["files"]
            ]
            self.json({"files": kinds})
        elif path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                entry | {"actions": {"upload": {"href": f"{self.server.address}/large/{entry['oid']}"}}}
                for entry in json.loads(body)["objects"]
            ]
            self.json({"transfer": "basic", "objects": objects})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            self.committed(found[1], body)
        else:
            raise Refused(404)

    def committed(self, name: str, body: bytes) -> None:
        files = dict(self.server.repositories[name])
        for line in body.splitlines():
            change: dict[str, Any] = json.loads(line)
            value = change["value"]
            if change["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif change["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif change["key"] == "deletedFile":
                del files[value["path"]]
        self.server.repositories[name] = files
        commit = self.server.commit(name)
        self.json({"commitUrl": f"{self.server.address}/{name}/commit/{commit}", "commitOid": commit, "success": True})

    def json(self, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
