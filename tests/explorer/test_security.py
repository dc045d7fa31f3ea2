"""Who is answered: this machine's own page, or who has the token; nobody else, and nothing that is too large."""

import pytest
from starlette.testclient import TestClient

from firth.errors import UsageError
from firth.explorer import security, translations
from firth.explorer.app import application

JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7321", "localhost:1", "LOCALHOST", "[::1]", "[::1]:80"])
def test_this_machine_is_answered(client, host):
    assert client.get("/api/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "[::1", "[::1]x", "127.0.0.1:x", "127.0.0.2"]
)
def test_another_host_is_refused(client, host):
    assert client.get("/api/models", headers={"host": host}).status_code == 400
    assert client.get("/", headers={"host": host}).status_code == 400


def test_two_hosts_are_none(client):
    answer = client.http.get("/api/models", headers=[("host", "127.0.0.1"), ("host", "evil.example")])
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9"},
        {"origin": "https://127.0.0.1:7321"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_page_is_refused(client, headers):
    assert client.http.post("/api/concordance", json={"word": "bank"}, headers=headers).status_code == 403
    assert client.get("/api/models", headers=headers).status_code == 403


def test_our_own_page_is_answered(client):
    headers = {"origin": "http://127.0.0.1:7321", "sec-fetch-site": "same-origin"}
    assert client.http.post("/api/concordance", json={"word": "bank"}, headers=headers).status_code == 200
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link to it


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "image/avif,image/webp,*/*;q=0.8"},
        {"accept": "video/webm,*/*"},
        {"accept": "text/css,*/*;q=0.1"},
        {"referer": "http://evil.example/page"},
        {"referer": "http://127.0.0.1:9/"},
        {"referer": "http://127.0.0.1:7321@evil.example/"},
    ],
)
def test_a_browser_that_does_not_say_where_from_starts_no_work_for_another_page(client, headers):
    assert client.get("/api/map?model=first", headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"accept": "*/*"},
        {"accept": "text/html,application/xhtml+xml,image/avif,*/*;q=0.8"},
        {"referer": "http://127.0.0.1:7321/map"},
        {"accept": "image/*", "sec-fetch-site": "same-origin"},
    ],
)
def test_a_program_and_our_own_page_need_say_nothing(client, headers):
    assert client.get("/api/models", headers=headers).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_is_no_json(client, kind):
    answer = client.http.post("/api/concordance", content=b'{"word": "bank"}', headers={"content-type": kind})
    assert answer.status_code == 415


def test_a_body_that_is_too_large_is_refused(client):
    large = b'{"word": "' + b"a" * security.MOST_BYTES + b'"}'
    assert client.http.post("/api/concordance", content=large, headers=JSON).status_code == 413

    def in_parts():
        for _ in range(65):
            yield b" " * (1 << 14)

    assert client.http.post("/api/concordance", content=in_parts(), headers=JSON).status_code == 413
    assert client.get(f"/api/words?model=first&prefix={'a' * security.MOST_QUERY_BYTES}").status_code == 413


def test_every_answer_carries_the_policy(client):
    for path in ("/", "/api/models", "/api/nothing", "/static/nothing"):
        headers = client.get(path).headers
        assert "script-src 'self';" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
    assert "content-security-policy" in client.get("/", headers={"host": "evil.example"}).headers


def test_a_token_is_asked_of_everyone(exploration):
    guarded = TestClient(
        application(exploration, hosts=["box.example"], token="s3cret"),
        base_url="http://box.example:7321",
        follow_redirects=False,
    )
    for path in ("/", "/api/models", "/static/page.js", "/api/models?token=wrong"):
        assert guarded.get(path).status_code == 401
    assert guarded.post("/api/concordance?token=s3cret", json={"word": "bank"}).status_code == 401
    assert guarded.get("/api/models", headers={"authorization": "Bearer s3cret"}).status_code == 200
    assert guarded.get("/api/models", headers={"authorization": "Bearer s3cre"}).status_code == 401
    assert guarded.get("/").json()["error"]
    page = guarded.get("/", headers={"accept": "text/html,*/*;q=0.8"})
    assert page.status_code == 401
    assert page.headers["content-type"].startswith("text/html")
    assert "firth serve" in page.text
    opened = guarded.get("/%2Fevil.example/?word=a%26b&token=s3cret")
    assert opened.status_code == 303
    assert opened.headers["location"] == "/evil.example/?word=a%26b"
    assert "HttpOnly" in opened.headers["set-cookie"]
    strict, lax = opened.headers.get_list("set-cookie")
    assert "SameSite=Strict" in strict
    assert "SameSite=Lax" in lax
    assert guarded.get("/api/models").status_code == 200  # by the cookie
    assert guarded.get("/api/models", headers={"host": "other.example"}).status_code == 400


@pytest.mark.parametrize(
    ("asked", "headers", "lang"),
    [
        ("/", {"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh-Hans"),
        ("/map?lang=zh", {"accept-language": "en"}, "zh-Hans"),
        ("/", {"accept-language": "en", "cookie": "lang=zh"}, "zh-Hans"),
        ("/?lang=<b>", {"accept-language": "fr"}, "en"),
    ],
)
def test_the_page_that_asks_for_a_token_speaks_the_language_of_the_reader(exploration, asked, headers, lang):
    guarded = TestClient(application(exploration, token="s3cret"), base_url="http://127.0.0.1:7321")
    page = guarded.get(asked, headers={"accept": "text/html", **headers})
    assert page.status_code == 401
    assert f'<html lang="{lang}">' in page.text
    assert translations.texts(lang[:2])["refused-token"] in page.text
    told = guarded.get("/api/models", headers=headers).json()
    assert told["error"] == "this address needs its token"
    assert told["code"] == "refused-token"


def test_a_link_from_elsewhere_opens_the_pages_and_not_the_api(exploration):
    guarded = TestClient(application(exploration, token="s3cret"), base_url="http://127.0.0.1:7321")
    cookie = {"cookie": f"{security.PAGE_COOKIE}=s3cret"}  # all that a browser sends with such a link
    assert guarded.get("/", headers=cookie).status_code == 200
    assert guarded.get("/api/models", headers=cookie).status_code == 401
    assert guarded.post("/api/concordance", json={"word": "bank"}, headers=cookie).status_code == 401


def test_the_address_at_which_a_request_came_is_a_name_of_this_machine(exploration):
    there = TestClient(application(exploration), base_url="http://192.0.2.7:7321")  # no name that was given
    assert there.get("/api/models").status_code == 200
    assert there.get("/api/models", headers={"host": "192.0.2.8:7321"}).status_code == 400
    by_name = TestClient(application(exploration), base_url="http://evil.example:7321")
    assert by_name.get("/api/models").status_code == 400


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://Note.Example/", "http://note.example"),
        ("https://note.example:443", "https://note.example"),
        ("http://[::1]:80/", "http://[::1]"),
        ("vscode-webview://a-1", "vscode-webview://a-1"),
    ],
)
def test_origins_are_as_browsers_write_them(given, origin):
    assert security.origin_of(given) == origin


@pytest.mark.parametrize("given", ["*", "null", "", "localhost:3000", "http://x/page", "http://me@x", "http://*.x"])
def test_what_is_no_origin_is_refused(exploration, given):
    with pytest.raises(UsageError, match="http://localhost:3000"):
        application(exploration, cors=[given])


def test_other_origins_are_answered_only_where_they_were_named(exploration):
    shared = TestClient(application(exploration, cors=["http://Note.example:80/"]), base_url="http://127.0.0.1:7321")
    asked = {"origin": "http://note.example", "sec-fetch-site": "cross-site"}
    answer = shared.post("/api/concordance", json={"word": "bank"}, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://note.example"
    assert shared.options("/api/concordance", headers=asked).status_code == 204
    other = shared.get("/api/models", headers={"origin": "http://other.example"})
    assert other.status_code == 403
    assert "access-control-allow-origin" not in other.headers


def test_an_error_in_the_server_shows_nothing_of_it(exploration, monkeypatch, capsys):
    def broken():
        raise RuntimeError("at /home/me/secret-folder")

    monkeypatch.setattr(exploration, "models", broken)
    client = TestClient(application(exploration), base_url="http://127.0.0.1", raise_server_exceptions=False)
    answer = client.get("/api/models")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "RuntimeError" in capsys.readouterr().err


def test_names_of_an_address():
    assert security.names_of("192.0.2.1") == {"192.0.2.1"}
    assert security.names_of("::1") == {"[::1]"}
    assert "0.0.0.0" not in security.names_of("0.0.0.0")
