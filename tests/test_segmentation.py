import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import FirthError, UsageError
from firth.segmentation import Segmentation, choose

WORDS = Segmentation(method="words")
SPACE = Segmentation(method="space")
CHINESE = Segmentation(method="chinese")

ANY_TEXT = st.text(st.characters(codec="utf-8"))
CHINESE_TEXT = st.text("我今天好开心北京大学々〇𠮷 　,。aé\u0301\u200d1_\n", max_size=60)


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


class TestSplit:
    @pytest.mark.parametrize("segmentation", [WORDS, SPACE, CHINESE])
    def test_line_ends(self, segmentation: Segmentation) -> None:
        split = segmentation.split("a b\n\n 。\nc今天 好\nd")
        n_words = [len(segmentation.words(line)) for line in ("a b", "", " 。", "c今天 好", "d")]
        assert [len(split.words), *split.line_ends] == [
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
            assert split.words[start:end] == segmentation.words(line)
        assert starts[-1] == len(split.words)

    @pytest.mark.parametrize("segmentation", [WORDS, SPACE, CHINESE, Segmentation(method="words", lower=False)])
    @given(text=ANY_TEXT)
    def test_words_are_normalised(self, segmentation: Segmentation, text: str) -> None:
        for word in segmentation.words(text):
            assert unicodedata.is_normalized("NFC", word)
            assert word in segmentation.normalize(text)

    def test_surrogates_are_refused(self) -> None:
        with pytest.raises(FirthError, match="no valid text"):
            WORDS.words("a\udcff")


class TestSettings:
    @pytest.mark.parametrize("segmentation", [WORDS, SPACE, CHINESE, Segmentation(method="space", lower=False)])
    def test_settings_come_back(self, segmentation: Segmentation) -> None:
        assert Segmentation.from_settings(segmentation.settings()) == segmentation
        assert segmentation.warning() is None

    def test_the_segmenter_is_named(self) -> None:
        assert CHINESE.settings()["segmenter"].startswith("rjieba ")

    def test_another_segmenter_is_warned_of_and_still_works(self) -> None:
        old = Segmentation.from_settings({"method": "chinese", "lower": True, "segmenter": "rjieba 0.0.1"})
        assert old.words("我今天好开心") == ["我", "今天", "好开心"]
        assert "cut by rjieba 0.0.1, but rjieba" in str(old.warning())

    @pytest.mark.parametrize("settings", [{}, {"method": "words"}, {"method": "words", "lower": True, "nfkc": True}])
    def test_settings_of_no_segmentation(self, settings: dict[str, object]) -> None:
        with pytest.raises(FirthError, match="no segmentation is described by"):
            Segmentation.from_settings(settings)

    def test_an_unknown_method(self) -> None:
        with pytest.raises(UsageError, match="'thai' was asked for; there are words, space, chinese"):
            Segmentation(method="thai")  # type: ignore[arg-type]


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
        segmentation, why = choose(sample)
        assert segmentation.method == method
        assert reason in why

    def test_mostly_segmented_chinese_is_decided_line_by_line(self) -> None:
        segmentation, _ = choose("我 今天 好 开心\n我 今天 好 开心\n今天我很开心去购物\n")
        assert segmentation.method == "chinese"

    def test_case(self) -> None:
        assert choose("A text.", lower=False)[0].lower is False
