"""What encoding text is in, by all appearance: guesses from bytes, from how ordinary the characters and words are."""

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Final

MULTI_BYTE: Final = ("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr")
"""Encodings that frequent characters tell."""

SINGLE_BYTE: Final = {
    "cp1252": "en de fr es pt it nl sv da no fi is ca",
    "cp1250": "pl cs sk hu ro sl hr",
    "iso-8859-2": "pl cs sk hu ro sl hr",
    "cp1251": "ru uk be bg sr",
    "koi8-r": "ru",
    "koi8-u": "uk",
    "cp866": "ru bg",
    "iso-8859-5": "ru be bg sr uk",
    "cp1253": "el",
    "iso-8859-7": "el",
    "cp1254": "tr",
    "iso-8859-9": "tr",
    "cp1255": "he",
    "iso-8859-8": "he",
    "cp1256": "ar fa",
    "cp1257": "lt lv et",
    "cp1258": "vi",
    "tis-620": "th",
}
"""Encodings that frequent words tell, with the languages that they were made for; of equal readings the first wins."""

CANDIDATES: Final = (*MULTI_BYTE, *SINGLE_BYTE)
"""Encodings that a guess is made among, beside UTF-8 and UTF-16."""

LEAST_ODD: Final = 0.1
"""The share of the characters beyond ASCII that are odd where they stand, from which on text is in another encoding."""
LEAST_ORDINARY: Final = 0.25
"""Of the characters beyond ASCII: those that are frequent in some language. With fewer, this is no text in it."""

LEAST_INVALID: Final = 10
"""Stretches of invalid bytes: from fewer, no encoding can be told."""

BROKEN: Final = 0.05
"""Of the characters beyond ASCII: with fewer invalid ones, the encoding is right, and some bytes are broken."""

LEAST_BEYOND_ASCII: Final = 3
"""Characters beyond ASCII: fewer may be valid UTF-8 by chance."""

_FREQUENT_CHARACTERS: Final = frozenset(
    "的一是不了在人有我他這个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "這們們來為國說時會對於著過發後裡種經麼開學現當無還進樣從點長問沒見動話給讓，。、“”：；！？「」（）《》"
    "のにはをたがでてとしれさあるいなもられらからこくまっすりんアイスルンート"
    "이다는에을를의가고하은로한지도기사서리나인시어아자있대그해"
    "абвгдежзийклмнопрстуфхцчшщыьэюяё"
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüßœ‘’–—…«»°§"
)
_FREQUENT_WORDS: Final = {
    "en": "the of and to in is was that for it with as his on be at by from are this not but had have",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als über können wäre hätte "
    "müssen während natürlich später früher würde größer schön dafür zurück heißt weiß muß daß außer möchte",
    "fr": "de la le et les des en du une est dans que qui il au sur par pour pas plus à été était où même très déjà "
    "là après être avait père mère première près étaient dès ça voilà côté",
    "es": "de la que el en y los se del las un por con una su para es al como más está también así él después había "
    "sí día sólo aquí cómo años según qué todavía están además",
    "pt": "de que e o a do da em um para com não uma os no se na por mais dos é à são está também já até você só "
    "então há às estão além depois três mãe",
    "it": "di che e la il un a per in una è non sono del della con si le dei anche più perché così già può però "
    "città cioè né perciò là sarà finché",
    "nl": "de van het een en in is dat op te zijn met voor niet aan er om door ook werd één ideeën coördinatie",
    "sv": "och i att det som en på är av för med till den har de inte om ett han var så när från också även där här "
    "två år får går själv vår än någon något må",
    "da": "og i at det en den til er som på de med for af ikke der var et har hun også så når være få år gør mødte "
    "må først før blev får både",
    "no": "og i det er på til som en å for av at med de ikke den har han ble fra også så når være få år gjør må "
    "først før får både",
    "fi": "ja on ei se että oli hän mutta ovat kun niin myös joka tai sen jotka ole mitä tämä sitä siellä nämä vielä "
    "hänen tätä jälkeen sekä eivät",
    "is": "að og í á það er sem við til um því með en ekki var þá ég hann fyrir þegar sér þetta eða úr þar hún",
    "ca": "de la i el en que a les del per un amb una els és al no com més va també però això són dins després perquè",
    "pl": "w i na z się do nie że jest o to jak za od po przez był oraz są już tylko ale także być może który która "
    "które gdy też więc aż ją jego ich tę tą była było były między bardzo jeszcze można",
    "cs": "a v se na je že s z do o i to jako za by ve pro který byl jsou už ještě když také být může při až však "
    "které která ani nebo než jeho jí její před tím něco není byla",
    "sk": "a v sa na je že s z do o to ako za by vo pre ktorý bol sú už ešte keď tiež byť môže pri až však ktoré "
    "ktorá ani alebo než jeho jej pred tým niečo nie len bola",
    "hu": "a az és hogy nem is egy volt meg ez csak de még mint ki már el azt amely vagy több között után első idő "
    "nő őket később majd én ő így úgy két kell lehet előtt előbb néha szép nagyon",
    "ro": "de și în a la cu pe care din un o este nu mai fost pentru că prin ale sau şi să sunt după când până fără "
    "acum aceasta însă dacă ca se",
    "sl": "in je v se na da so za ki pa z tudi po ne bi če še že kot več smo bil bilo ko od kar",
    "hr": "i je u se na da su za od s koji kao ne bi što će već može još također nije biti tko više kad ali iz",
    "ru": "и в не на что он с как это по но из у к за то его для был от а я все она так же бы они мы вы было только "
    "ее если когда еще о до",
    "uk": "і в не на що з він як та це до у за його але від є для й про а я вона вони ми ви було тільки її якщо коли "
    "ще о",
    "be": "і ў не на што з ён як гэта да у за яго але ад для каб а я яна яны мы вы было толькі калі яшчэ пра",
    "bg": "и на да в се от за е с не че си по са като го му към през но ще той това тя те а или беше само",
    "sr": "и у је да се на за од са не као су који то из а би што после али ће није био само",
    "el": "και το να του η της με που την από για είναι ο τον στο οι τα στην δεν θα τη τους σε ένα των μια μου ήταν "
    "όταν αυτό αλλά πως ως ότι άλλο όλα είχε πολύ",
    "tr": "ve bir bu da de için ile çok olarak daha olan gibi var ne o kadar sonra en ama olduğu değil şey şu ise "
    "hiç olduğunu çünkü böyle şimdi ki her mi diye ben önce üzerine",
    "he": "של את על לא הוא זה עם כל גם היה או כי אם יש אני היא כמו רק מה אל אבל עד בין כך הם לו לה אחרי זאת בו אך",
    "ar": "في من على إلى أن التي عن مع هذا كان ما لا هذه الذي أو بين بعد كما قد وقد ثم لم كل و ذلك كانت",
    "fa": "و در به از که این را با است برای آن یک خود تا بر شد بود هم نیز کرد اين ما او هر من",
    "lt": "ir į iš kad yra su buvo tai kaip bet apie tik dar jau ne jo nuo jis už po per dėl aš jų būti gali šis šio "
    "ši taip pat savo metų labai kur prie o man",
    "lv": "un ir no ar par uz ka kas bet arī pēc tā tas lai kā nav bija pie tik vai šo šī viņš viņa viņi tikai jau "
    "gan to var būt ko gadā ļoti vēl",
    "et": "ja on ei et see oli ta kui aga ka mis oma või siis nad üle välja ära nii kes mitte ning tema ma veel juba "
    "pärast",
    "vi": "của và là có các được trong cho một người không đã với những này để từ khi đến như cũng ra về nhà tôi anh "
    "vào thì lại nhưng ở rất",
    "th": "ที่ การ และ ใน ของ เป็น มี ได้ ไม่ ให้ จะ ว่า กับ ความ จาก แต่ ก็ คน เขา นี้ ไป มา",
}
_WITHOUT_SPACES: Final = ("th",)
_LEAST_FREQUENT: Final = 0.1  # of the words: with fewer, this is no text in a language known here
_LEAST_AHEAD: Final = 4  # words
_LEAST_SHARE_AHEAD: Final = 0.05
_MANY_UNKNOWN: Final = 20  # words with letters beyond ASCII
_JUDGED_CHARACTERS: Final = 1 << 14
_EXCERPT: Final = 20  # characters before and behind
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF16_HEAD_BYTES: Final = 1024
_WORD: Final = re.compile(r"[^\W\d_]+")
_BEYOND_ASCII: Final = re.compile("[^\0-\x7f]")


@cache
def _odd() -> re.Pattern[str]:
    """What hardly any text has: small letters before capitals, signs at letters, scripts mixed in a word, controls."""
    beyond = [chr(code) for code in range(0x80, 0x2600)]
    small = "".join(filter(str.islower, beyond))
    capital = "".join(filter(str.isupper, beyond))
    signs = "".join(char for char in beyond if unicodedata.category(char) in ("Sc", "Sk", "Sm", "So", "No"))
    signs = re.escape("".join(char for char in signs if char not in "©®°´™"))
    letter, latin, other = r"[^\W\d_]", "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f", "\u0370-\u06ff\u0e00-\u0e7f"
    return re.compile(
        "|".join(
            (
                "[\x80-\x9f]",
                f"(?<=[a-z{small}])[{capital}]",
                f"[{small}](?=[A-Z])",
                f"(?<={letter})[{signs}¶¿‚„]",
                f"(?<!\\d)[{signs}¶](?={letter})",
                f"(?<=[A-Za-z])[{other}]",
                f"[{other}](?=[A-Za-z])",
                f"(?<!\\w)[‘’](?=[{other}])",
                f"(?<=[{latin}])[{latin}](?=[{latin}])",
            )
        )
    )


def n_beyond_ascii(text: str) -> int:
    """How many characters of `text` are not ASCII."""
    return sum(char > "\x7f" for char in text)


def ordinariness(text: str) -> float:
    """The share of the characters beyond ASCII that are frequent in some language, and not odd where they stand."""
    n_beyond = n_ordinary = 0
    for before, char, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if char > "\x7f":
            n_beyond += 1
            is_beside_latin = (before + after).isascii() and (before + after).strip().isalpha()
            is_amid_others = before > "\x7f" and after > "\x7f"
            is_odd = is_beside_latin if "\u0400" <= char <= "\u04ff" else is_amid_others and char <= "\u0153"
            n_ordinary += char in _FREQUENT_CHARACTERS and not is_odd
    return n_ordinary / max(1, n_beyond)


def oddness(text: str) -> float:
    """The share of the characters beyond ASCII that hardly any text has where they stand."""
    return sum(1 for _ in _odd().finditer(text)) / max(1, n_beyond_ascii(text))


def told(texts: Mapping[str, str]) -> dict[str, str]:
    """The encoding in which text reads like some language.

    Args:
        texts: By encoding, the text that the same bytes are in it.

    Returns:
        By encoding, some words as they read in it: one where it can be told; the two likeliest, the first more so,
        where neither is clearly ahead; none where it reads like no language in all of them.
    """
    multi = {encoding: ordinariness(text) for encoding, text in texts.items() if encoding in MULTI_BYTE}
    best = max(multi, key=lambda name: multi[name], default=None)
    if best is not None and multi[best] >= LEAST_ORDINARY:
        return {best: _excerpt(texts[best], texts[best])}
    readings = {
        encoding: unicodedata.normalize("NFC", _judged(text))
        for encoding, text in texts.items()
        if encoding in SINGLE_BYTE
    }
    scores = {encoding: _score(text, SINGLE_BYTE[encoding].split()) for encoding, text in readings.items()}
    best = max(scores, key=lambda name: scores[name], default=None)
    if best is None or scores[best] < _LEAST_AHEAD or oddness(readings[best]) >= LEAST_ODD:
        return {}
    others = [encoding for encoding in scores if readings[encoding] != readings[best]]
    second = max(others, key=lambda name: scores[name], default=None)
    ahead = scores[best] - max(0, scores[second] if second is not None else 0)
    if second is None or ahead >= max(_LEAST_AHEAD, _LEAST_SHARE_AHEAD * scores[best]):
        return {best: _excerpt(readings[best], readings[best])}
    return {name: _excerpt(readings[name], readings[other]) for name, other in ((best, second), (second, best))}


def _judged(text: str) -> str:
    """So much of a text as suffices, from shortly before its first character beyond ASCII on."""
    found = _BEYOND_ASCII.search(text)
    start = max(0, found.start() - _JUDGED_CHARACTERS // 16) if found else 0
    return text[start : start + _JUDGED_CHARACTERS]


def _score(text: str, languages: list[str]) -> int:
    """How many words of `text` are frequent in the one of these languages that it reads like, less what is odd in it.

    0 where it reads like none of them.
    """
    words = Counter(_WORD.findall(text.lower()))
    n_beyond = sum(count for word, count in words.items() if not word.isascii())
    best = 0
    for language in languages:
        frequent = _FREQUENT_WORDS[language].split()
        if language in _WITHOUT_SPACES:
            counts = {word: text.count(word) for word in frequent}
        else:
            counts = {word: words[word] for word in dict.fromkeys(frequent)}
        n_frequent = sum(counts.values())
        n_known = sum(count for word, count in counts.items() if not word.isascii())
        if n_frequent >= _LEAST_FREQUENT * words.total() and (n_known or n_beyond < _MANY_UNKNOWN):
            best = max(best, n_frequent)
    return best - len(_odd().findall(text)) if best else 0


def _excerpt(text: str, other: str) -> str:
    """Some words of a text, from where it begins to differ from another reading of the same bytes."""
    differing = (place for place, (one, two) in enumerate(zip(text, other, strict=False)) if one != two)
    found = _BEYOND_ASCII.search(text)
    place = next(differing, found.start() if found else 0)
    return " ".join(text[max(0, place - _EXCERPT) : place + _EXCERPT].split())


def is_another(text: str) -> bool:
    """Whether so much of `text`, in which U+FFFD stands for invalid bytes, is invalid that the encoding is wrong."""
    n_invalid = text.count("\ufffd")
    return n_invalid >= max(LEAST_INVALID, BROKEN * n_beyond_ascii(text))


def likeliest(data: bytes, asked: str) -> dict[str, str]:
    """The encoding that bytes are in which are not valid in the one that was asked for.

    Args:
        data: Some of a file, from the beginning of a line on; it may end within a character.
        asked: The encoding that did not fit.

    Returns:
        As of `told`. None where that one is right, and some bytes are broken; and where there are NUL bytes, which
        text of one byte or more a character does not have (see `wide`).
    """
    if data[:2] in _BYTE_ORDER_MARKS:
        return {"utf-16": ""}
    if b"\0" in data:
        return {}
    texts = {}
    for encoding in ("utf-8", *CANDIDATES):
        with suppress(UnicodeError):
            texts[encoding] = codecs.getincrementaldecoder(encoding)().decode(data)
    if n_beyond_ascii(texts.pop("utf-8", "")) >= LEAST_BEYOND_ASCII:
        return {"utf-8": ""}
    return told(texts) if is_another(data.decode(asked, errors="replace")) else {}


def wide(data: bytes) -> str | None:
    """The encoding of two bytes a character that a file is in which begins with `data`, if that can be seen."""
    if data[:2] in _BYTE_ORDER_MARKS:
        return "utf-16"
    head = data[:_UTF16_HEAD_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > max(8 * min(even, odd), len(head) // 8, 3):
        return "utf-16-le" if odd > even else "utf-16-be"
    return None
