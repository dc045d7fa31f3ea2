import base64
import hashlib
import re

from firth.pages import Cell, page, table, text

EVIL = "</td><script>alert(1)</script>\u202e"


def test_text_from_outside_is_text() -> None:
    assert text("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert text("a\u202eb") == "a\\u{202e}b"


class TestTable:
    def test_numbers_stand_right_and_sort_by_their_value(self) -> None:
        found = table([{"name": "a", "score": 0.5, "n": 1_000}, {"name": "b", "score": None, "n": 2}], "What it is")
        assert '<th scope="col" class="number" aria-sort="none"><button type="button">score</button></th>' in found
        assert '<td class="number" data-value="0.5">0.5000</td>' in found
        assert '<td class="number" data-value="1000">1,000</td>' in found
        assert '<td class="number"></td>' in found
        assert '<th scope="col" class="text"' in found
        assert "<caption><span>What it is</span></caption>" in found

    def test_cells(self) -> None:
        found = table([{"score": Cell("12.3 %", 0.123, "L1", "best")}, {"score": Cell("", None)}])
        assert '<td class="number best" data-value="0.123">12.3 % <small>L1</small></td>' in found

    def test_nothing_of_the_data_is_a_tag(self) -> None:
        found = table([{EVIL: EVIL, "b": Cell(EVIL, EVIL, EVIL, EVIL, is_number=False)}], EVIL)
        assert "<script" not in found
        assert "\u202e" not in found
        assert found.count("alert(1)") >= 5

    def test_without_rows_there_is_none(self) -> None:
        assert table([]) == ""


class TestPage:
    def test_it_runs_its_own_program_and_loads_nothing(self) -> None:
        found = page("T <b>", ["<p>body</p>"], lang="zh-CN")
        (script,) = re.findall(r"<script>(.*?)</script>", found, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in found
        assert "default-src 'none'" in found
        assert '<html lang="zh-CN">' in found
        assert "<title>T &lt;b&gt;</title>" in found
        assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=", found)

    def test_other_programs_stand_in_the_head(self) -> None:
        found = page("T", [], programs=["var one = 1;"])
        assert found.index("var one") < found.index("<body>")
        assert "script-src 'unsafe-inline'" in found
