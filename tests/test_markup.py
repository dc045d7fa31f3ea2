"""Markup taken out of lines: what goes, what stays, and that everything else is left alone."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import Preparation, Segmentation, UsageError, markup, stretches
from firth import corpus as corpora
from firth.alignment import cut_texts
from firth.preparation import MARKUP
from firth.segmentation import choose

ALL = frozenset(MARKUP)
SIGNS = "<>/&;[]{}()'\"=*_#`|!:@.-~+% "
ANY = st.text(
    st.one_of(st.sampled_from(SIGNS + "abhtpsrefw0123\n\u2060今é"), st.characters(codec="utf-8")), max_size=80
)
PLAIN = st.text(st.sampled_from("abcdeé今天ไ ,.;:!?()'\"-0123\n\u2060\u00ad"), max_size=80)


def cleaned(text: str, *kinds: str) -> str:
    """The lines of a text in one block, without markup."""
    return "".join(markup.cleaned([text + "\n"], kinds, Counter())).removesuffix("\n")


@pytest.mark.parametrize(
    ("kind", "text", "left"),
    [
        ("html", "a <b>bold</b>ly told<br/>tale", "a boldly told tale"),
        ("html", '<p class="x">one</p><p>two</p>', "one two"),
        ("html", "<td>a</td><td>b</td>", "a b"),
        ("html", "before<!-- not this -->behind", "before behind"),
        ("html", "one<script type=x>var a = 1 < 2;</script>two", "one two"),
        ("html", "caf&eacute;s &amp; bars&nbsp;open", "cafés & bars open"),
        ("html", "&#8212; &#x4eca;&#22825; &amp;quot;twice&amp;quot;", '— 今天 "twice"'),
        ("html", "a &lt;b&gt;tag&lt;/b&gt; escaped", "a tag escaped"),
        ("html", "<details open>a<video controls muted>b<input REQUIRED />c<option value>d", "a b c d"),
        ("html", "<value a> <input file> <a value> <p values>", "<value a> <input file> <a value> <p values>"),
        ("html", "fish &chips; &notachar; R&D; AT&T", "fish &chips; &notachar; R&D; AT&T"),
        ("html", "1 < 2 and 3 > 2, a <- b, <3, <y and z>", "1 < 2 and 3 > 2, a <- b, <3, <y and z>"),
        ("html", "&#10;&#13;&#xd800;&#99999999;", "\ufffd&#99999999;"),
        ("wiki", "see [[Main Page|this]] and [[dog]]s", "see this and dogs"),
        ("wiki", "'''Firth''' was {{lang|en|{{nested}}}} a ''linguist''", "Firth was a linguist"),
        ("wiki", "[[File:a.png|thumb|a [[linked]] caption]]Text", "Text"),
        ("wiki", "a[http://x.org/y the label]b<ref name=z>noted</ref>.", "athe labelb ."),
        ("wiki", "== A heading ==\n{| class=x\n|-\n|}\n{{Infobox\n| born = 1890\n}}", "A heading\n1890"),
        ("markdown", "## A heading\n- a point\n* another", "A heading\na point\nanother"),
        ("markdown", "a [link](https://x.org/a_(b)) and ![alt](i.png)", "a link and alt"),
        ("markdown", "**bold** and _em_ but snake_case_name, 2*3*4", "bold and em but snake_case_name, 2*3*4"),
        ("markdown", "```python\n`code` here\n```\n[1]: http://x.org", "code here"),
        ("urls", "see https://x.org/a?b=c. Or www.y.com/z, or a.b+c@d-e.co.uk!", "see . Or , or !"),
        ("urls", "（见http://x.org/a）然后", "（见 ）然后"),
        ("urls", "not a url: http:// nor @handle nor a@b", "not a url: http:// nor @handle nor a@b"),
        ("codes", f"key {'a1B2' * 12}== and {'x' * 40}1 but {'y' * 39}2", f"key and but {'y' * 39}2"),
        ("codes", f"{'ab/cD+' * 7} {'x' * 41} {'ACGT' * 11}", "x" * 41),
        ("codes", f"usr/{'Docs/' * 9}x and {'A_B' * 14}", f"usr/{'Docs/' * 9}x and {'A_B' * 14}"),
        ("codes", f"Donau{'dampfschifffahrt' * 3} {'no' * 21}=", f"Donau{'dampfschifffahrt' * 3} {'no' * 21}="),
        ("codes", f"a rule {'-' * 60} stays", f"a rule {'-' * 60} stays"),
    ],
)
def test_what_goes_and_what_stays(kind: str, text: str, left: str) -> None:
    assert cleaned(text, kind) == left
    assert cleaned(text) == text


def test_kinds_go_together_in_their_order() -> None:
    text = "<p>[a link](http://x.org) &lt;b&gt;'''wiki'''&lt;/b&gt; http://y.org</p>"
    assert cleaned(text, "urls", "markdown", "html", "wiki") == "a link wiki"


def test_a_line_of_markup_alone_goes_and_an_empty_one_stays() -> None:
    assert cleaned("<p>\n\na\n</p>\n&nbsp;", "html") == "\na"


@given(ANY, st.sets(st.sampled_from(MARKUP)))
def test_blanked_text_keeps_its_length_and_its_lines(text: str, kinds: set[str]) -> None:
    found: Counter[str] = Counter()
    blanked = markup.blanked(text, kinds, found)
    assert len(blanked) == len(text)
    assert [place for place, char in enumerate(blanked) if char == "\n"] == [
        place for place, char in enumerate(text) if char == "\n"
    ]
    assert (blanked == text) == (not found)


@given(PLAIN)
def test_text_without_markup_stays_as_it_is(text: str) -> None:
    text = re.sub("'+", "'", text)  # two of them are slanting letters' in a wiki
    text = "\n".join(line.lstrip("- ") for line in text.split("\n"))  # and this is a point in Markdown
    found: Counter[str] = Counter()
    assert list(markup.cleaned([text], ALL - {"codes"}, found)) == [text]
    assert not found


@given(ANY)
def test_lines_do_not_depend_on_their_neighbours(text: str) -> None:
    def lines(text: str) -> str:
        return "".join(markup.cleaned([text], MARKUP, Counter()))

    assert lines(text + "\n") == "".join(lines(line + "\n") for line in text.split("\n"))


@given(ANY, st.integers(1, 60))
def test_nor_on_the_blocks_that_they_come_in(text: str, block_characters: int) -> None:
    def read(**changes: int) -> str:
        corpus = corpora.read(iter([text.replace("\0", "")]), Preparation(layout="lines", drop=MARKUP), **changes)
        return "".join(map(str, corpus.blocks()))

    assert read(block_characters=block_characters) == read()


def test_a_line_that_goes_on_in_the_next_block_is_not_closed_up() -> None:
    found: Counter[str] = Counter()
    blocks = ["one <b>two</b> ", "<i></i>", "<br>three\n", "four"]
    assert list(markup.cleaned(blocks, ["html"], found)) == ["one two ", "", " three\n", "four"]
    assert found == {"HTML tags": 5}


@pytest.mark.parametrize(
    ("blocks", "left"),
    [
        (["a\n<b>", "<i>\nb\n"], "a\nb\n"),
        (["a\n<b>", "\nb\n"], "a\nb\n"),
        (["a\n<b>", " ", "<i>", " \n\nb\n"], "a\n\nb\n"),
        (["a\n \t", "<i>\nb\n"], "a\n \tb\n"),
        (["a\n<b>", "c\nb\n"], "a\nc\nb\n"),
        (["a\nc", "<b>", "\nb\n"], "a\nc\nb\n"),
        (["a\n ", "\nb\n"], "a\n \nb\n"),
        (["a\n", "\nb\n"], "a\n\nb\n"),
    ],
)
def test_a_line_of_markup_alone_goes_where_blocks_part_it_too(blocks: list[str], left: str) -> None:
    assert "".join(markup.cleaned(blocks, ["html"], Counter())) == left


def test_a_long_line_of_markup_alone_ends_no_document() -> None:
    lines = ["first", "A" * (stretches.LONGEST + 5000), "second"]
    corpus = corpora.read(lines, Preparation(drop=("codes",)))
    assert "".join(map(str, corpus.blocks())) == "first\nsecond\n\n"


@pytest.mark.parametrize("text", ["<" * 60_000, "&amp;" * 12_000, "[[" * 30_000, "{{a" * 20_000, "<a " * 20_000])
def test_no_text_takes_long(text: str) -> None:
    assert len(markup.blanked(text, ALL)) == len(text)


class TestReading:
    LINES = ("<p>The <b>king</b> lives.</p>", "<hr/>", "", "See http://x.org or [[him]]. The end.")

    def test_a_corpus_is_rid_of_it_before_sentences_are_split(self) -> None:
        preparation = Preparation(drop=("html", "urls"), sentences="split", lang="en")
        corpus = corpora.read(list(self.LINES), preparation)
        assert "".join(map(str, corpus.blocks())) == "The king lives.\n\nSee or [[him]]. \nThe end.\n\n"
        assert corpus.faults.dropped == {"HTML tags": 5, "URLs": 1}
        assert corpus.faults.sentences() == ["markup left out or made plain: HTML tags (5), URLs (1)"]

    def test_samples_are_rid_of_it_too(self) -> None:
        corpus = corpora.read(["<span>今天我很开心</span>"] * 20, Preparation(drop=("html",)))
        assert "span" not in corpus.sample()
        segmentation, _, _ = choose(corpus.sample(), Preparation(drop=("html",)))
        assert (segmentation.method, segmentation.drop) == ("chinese", ("html",))

    def test_queries_are_read_alike(self) -> None:
        segmentation = Segmentation(method="words", drop=("html", "urls"))
        assert segmentation.words("The <b>k</b>ings&apos; caf&eacute; http://x.org") == ["the", "kings", "café"]
        assert segmentation.words("a & b") == Segmentation(method="words").words("a & b")
        assert Segmentation.from_settings(segmentation.settings()) == segmentation
        assert "drop" not in Segmentation(method="words").settings()

    def test_the_words_of_a_query_keep_their_places(self) -> None:
        text = "A caf&eacute; in <b>Pa</b>ris."
        (cut,) = cut_texts([text], Segmentation(method="words", drop=("html",)))
        assert cut.text == text
        assert cut.words == ["a", "café", "in", "paris"]
        found = [text[start:end] for start, end in zip(cut.starts, cut.ends, strict=True)]
        assert found[0] == "A"
        assert found[1].startswith("caf&eacute;")
        assert found[2] == "in"
        assert found[3].startswith("Pa</b>ris")


def test_what_is_asked_for_is_checked_and_put_in_order() -> None:
    assert Preparation(drop=("urls", "html,urls")).drop == ("html", "urls")
    with pytest.raises(UsageError, match="drop is 'tags'; there are html, wiki, markdown, urls, codes"):
        Preparation(drop=("html", "tags"))
    assert "drop" not in Preparation().settings()
    kept = Preparation(drop=("wiki",))
    assert Preparation.from_settings(kept.settings()) == kept
