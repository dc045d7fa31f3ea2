import re

from invented_comparison import EVIL, hostile, invented

from firth.comparison_report.language import speaker
from firth.comparison_report.paper import bibtex, cited, escaped, latex, methods
from firth.comparison_report.reading import Comparison
from firth.comparison_report.references import ALWAYS, BY_FAMILY, BY_MEASURE, BY_SET, ENTRIES

SAY = speaker("en")


class TestMethods:
    def test_it_tells_what_ran(self) -> None:
        told = methods(Comparison.read(invented()), SAY)
        assert "20,000,000 words (fingerprint 0123abcd), segmented by words" in told
        assert "3 minutes of wall-clock time (preparing not counted)" in told
        assert "Seeds: 1, 2, 3." in told
        assert "half of each set's items" in told
        assert "random" not in told.partition("on wiki.txt")[0]

    def test_published_models_are_set_apart(self) -> None:
        report = invented()
        report["variants"][2]["published"] = True
        assert "glove saw other text and take no part" in methods(Comparison.read(report), SAY)


class TestLatex:
    def test_tables(self) -> None:
        told = latex(Comparison.read(invented()), SAY)
        assert told.isascii()
        assert told.count(r"\begin{tabular}") == told.count(r"\end{tabular}") >= 2
        assert r"\textbf{" in told
        for table in re.findall(r"\\toprule\n(.*?)\\bottomrule", told, re.DOTALL):
            lines = [line for line in table.splitlines() if line.endswith(r"\\")]
            assert len({line.count("&") for line in lines}) == 1  # every row has as many cells
        assert "wordsim353" in told

    def test_chinese_says_what_compiles_it(self) -> None:
        assert "ctex" in latex(Comparison.read(invented("zh")), speaker("zh")).splitlines()[0]

    def test_hostile_names_are_text(self) -> None:
        assert escaped(r"a_b & 50% $x$ {\y} ^~#") == (
            r"a\_b \& 50\% \$x\$ \{\textbackslash{}y\} \textasciicircum{}\textasciitilde{}\#"
        )
        assert escaped('"a"') == r"{\char34}a{\char34}"  # \textquotedbl would need \usepackage[T1]{fontenc}
        told = latex(Comparison.read(hostile()), SAY)
        assert EVIL not in "\n".join(line for line in told.splitlines() if not line.startswith("%"))
        report = invented()
        report["command"] = "firth\n\\input{/etc/passwd}"
        lines = latex(Comparison.read(report), SAY).splitlines()
        assert not any(line.startswith("\\input") for line in lines)


class TestBibtex:
    def test_what_was_used_is_cited(self) -> None:
        keys = cited(Comparison.read(invented()))
        assert {"devlin2019", "finkelstein2002", "levy2014", "holm1979", "silveira2014"} <= set(keys)
        assert "chen2015" not in keys
        assert "chen2015" in cited(Comparison.read(invented("zh")))

    def test_entries_are_whole(self) -> None:
        for key, entry in ENTRIES.items():
            assert re.match(rf"@\w+{{{key},\n  author = {{", entry)
            assert entry.count("{") == entry.count("}")
            year = key.rstrip("abc")[-4:]
            assert f"year = {{{year}}}" in entry
            assert "title = {" in entry
        assert bibtex(Comparison.read(invented())).count("@") > 8

    def test_all_keys_have_entries(self) -> None:
        keys = {*ALWAYS, *BY_SET.values(), *BY_MEASURE.values(), *(key for some in BY_FAMILY.values() for key in some)}
        assert keys <= set(ENTRIES)
