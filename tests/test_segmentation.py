import itertools
import json
import re
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rjieba
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import FirthError, UsageError
from firth.phrases import Phrase, Phrases
from firth.preparation import Preparation
from firth.segmentation import Caution, Segmentation, choose, unsegmented
from firth.userwords import UserWord, UserWords

WORDS = Segmentation(method="words")
SPACE = Segmentation(method="space")
CHINESE = Segmentation(method="chinese")
CHARACTERS = Segmentation(method="characters")
CASED = Segmentation(method="words", lower=False)
MENDED = Segmentation(method="words", unicode_form="NFKC", digits="zero", simplified=True, inner="'-")
MENDED_CHINESE = Segmentation(method="chinese", unicode_form="NFKC", digits="zero", inner="'-")
METHODS = [WORDS, SPACE, CHINESE, CHARACTERS, CASED, MENDED, MENDED_CHINESE]

ANY_TEXT = st.text(st.characters(codec="utf-8"))
RESTLESS_TEXT = st.text(  # what normalising and cutting act on, much of it on its neighbours
    "ab ΑΣσ\u0130I\u0307\u0301\u0323\u0345\u0327Åé½…ﬁ＋ｶﾞ각ᄀ\u1161\u11a8我髮۳7１𐒰𝐀'’-‐‑_\u200d"
    "葛\U000e0100ไทยบ้านはかな\n\u2028\u00ad\u2060\ufeff",
    max_size=40,
)
EVERY_CHARACTER = "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
CHINESE_TEXT = st.text("我今天好开心北京大学々〇𠮷 　,。aé\u0301\u200d1_\n", max_size=60)
INVISIBLE = "\u00ad\u2060\ufeff"


def visible(text: str) -> str:
    return "".join(char for char in text if char not in INVISIBLE)


class TestWords:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("The quick, brown fox!", ["the", "quick", "brown", "fox"]),
            ("don't re-do snake_case x2", ["don", "t", "re", "do", "snake_case", "x2"]),
            ("हिन्दी भाषा।", ["हिन्दी", "भाषा"]),
            ("ภาษาไทยที่ดี", ["ภาษาไทยที่ดี"]),
            ("العَرَبِيَّة، لغة", ["العَرَبِيَّة", "لغة"]),
            ("می‌خواهم", ["می‌خواهم"]),
            ("שָׁלוֹם, עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),
            ("tie\u0302\u0301ng Vie\u0323\u0302t", ["tiếng", "việt"]),
            ("cafe\u0301 Ω", ["café", "ω"]),
            ("ΟΔΟΣ İstanbul", ["οδος", "i̇stanbul"]),
            ("\u0301 a ❤️ 👩‍💻", ["a"]),  # marks on nothing, or on what is no letter, are no words
            ("½ Ⅷ ²", ["½", "ⅷ", "²"]),
            ("我今天好开心 hello", ["我今天好开心", "hello"]),
            ("", []),
            (" ,. \n", []),
        ],
    )
    def test_letters_marks_digits_and_underscores(self, text: str, words: list[str]) -> None:
        assert WORDS.words(text) == words

    def test_case_is_kept_when_asked(self) -> None:
        assert Segmentation(method="words", lower=False).words("The É") == ["The", "É"]

    @given(text=ANY_TEXT)
    def test_words_are_those_of_the_plain_rule(self, text: str) -> None:
        def is_mark(char: str) -> bool:
            return unicodedata.category(char)[0] == "M" or char in "\u200c\u200d"

        kept = []
        in_word = False
        for char in WORDS.normalize(text):
            in_word = char.isalnum() or char == "_" or (in_word and is_mark(char))
            kept.append(char if in_word else " ")
        assert WORDS.words(text) == "".join(kept).split()

    @given(text=ANY_TEXT)
    def test_a_word_is_a_query_for_itself(self, text: str) -> None:
        segmentation = Segmentation(method="words", lower=False)
        for word in segmentation.words(text):
            assert segmentation.words(word) == [word]


class TestSpace:
    def test_white_space_alone_separates(self) -> None:
        assert SPACE.words("U.S. don't\u3000今天，好 \t\n") == ["u.s.", "don't", "今天，好"]

    @given(text=ANY_TEXT)
    def test_words_are_those_of_split(self, text: str) -> None:
        assert SPACE.words(text) == SPACE.normalize(text).split()


class TestChinese:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("我今天好开心", "我 今天 好开心"),
            ("我 今天 好 开心", "我 今天 好 开心"),
            ("我　今天　好　开心。", "我 今天 好 开心"),
            ("在 iPhone 上使用 WiFi 网络", "在 iphone 上 使用 wifi 网络"),
            ("北京大学的T恤和iPhone手机", "北京大学 的 t 恤 和 iphone 手机"),
            ("T恤 很 好看", "t恤 很 好看"),
            ("他来到了网易杭研大厦，这是一个 杂散的空格", "他 来到 了 网易 杭研 大厦 这是 一个 杂散 的 空格"),
            ("床前明月光　疑是地上霜", "床前 明月光 疑是 地上 霜"),
            ("好", "好"),
            ("no Chinese, don't", "no chinese don t"),
            ("", ""),
        ],
    )
    def test_lines(self, text: str, words: str) -> None:
        assert CHINESE.words(text) == words.split()

    def test_every_line_is_decided_by_itself(self) -> None:
        text = "我今天好开心\n我 今天 好 开心\n我今天好开心"
        assert CHINESE.words(text) == ["我", "今天", "好开心", "我", "今天", "好", "开心", "我", "今天", "好开心"]

    def test_a_variation_selector_stays_with_its_character(self) -> None:
        assert CHINESE.words("葛\U000e0100城") == ["葛\U000e0100", "城"]

    @given(text=CHINESE_TEXT)
    def test_no_letter_is_lost_or_moved(self, text: str) -> None:
        assert "".join(CHINESE.words(text)) == "".join(WORDS.words(text))

    @given(lines=st.lists(CHINESE_TEXT.map(lambda text: text.replace("\n", "")), max_size=6))
    def test_lines_together_are_the_lines_alone(self, lines: list[str]) -> None:
        together = CHINESE.words("\n".join(lines))
        assert together == [word for line in lines for word in CHINESE.words(line)]

    def test_a_long_run_without_punctuation(self) -> None:
        assert CHINESE.words("北京大学" * 20_000) == ["北京大学"] * 20_000


class TestCharacters:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("我今天好，2024年 iPhone很好", "我 今 天 好 2024 年 iphone 很 好"),
            ("葛\U000e0100城T恤", "葛\U000e0100 城 t 恤"),
            ("บ้านไทย ๒๕", "บ้ า น ไ ท ย ๒๕"),
            ("ပြည်", "ပြ ည်"),
            ("ລາວabcລ", "ລ າ ວ abc ລ"),
            ("ខ្មែរ", "ខ្ មែ រ"),
            ("カタカナとひらがな", "カ タ カ ナ と ひ ら が な"),
            ("か\u3099x", "が x"),
            ("한국어 हिन्दी don't", "한국어 हिन्दी don t"),
        ],
    )
    def test_a_letter_with_its_marks(self, text: str, words: str) -> None:
        assert CHARACTERS.words(text) == words.split()

    @given(text=st.one_of(ANY_TEXT, RESTLESS_TEXT))
    def test_no_letter_is_lost_or_moved(self, text: str) -> None:
        assert "".join(CHARACTERS.words(text)) == "".join(WORDS.words(text))


class TestNormalisation:
    @pytest.mark.parametrize("form", ["NFC", "NFKC"])
    @pytest.mark.parametrize("lower", [True, False])
    @given(text=st.one_of(ANY_TEXT, RESTLESS_TEXT))
    def test_it_is_what_python_makes_of_the_whole_text(self, form: Any, lower: bool, text: str) -> None:
        composed = unicodedata.normalize(form, visible(text))
        lowered = unicodedata.normalize(form, composed.lower() if lower else composed)
        assert Segmentation(method="words", unicode_form=form, lower=lower).normalize(text) == lowered

    @pytest.mark.parametrize("form", ["NFC", "NFKC"])
    @pytest.mark.parametrize("around", ["\n", "a\n", "\u0301\n"])
    def test_every_character(self, form: Any, around: str) -> None:
        text = around.join(EVERY_CHARACTER)
        composed = unicodedata.normalize(form, visible(text))
        segmentation = Segmentation(method="words", unicode_form=form)
        normalized = segmentation.normalize(text)
        assert normalized == unicodedata.normalize(form, composed.lower())
        assert normalized.count("\n") == text.count("\n")
        assert segmentation.normalize(normalized) == normalized

    @pytest.mark.parametrize("segmentation", METHODS)
    @given(text=st.one_of(ANY_TEXT, RESTLESS_TEXT))
    def test_newlines_stay(self, segmentation: Segmentation, text: str) -> None:
        normalized = segmentation.normalize(text)
        assert normalized.count("\n") == text.count("\n")
        assert len(segmentation.split(text).line_ends) == text.count("\n")
        assert [segmentation.normalize(line) for line in text.split("\n")] == normalized.split("\n")

    @pytest.mark.parametrize("segmentation", METHODS)
    @given(text=RESTLESS_TEXT)
    def test_what_is_normal_stays(self, segmentation: Segmentation, text: str) -> None:
        normalized = segmentation.normalize(text)
        assert segmentation.normalize(normalized) == normalized

    @pytest.mark.parametrize("segmentation", METHODS)
    def test_soft_hyphens_and_their_like_are_no_part_of_a_word(self, segmentation: Segmentation) -> None:
        for char in INVISIBLE:
            assert segmentation.words(f"donau{char}dampf{char}schiff {char} {char}e{char}\u0301") == (
                ["donaudampfschiff", "\u00e9"]
            )
            assert segmentation.words(f"北京{char}大学") == segmentation.words("北京大学")
            assert segmentation.normalize(f"a{char}\n{char}b") == "a\nb"

    @pytest.mark.parametrize("segmentation", METHODS)
    @given(
        lines=st.lists(st.text("aé好 \t\u0301\u3000" + INVISIBLE, max_size=8), max_size=6),
        rest=st.text("a" + INVISIBLE, max_size=4),
    )
    def test_a_line_is_empty_where_there_is_white_space_alone(
        self, segmentation: Segmentation, lines: list[str], rest: str
    ) -> None:
        split = segmentation.split("".join(line + "\n" for line in lines) + rest)
        n_visible = np.diff(split.visible_ends, prepend=0).tolist()
        assert [n == 0 for n in n_visible] == [not line.strip() for line in lines]
        assert (split.n_visible == sum(n_visible)) == (not rest)

    def test_compatibility_forms(self) -> None:
        nfkc = Segmentation(method="words", unicode_form="NFKC")
        assert nfkc.words("ＦＩＲＴＨ ﬁne ½ ｶﾞ 𝐀 x…") == ["firth", "fine", "1", "2", "ガ", "a", "x"]
        assert nfkc.words("a¨b") == ["a", "b"]  # a space and a mark

    def test_digits(self) -> None:
        zero = Segmentation(method="words", digits="zero")
        assert zero.words("in 1984, x2 ٣٤ १२ ② ½ Ⅷ") == ["in", "0000", "x0", "00", "00", "②", "½", "ⅷ"]
        decimals = [char for char in EVERY_CHARACTER if unicodedata.category(char) == "Nd"]
        assert len(decimals) > 500
        assert zero.normalize("".join(decimals)) == "0" * len(decimals)

    def test_traditional_to_simplified(self) -> None:
        simplified = Segmentation(method="chinese", simplified=True)
        assert simplified.words("頭髮發達，皇后在後面") == ["头发", "发达", "皇后", "在", "后面"]
        assert simplified.normalize("\uf900") == "岂"  # a compatibility ideograph of 豈

    def test_simplifying_keeps_every_newline(self) -> None:
        segmentation = Segmentation(method="words", simplified=True)
        for text in (EVERY_CHARACTER, "\n".join(EVERY_CHARACTER[0x3400:0xA000])):
            assert segmentation.normalize(text).count("\n") == text.count("\n")

    def test_without_opencc(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from firth import segmentation

        segmentation._simplifier.cache_clear()
        monkeypatch.setitem(sys.modules, "opencc", None)
        with pytest.raises(FirthError, match=r"pip install 'firth\[opencc\]'"):
            Segmentation(method="words", simplified=True).words("頭髮")

    def test_surrogates_are_refused(self) -> None:
        for segmentation in METHODS:
            with pytest.raises(FirthError, match="no valid text"):
                segmentation.normalize("a\udcff")


class TestInner:
    INNER = Segmentation(method="words", inner="'-")

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("don't re-do 'tis rock'n'roll dogs' -x- a--b", "don't re-do tis rock'n'roll dogs x a b"),
            ("don’t re‐do re‑do ‘tis’", "don't re-do re-do tis"),
            ("COVID-19 3-4 _-a", "covid-19 3-4 _-a"),
            ("cafe\u0301-bar l'été x'\u0301y", "café-bar l'été x y"),
            ("-", ""),
            ("'a", "a"),
            ("a'", "a"),
            ("a'\n'b", "a b"),
        ],
    )
    def test_apostrophes_and_hyphens(self, text: str, words: str) -> None:
        assert self.INNER.words(text) == words.split()

    def test_other_forms_count_where_the_plain_one_is_named(self) -> None:
        assert Segmentation(method="words", inner="-").words("don’t re‐do") == ["don", "t", "re-do"]
        assert Segmentation(method="words", inner="·").words("l·l don't") == ["l·l", "don", "t"]

    def test_characters_that_are_words_alone_are_parted(self) -> None:
        assert Segmentation(method="chinese", inner="-").words("北京-上海 e-mail T-恤") == [
            "北京",
            "上海",
            "e-mail",
            "t",
            "恤",
        ]
        assert Segmentation(method="characters", inner="-").words("ไ-ท e-mail") == ["ไ", "ท", "e-mail"]

    @given(text=RESTLESS_TEXT)
    def test_words_are_those_of_the_plain_rule(self, text: str) -> None:
        def is_mark(char: str) -> bool:
            return unicodedata.category(char)[0] == "M" or char in "\u200c\u200d"

        def is_letter(char: str) -> bool:
            return char.isalnum() or char == "_"

        kept = []
        in_word = False
        normalized = self.INNER.normalize(text) + " "
        for char, following in itertools.pairwise(normalized):
            was_inner = bool(kept) and kept[-1] in "'-"
            in_word = (
                is_letter(char)
                or (in_word and not was_inner and is_mark(char))
                or (in_word and not was_inner and char in "'-" and is_letter(following))
            )
            kept.append(char if in_word else " ")
        assert self.INNER.words(text) == "".join(kept).split()

    @pytest.mark.parametrize("segmentation", METHODS)
    @given(text=RESTLESS_TEXT)
    def test_a_word_is_a_query_for_itself(self, segmentation: Segmentation, text: str) -> None:
        if segmentation.method != "chinese":  # which cuts by what stands around
            for word in segmentation.words(text):
                assert segmentation.words(word) == [word]

    @pytest.mark.parametrize("inner", ["a", "'1", "- "])
    def test_letters_and_white_space_are_refused(self, inner: str) -> None:
        with pytest.raises(UsageError, match="need not be named"):
            Segmentation(method="words", inner=inner)


class TestUserWords:
    def chinese(self, *entries: tuple[Any, ...], **options: Any) -> Segmentation:
        return Segmentation(method="chinese", user_words=UserWords(tuple(UserWord(*e) for e in entries)), **options)

    def test_they_are_kept_whole(self) -> None:
        text = "他在云计算中心做创新办主任"
        assert CHINESE.words(text) == ["他", "在", "云", "计算中心", "做", "创新", "办", "主任"]
        assert self.chinese(("创新办",), ("云计算", 10**6, "n")).words(text) == (
            ["他", "在", "云计算", "中心", "做", "创新办", "主任"]
        )
        assert rjieba.cut("创新办主任") == ["创新", "办", "主任"]
        assert CHINESE.words(text) == ["他", "在", "云", "计算中心", "做", "创新", "办", "主任"]

    def test_frequency_0_takes_a_word_away(self) -> None:
        assert CHINESE.words("北京大学生活") == ["北京大学", "生活"]
        assert self.chinese(("北京大学", 0)).words("北京大学生活") != ["北京大学", "生活"]

    def test_words_with_other_scripts(self) -> None:
        segmentation = self.chinese(("T恤",), ("卡拉OK",))
        assert segmentation.words("北京大学的T恤和iPhone手机café菜单卡拉OK 1990年") == (
            ["北京大学", "的", "t恤", "和", "iphone", "手机", "café", "菜单", "卡拉ok", "1990", "年"]
        )

    @given(text=CHINESE_TEXT)
    def test_no_letter_is_lost_or_moved(self, text: str) -> None:
        segmentation = self.chinese(("我今",), ("好1",), ("大学_",))
        assert "".join(segmentation.words(text)) == "".join(WORDS.words(text))

    def test_they_are_normalised_as_the_text_is(self) -> None:
        segmentation = self.chinese(("創新辦",), ("５Ｇ网络",), unicode_form="NFKC", simplified=True, digits="zero")
        assert segmentation.words("創新辦主任的6g網絡") == ["创新办", "主任", "的", "0g网络"]

    def test_threads_cut_alike(self) -> None:
        segmentation = self.chinese(("创新办",))
        text = "创新办主任" * 2000
        with ThreadPoolExecutor(4) as pool:
            for words in pool.map(segmentation.words, [text] * 8):
                assert words == ["创新办", "主任"] * 2000

    def test_settings_hold_the_words(self) -> None:
        segmentation = self.chinese(("创新办",), ("云计算", 5, "n"))
        settings = json.loads(json.dumps(segmentation.settings()))
        assert settings["user_words"]["words"] == [["创新办", None, ""], ["云计算", 5, "n"]]
        again = Segmentation.from_settings(settings)
        assert again == segmentation
        assert again.words("创新办主任") == ["创新办", "主任"]
        assert segmentation != CHINESE
        assert segmentation != self.chinese(("创新办",))

    def test_another_method_has_no_use_for_them(self) -> None:
        with pytest.raises(UsageError, match="user words serve segmentation chinese alone, but words was asked for"):
            Segmentation(method="words", user_words=UserWords((UserWord("台中"),)))


class TestPhrases:
    NEW_YORK = Phrases(
        entries=(
            Phrase(("new", "york")),
            Phrase(("bank", "of", "america")),
            Phrase(("new_york", "times"), None, None, 2),
        ),
        connector_words=("of",),
    )

    def test_they_are_words_of_a_line(self) -> None:
        segmentation = Segmentation(method="words", phrases=self.NEW_YORK)
        text = "The Bank of America, New York.\nNew\nYork\n\nthe New-York Times"
        split = segmentation.split(text)
        words = ["the", "bank_of_america", "new_york", "new", "york", "the", "new_york_times"]
        assert split.words() == segmentation.words(text) == words
        assert split.line_ends.tolist() == [3, 4, 5, 5]
        spans = [text[start:end] for start, end in zip(split.starts, split.ends, strict=True)]
        assert spans == ["The", "Bank of America", "New York", "New", "York", "the", "New-York Times"]
        plain = WORDS.split(text)
        assert (split.visible_ends.tolist(), split.n_visible) == (plain.visible_ends.tolist(), plain.n_visible)

    def test_text_without_any_is_cut_as_it_would_be(self) -> None:
        text = "york new\n\nnew"
        with_phrases, plain = Segmentation(method="words", phrases=self.NEW_YORK).split(text), WORDS.split(text)
        assert with_phrases.names is None
        assert with_phrases.words() == plain.words()
        assert with_phrases.line_ends.tolist() == plain.line_ends.tolist()

    @given(text=st.text(st.sampled_from("ab \no"), max_size=40))
    def test_line_by_line_what_the_phrases_join(self, text: str) -> None:
        phrases = Phrases(
            entries=(Phrase(("a", "b")), Phrase(("a_b", "o", "a"), None, None, 2)), connector_words=("o",)
        )
        split = Segmentation(method="words", phrases=phrases).split(text)
        lines = [phrases.join(WORDS.words(line)) for line in text.split("\n")]
        assert split.words() == list(itertools.chain.from_iterable(lines))
        assert split.line_ends.tolist() == np.cumsum([len(line) for line in lines[:-1]]).tolist()
        assert all(split.codes[split.ends[:-1]] != ord("_"))

    def test_chinese(self) -> None:
        phrases = Phrases(entries=(Phrase(("深度", "学习")),), delimiter="")
        user_words = UserWords((UserWord("创新办"),))
        segmentation = Segmentation(method="chinese", phrases=phrases, user_words=user_words)
        assert segmentation.words("深度学习改变了创新办") == ["深度学习", "改变", "了", "创新办"]

    def test_settings_hold_them(self) -> None:
        segmentation = Segmentation(method="words", phrases=self.NEW_YORK)
        again = Segmentation.from_settings(json.loads(json.dumps(segmentation.settings())))
        assert again == segmentation
        assert hash(again) == hash(segmentation)
        assert again.words("New York Times") == ["new_york_times"]
        assert segmentation != WORDS
        settings = segmentation.settings()
        settings["phrases"]["delimiter"] = "-"
        with pytest.raises(FirthError, match="their hash differs"):
            Segmentation.from_settings(settings)


class TestSplit:
    @pytest.mark.parametrize("segmentation", METHODS)
    @given(text=st.one_of(ANY_TEXT, RESTLESS_TEXT))
    def test_words_lie_in_the_normalised_text(self, segmentation: Segmentation, text: str) -> None:
        split = segmentation.split(text)
        normalized = segmentation.normalize(text)
        assert split.codes.tolist() == [ord(char) for char in normalized]
        assert (split.codes.dtype, split.starts.dtype, split.ends.dtype) == (np.uint32, np.int64, np.int64)
        assert (split.starts < split.ends).all()
        assert (split.ends[:-1] <= split.starts[1:]).all()
        spans = zip(split.starts, split.ends, strict=True)
        assert split.words() == [normalized[start:end] for start, end in spans] == segmentation.words(text)

    @pytest.mark.parametrize("segmentation", METHODS)
    @given(lines=st.lists(RESTLESS_TEXT.map(lambda text: text.replace("\n", "") + "\n")), data=st.data())
    def test_words_do_not_depend_on_blocks(self, segmentation: Segmentation, lines: list[str], data: Any) -> None:
        whole = segmentation.split("".join(lines))
        cut = data.draw(st.integers(0, len(lines)))
        first, second = (segmentation.split("".join(part)) for part in (lines[:cut], lines[cut:]))
        assert first.words() + second.words() == whole.words()
        for name, shift in (("line_ends", len(first.starts)), ("visible_ends", first.n_visible)):
            ends = np.concatenate((getattr(first, name), getattr(second, name) + shift))
            assert ends.tolist() == getattr(whole, name).tolist()
        assert first.n_visible + second.n_visible == whole.n_visible

    @pytest.mark.parametrize("segmentation", [WORDS, SPACE, CHINESE])
    def test_line_ends(self, segmentation: Segmentation) -> None:
        split = segmentation.split("a b\n\n 。\nc今天 好\nd")
        n_words = [len(segmentation.words(line)) for line in ("a b", "", " 。", "c今天 好", "d")]
        assert [len(split.starts), *split.line_ends] == [
            sum(n_words),
            *(sum(n_words[: line + 1]) for line in range(4)),
        ]
        assert split.visible_ends.tolist() == [2, 2, 3, 7]
        assert split.n_visible == 8

    @pytest.mark.parametrize("segmentation", [WORDS, SPACE, CHINESE])
    @given(lines=st.lists(ANY_TEXT.map(lambda text: text.replace("\n", ""))))
    def test_line_ends_are_those_of_the_lines_alone(self, segmentation: Segmentation, lines: list[str]) -> None:
        split = segmentation.split("".join(line + "\n" for line in lines))
        starts = [0, *split.line_ends.tolist()]
        for line, start, end in zip(lines, starts, starts[1:], strict=False):
            assert split.words()[start:end] == segmentation.words(line)
        assert starts[-1] == len(split.starts)

    @pytest.mark.parametrize("segmentation", [WORDS, SPACE, CHINESE, CHARACTERS, CASED])
    @given(text=ANY_TEXT)
    def test_words_are_normalised(self, segmentation: Segmentation, text: str) -> None:
        for word in segmentation.words(text):
            assert unicodedata.is_normalized("NFC", word)
            assert word in segmentation.normalize(text)

    def test_surrogates_are_refused(self) -> None:
        with pytest.raises(FirthError, match="no valid text"):
            WORDS.words("a\udcff")


class TestSettings:
    @pytest.mark.parametrize("segmentation", METHODS)
    def test_settings_come_back(self, segmentation: Segmentation) -> None:
        settings = json.loads(json.dumps(segmentation.settings()))
        assert Segmentation.from_settings(settings) == segmentation
        assert segmentation.warning() is None

    def test_the_segmenter_is_named(self) -> None:
        assert CHINESE.settings()["segmenter"].startswith("rjieba ")

    def test_another_segmenter_is_warned_of_and_still_works(self) -> None:
        old = Segmentation.from_settings({"method": "chinese", "lower": True, "segmenter": "rjieba 0.0.1"})
        assert old.words("我今天好开心") == ["我", "今天", "好开心"]
        assert "cut by rjieba 0.0.1, but rjieba" in str(old.warning())

    def test_settings_from_before_there_were_options(self) -> None:
        assert Segmentation.from_settings({"method": "words", "lower": False}) == CASED

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"method": "words"},
            {"method": "words", "lower": True, "nfkc": True},
            {"method": "words", "lower": "yes"},
            {"method": "thai", "lower": True},
            {"method": "words", "lower": True, "unicode_form": "NFD"},
            {"method": "words", "lower": True, "inner": 3},
        ],
    )
    def test_settings_of_no_segmentation(self, settings: dict[str, object]) -> None:
        with pytest.raises(FirthError, match="no segmentation is described by"):
            Segmentation.from_settings(settings)

    def test_an_unknown_method(self) -> None:
        with pytest.raises(UsageError, match="'thai' was asked for; there are words, space, chinese, characters"):
            Segmentation(method="thai")  # type: ignore[arg-type]

    @pytest.mark.parametrize(("name", "asked"), [("unicode_form", "NFD"), ("digits", "one")])
    def test_an_unknown_choice(self, name: str, asked: str) -> None:
        with pytest.raises(UsageError, match=f"{name} is '{asked}'; there are"):
            Segmentation(method="words", **{name: asked})  # type: ignore[arg-type]


def chosen(sample: str, preparation: Preparation | None = None) -> tuple[Segmentation, str, list[Caution]]:
    """What `choose` says of a text, and what is said of its words when it has been cut."""
    segmentation, reason, cautions = choose(sample, preparation or Preparation())
    return segmentation, reason, cautions + unsegmented(sample, segmentation)


class TestChoose:
    @pytest.mark.parametrize(
        ("sample", "method", "reason"),
        [
            ("The quick, brown fox.\nJumps!\n" * 9, "words", "Unicode words"),
            ("", "words", "Unicode words"),
            ("今天我很开心，去购物吧。\n" * 9, "chinese", "Chinese words, cut by rjieba"),
            ("我用 iPhone 上网，很方便。\n" * 9, "chinese", "Chinese words, cut by rjieba"),
            ("我 今天 好 开心\n北京 大学 很 大\n" * 9, "space", "of the Chinese lines have spaces"),
            ("今日はとても楽しいです。\n" * 9, "words", "Unicode words"),
            ("We visited Beijing (北京), the capital of China.\n" * 9, "words", "Unicode words"),
            ("He said , do n't go .\n" * 15, "space", "punctuation stands apart"),
            ("the end. of , all .\n" * 15, "words", "Unicode words"),
        ],
    )
    def test_a_method_that_suits(self, sample: str, method: str, reason: str) -> None:
        segmentation, why, cautions = chosen(sample)
        assert segmentation.method == method
        assert reason in why
        assert bool(cautions) == ("今日" in sample)

    def test_a_long_sample_is_looked_at_all_over(self) -> None:
        english, chinese = "The quick, brown fox.\n" * 30_000, "今天我很开心，去购物吧。\n" * 30_000
        for sample in (english + chinese, chinese + english):
            assert chosen(sample)[0].method == "chinese"
        assert chosen(english * 9 + chinese)[0].method == "chinese"

    def test_mostly_segmented_chinese_is_decided_line_by_line(self) -> None:
        segmentation, _, _ = chosen("我 今天 好 开心\n我 今天 好 开心\n今天我很开心去购物\n")
        assert segmentation.method == "chinese"

    def test_what_was_asked_for(self, tmp_path: Path) -> None:
        (tmp_path / "words.txt").write_text("创新办\n", encoding="utf-8")
        preparation = Preparation(
            segment="chinese",
            cased=True,
            unicode_form="NFKC",
            digits="zero",
            simplified=True,
            inner="'-",
            user_words=tmp_path / "words.txt",
        )
        asked = Segmentation(
            method="chinese",
            lower=False,
            unicode_form="NFKC",
            digits="zero",
            simplified=True,
            inner="'-",
            user_words=UserWords((UserWord("创新办"),)),
        )
        assert chosen("A text.", preparation) == (asked, "", [])
        assert chosen("A text.", Preparation(cased=True))[0] == CASED

    def test_punctuation_is_asked_for(self) -> None:
        assert chosen("A text.", Preparation(punctuation=True))[0].punctuation
        assert not chosen("A text.", Preparation())[0].punctuation

    def test_user_words_for_text_that_is_not_chinese(self, tmp_path: Path) -> None:
        (tmp_path / "words.txt").write_text("创新办\n", encoding="utf-8")
        segmentation, _, cautions = chosen("A text.", Preparation(user_words=tmp_path / "words.txt"))
        assert segmentation == WORDS
        assert "the user words serve Chinese alone" in cautions[0].message
        assert cautions[0].option == "--segment chinese"
        with pytest.raises(UsageError, match="but space was asked for"):
            chosen("A text.", Preparation(user_words=tmp_path / "words.txt", segment="space"))

    def test_user_words_that_change_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "words.txt").write_text("c++\n创新办\n让·雅克 3 nr\niPhone\nT恤\n", encoding="utf-8")
        _, _, cautions = chosen("今天好", Preparation(user_words=tmp_path / "words.txt"))
        assert len(cautions) == 1
        assert cautions[0].message.startswith("3 of 5 user words change nothing")
        assert cautions[0].message.endswith("c++, 让·雅克, iPhone")


class TestPunctuation:
    @pytest.mark.parametrize(
        ("method", "text", "words"),
        [
            ("words", 'Don\'t "stop" -- ever...', 'Don \' t " stop " -- ever ...'),
            ("words", "x_y costs £3.14 (a+b)", "x_y costs £ 3 . 14 ( a + b )"),
            ("words", "!?!! ¿qué?\ta\u0301!", "! ? !! ¿ qué ? á !"),
            ("words", "a\x07b\u00adc\u200e.", "a bc ."),
            ("chinese", "他说：“我很开心……”", "他 说 ： “ 我 很 开心 …… ”"),
            ("characters", "我，abc——好", "我 ， abc —— 好"),
            ("space", "it 's (here).", "it 's (here)."),
        ],
    )
    def test_marks_are_words_and_like_ones_in_a_row_one(self, method: Any, text: str, words: str) -> None:
        segmentation = Segmentation(method=method, lower=False, punctuation=True)
        assert segmentation.words(text) == words.split(" ")
        assert Segmentation.from_settings(segmentation.settings()) == segmentation

    def test_inner_characters_stay_inside(self) -> None:
        segmentation = Segmentation(method="words", inner="'", punctuation=True)
        assert segmentation.words("'don't' 'tis o''clock") == ["'", "don't", "'", "'", "tis", "o", "''", "clock"]

    @given(
        st.text(
            st.sampled_from("aB1_ .,!-'\"…，。开心きไ\u0301\u200d\u00ad\n\x07£❤\ufe0f")
            | st.characters(exclude_categories=["Cs"])
        ),
        st.sampled_from(["words", "chinese", "characters"]),
        st.sampled_from(["", "'-"]),
    )
    def test_the_other_words_are_those_found_without(self, text: str, method: Any, inner: str) -> None:
        plain = Segmentation(method=method, inner=inner)
        split = replace(plain, punctuation=True).split(text)
        words = split.words()
        is_mark = [not any(map(re.compile(r"\w").match, word)) for word in words]
        assert [word for word, mark in zip(words, is_mark, strict=True) if not mark] == plain.words(text)
        marks = [word for word, mark in zip(words, is_mark, strict=True) if mark]
        assert all(len(set(word)) == 1 and unicodedata.category(word[0])[0] in "PS" for word in marks)
        assert (split.starts[1:] >= split.ends[:-1]).all()
        assert (split.ends > split.starts).all()
        lines = split.line_ends.tolist()
        assert lines == [len(replace(plain, punctuation=True).words(text[: m.end()])) for m in re.finditer("\n", text)]


class TestWarnings:
    THAI = "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน และออกเสียงแยกคำต่อคำ\n" * 9
    KHMER = "ភាសាខ្មែរគឺជាភាសាកំណើតរបស់ជនជាតិខ្មែរ\n" * 9
    LAO = "ພາສາລາວເປັນພາສາທາງການຂອງສາທາລະນະລັດ\n" * 9
    BURMESE = "မြန်မာဘာသာစကားသည်မြန်မာနိုင်ငံ၏ရုံးသုံးဘာသာစကားဖြစ်သည်\n" * 9
    JAPANESE = "今日はとても楽しいですから、カメラを買いに行きました。\n" * 9
    CHINESE_LINES = "今天我很开心，去购物吧。北京大学生前来应聘\n" * 9
    ENGLISH = "The quick brown fox jumps over the lazy dog.\n"

    @pytest.mark.parametrize(
        ("sample", "script"),
        [
            (THAI, "Thai"),
            (KHMER, "Khmer"),
            (LAO, "Lao"),
            (BURMESE, "Burmese"),
            (JAPANESE, "Japanese kana and Han"),
        ],
    )
    @pytest.mark.parametrize("segment", ["auto", "words", "space"])
    def test_a_script_without_segmenter(self, sample: str, script: str, segment: Any) -> None:
        _, _, (caution,) = chosen(sample, Preparation(segment=segment))
        assert caution.message.startswith(f"100% of the letters are {script}")
        assert caution.option == "--segment characters"
        assert "--segment space" in caution.message

    @pytest.mark.parametrize("sample", [THAI, KHMER, LAO, BURMESE, JAPANESE, CHINESE_LINES])
    def test_characters_are_the_remedy(self, sample: str) -> None:
        assert chosen(sample, Preparation(segment="characters"))[2] == []

    @pytest.mark.parametrize(
        "sample", ["ภาษา ไทย เป็น ภาษา ที่ มี ระดับ เสียง\n", "今日 は とても 楽しい です 。\n", "今天 我 很 开心\n"]
    )
    def test_split_text_is_the_other(self, sample: str) -> None:
        assert chosen(sample * 9, Preparation(segment="space"))[2] == []

    def test_zero_width_spaces_part_words(self) -> None:
        assert chosen("ភាសា\u200bខ្មែរ\u200bគឺជា\u200bភាសា\n" * 9)[2] == []

    def test_the_share_is_named(self) -> None:
        _, _, (caution,) = chosen(self.THAI + self.ENGLISH * 12)
        share = int(caution.message.split("%")[0])
        assert 40 < share < 60

    def test_a_little_of_a_script_is_no_matter(self) -> None:
        assert chosen(self.THAI + self.ENGLISH * 2000)[2] == []

    @pytest.mark.parametrize("segment", ["words", "space"])
    def test_chinese_that_is_not_segmented(self, segment: Any) -> None:
        _, _, (caution,) = chosen(self.CHINESE_LINES, Preparation(segment=segment))
        assert caution.message.startswith("100% of the letters are Han characters without spaces")
        assert caution.option == "--segment chinese"

    @pytest.mark.parametrize(("n_english", "share"), [(50, "9%"), (2000, "0.2%")])
    def test_some_chinese_in_english(self, n_english: int, share: str) -> None:
        sample = self.CHINESE_LINES + self.ENGLISH * n_english
        segmentation, reason, cautions = chosen(sample)
        assert (segmentation.method, cautions) == ("chinese", [])
        assert reason.endswith(f"in other text: {share} of the letters are Han characters")
        _, _, (caution,) = chosen(sample, Preparation(segment="words"))
        assert caution.message.startswith(f"{share} of the letters are Han characters without spaces")
        assert caution.option == "--segment chinese"

    @pytest.mark.parametrize(
        ("chinese", "n_english"),
        [
            (CHINESE_LINES, 20_000),
            ("今天我很开心，去购物吧。", 9),
            ("We flew from Beijing (北京) to Shanghai (上海).\n" * 50, 50),
            ("今天 我 很 开心 ， 去 购物 吧 。\n" * 50, 500),
            (JAPANESE, 500),
        ],
    )
    def test_a_trace_of_chinese_or_what_is_none(self, chinese: str, n_english: int) -> None:
        segmentation, _, cautions = chosen(self.ENGLISH * n_english + chinese)
        assert (segmentation.method, cautions) == ("words", [])

    def test_some_chinese_in_split_english(self) -> None:
        split = "He said , do n't go .\n"
        segmentation, _, (caution,) = chosen(split * 500 + "今天我很开心去购物吧\n" * 9)
        assert segmentation.method == "space"
        assert caution.option == "--segment chinese"

    def test_japanese_as_chinese(self) -> None:
        _, _, (caution,) = chosen(self.JAPANESE, Preparation(segment="chinese"))
        assert "pieces that rjieba guesses" in caution.message

    def test_chinese_with_thai(self) -> None:
        _, _, (caution,) = chosen(self.CHINESE_LINES + self.THAI)
        assert "Thai" in caution.message
