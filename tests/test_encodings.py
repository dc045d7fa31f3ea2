import unicodedata

import pytest
from test_layout import chinese, english

from firth.encodings import SINGLE_BYTE, likeliest, n_beyond_ascii, ordinariness, told, wide

CHINESE = "\n".join(chinese(20))
RUSSIAN = "Молоко стоит на столе, а хлеб лежит рядом с ним, и никто его не ест.\n" * 5
FRENCH = "Le père a été très étonné de voir où l'élève avait déjà posé la clé.\n" * 5
JAPANESE = "これは私の本ですが、あなたのものでもあります。そこにおいてください。\n" * 5

PROSE = {
    "el": """Το πρωί ο παππούς κατέβηκε στο λιμάνι για να δει αν είχε φτάσει η βάρκα του γιου του. Άλλοι ψαράδες
κάθονταν ήδη κοντά στη θάλασσα και έπλεκαν τα δίχτυα τους, αλλά κανείς δεν ήξερε πού βρισκόταν η μικρή
μπλε βάρκα. Ο άνεμος ήταν δυνατός όλη τη νύχτα και τα κύματα έφταναν μέχρι τον δρόμο. Όταν όμως βγήκε ο
ήλιος πίσω από το βουνό, φάνηκε στο βάθος ένα πανί. «Άργησες», του είπε, «αλλά σε περίμενα με ζεστό
ψωμί». Άρχισαν να γελούν και οι δύο, και ύστερα πήγαν στο σπίτι, που ήταν ψηλά στον λόφο, για να φάνε με
την οικογένεια. Άναψαν τη φωτιά και μίλησαν πολύ.
""",
    "he": """בבוקר ירד הסבא אל הנמל כדי לראות אם כבר הגיעה הסירה של הבן שלו. דייגים אחרים ישבו ליד המים ותיקנו את
הרשתות, אבל איש לא ידע היכן נמצאת הסירה הכחולה הקטנה. הרוח הייתה חזקה כל הלילה, והגלים הגיעו עד הכביש. רק
כאשר השמש יצאה מעל ההר הוא ראה מפרש לבן רחוק בים. הוא חיכה על החוף עם לחם חם, כי הוא ידע שהבן שלו רעב
מאוד. אחרי זמן רב הגיעה הסירה אל הרציף, והם צחקו יחד והלכו הביתה. הבית היה גבוה על הגבעה, וכל המשפחה ישבה
שם ליד האש ודיברה על הסערה עד מאוחר בלילה. בבוקר השני היה הים שקט, וכל הדייגים יצאו שוב לעבודה עם הרשתות
החדשות שלהם.
""",
    "ar": """في الصباح نزل الجد إلى الميناء لكي يرى هل وصل قارب ابنه. كان الصيادون الآخرون يجلسون قرب الماء ويصلحون
الشباك، لكن لم يعرف أحد منهم أين كان القارب الأزرق الصغير. كانت الريح قوية طوال الليل، وقد وصلت الأمواج
إلى الطريق. ثم ظهر شراع أبيض بعيد على البحر بعد أن طلعت الشمس من وراء الجبل. انتظر الجد على الشاطئ مع خبز
ساخن، لأنه كان يعلم أن ابنه جائع. بعد ساعة وصل القارب إلى الرصيف، وضحك الاثنان ثم ذهبا إلى البيت الذي كان
على التل، وجلسا مع كل العائلة حول النار في المساء. وفي اليوم التالي كان البحر هادئا، فعاد كل الصيادين إلى
العمل.
""",
    "ru": """Утром дед спустился к пристани, чтобы посмотреть, не пришла ли лодка его сына. Другие рыбаки уже сидели у
воды и чинили сети, но никто из них не знал, где маленькая синяя лодка. Ветер был сильным всю ночь, и
волны доходили до самой дороги. Только когда солнце поднялось над горой, вдали показался белый парус. Дед
ждал на берегу с тёплым хлебом, потому что он знал, как голоден его сын. Через час лодка подошла к
причалу, они засмеялись и пошли домой. Дом стоял высоко на холме, и вся семья сидела там у огня и
говорила о буре до поздней ночи, а утром все снова были на берегу.
""",
    "uk": """Уранці дід зійшов до пристані, щоб подивитися, чи не прийшов човен його сина. Інші рибалки вже сиділи
біля води і лагодили сіті, але ніхто з них не знав, де маленький синій човен. Вітер був сильний усю ніч,
і хвилі доходили до самої дороги. Тільки коли сонце піднялося над горою, вдалині з'явилося біле вітрило.
Дід чекав на березі з теплим хлібом, бо він знав, який голодний його син. За годину човен підійшов до
берега, вони засміялися і пішли додому. Хата стояла високо на пагорбі, і вся родина сиділа там біля вогню
й говорила про бурю до пізньої ночі.
""",
    "pl": """Rano dziadek zszedł na przystań, żeby zobaczyć, czy wróciła już łódź jego syna. Inni rybacy siedzieli nad
wodą i naprawiali sieci, ale nikt z nich nie wiedział, gdzie jest mała niebieska łódka. Całą noc wiał
silny wiatr, a fale sięgały aż do drogi. Dopiero gdy słońce wzeszło nad górą, w oddali pokazał się biały
żagiel. Dziadek czekał na brzegu z ciepłym chlebem, ponieważ wiedział, że jego syn będzie głodny. Po
godzinie łódź przybiła do brzegu, obaj się śmiali i poszli razem do domu. Dom stał wysoko na wzgórzu, a
cała rodzina siedziała tam przy ogniu i rozmawiała o burzy, która trwała tak długo.
""",
    "cs": """Ráno sešel dědeček do přístavu, aby se podíval, zda už připlula loď jeho syna. Ostatní rybáři seděli u
vody a spravovali sítě, ale nikdo z nich nevěděl, kde je ta malá modrá loďka. Celou noc foukal silný vítr
a vlny sahaly až k cestě. Teprve když slunce vyšlo nad horou, objevila se v dálce bílá plachta. Dědeček
čekal na břehu s teplým chlebem, protože věděl, že jeho syn bude mít hlad. Po hodině loď přistála, oba se
zasmáli a šli spolu domů. Dům stál vysoko na kopci a celá rodina tam seděla u ohně a mluvila o bouři,
která byla tak dlouhá, že už si nikdo nepamatoval, jak začala. Též pes byl šťastný.
""",
    "hu": """Reggel a nagyapa lement a kikötőbe, hogy megnézze, megérkezett-e már a fia hajója. A többi halász a víz
mellett ült és a hálót javította, de senki sem tudta, hol van a kis kék csónak. Egész éjjel erős szél
fújt, és a hullámok egészen az útig értek. Csak amikor a nap feljött a hegy fölött, akkor tűnt fel a
távolban egy fehér vitorla. A nagyapa meleg kenyérrel várt a parton, mert tudta, hogy a fia nagyon éhes
lesz. Egy óra múlva a hajó kikötött, ők ketten nevettek, és együtt mentek haza. A ház magasan állt a
dombon, és az egész család a tűz mellett ült, és a viharról beszélt, amely már több napja tartott.
""",
    "tr": """Sabah dede, oğlunun teknesinin gelip gelmediğini görmek için limana indi. Öteki balıkçılar suyun
kıyısında oturmuş ağlarını onarıyordu, ama küçük mavi teknenin nerede olduğunu hiç kimse bilmiyordu.
Bütün gece çok sert bir rüzgâr esmiş, dalgalar yola kadar gelmişti. Güneş dağın üzerine çıktığı zaman
uzakta beyaz bir yelken göründü. Dede kıyıda sıcak ekmekle bekliyordu, çünkü oğlunun ne kadar aç olduğunu
biliyordu. Bir saat sonra tekne yanaştı, ikisi de güldü ve birlikte eve gittiler. Ev tepenin üstündeydi;
bütün aile ateşin başında oturdu ve geceye kadar fırtınayı konuştu. İyi bir gündü bu.
""",
    "lt": """Rytą senelis nusileido į uostą pažiūrėti, ar jau grįžo jo sūnaus laivas. Kiti žvejai sėdėjo prie vandens
ir taisė tinklus, bet niekas iš jų nežinojo, kur yra mažas mėlynas laivelis. Visą naktį pūtė stiprus
vėjas, o bangos siekė net kelią. Tik kai saulė pakilo virš kalno, tolumoje pasirodė balta burė. Senelis
laukė ant kranto su šilta duona, nes žinojo, kad jo sūnus bus labai alkanas. Po valandos laivas priplaukė
prie kranto, jie abu nusijuokė ir kartu nuėjo namo. Namas stovėjo aukštai ant kalvos, ir visa šeima
sėdėjo ten prie ugnies ir kalbėjo apie audrą, kuri buvo tokia ilga, kad jau niekas neprisiminė jos
pradžios.
""",
    "lv": """No rīta vectēvs nogāja uz ostu, lai redzētu, vai jau ir atgriezusies viņa dēla laiva. Citi zvejnieki
sēdēja pie ūdens un laboja tīklus, bet neviens no viņiem nezināja, kur ir mazā zilā laiva. Visu nakti
pūta stiprs vējš, un viļņi sniedzās līdz pat ceļam. Tikai tad, kad saule pacēlās pār kalnu, tālumā
parādījās balta bura. Vectēvs gaidīja krastā ar siltu maizi, jo zināja, ka viņa dēls būs ļoti izsalcis.
Pēc stundas laiva piestāja pie krasta, viņi abi smējās un kopā gāja mājās, kas bija augstu kalnā, un visa
ģimene sēdēja pie uguns un runāja par vētru.
""",
    "th": """ในตอนเช้าคุณตาเดินลงไปที่ท่าเรือเพื่อดูว่าเรือของลูกชายกลับมาแล้วหรือยัง
ชาวประมงคนอื่นนั่งอยู่ริมน้ำและซ่อมแห แต่ไม่มีใครรู้ว่า เรือสีฟ้าลำเล็กอยู่ที่ไหน
ลมแรงมากตลอดทั้งคืนและคลื่นสูงจนถึงถนน เมื่อพระอาทิตย์ขึ้นเหนือภูเขาก็เห็นใบเรือสีขาวอยู่ไกลในทะเล
คุณตารอ อยู่ที่ชายหาดกับขนมปังร้อน เพราะเขารู้ว่าลูกชายจะหิวมาก หนึ่งชั่วโมงต่อมาเรือก็มาถึงฝั่ง
ทั้งสองคนหัวเราะและเดินกลับบ้านด้วยกัน บ้าน ของเขาอยู่บนเนินเขาสูง
และทุกคนในครอบครัวนั่งรอบกองไฟและพูดถึงพายุจนดึก ไม่มีใครได้นอนในคืนนั้น แต่ทุกคนมีความสุข
วันต่อมาทะเลสงบ และชาวประมงทุกคนก็กลับไปทำงานกับแหใหม่ของเขา
""",
    "vi": """Buổi sáng ông tôi đi xuống bến để xem thuyền của con trai đã về chưa. Những người đánh cá khác ngồi bên
bờ nước và vá lưới, nhưng không một ai biết chiếc thuyền nhỏ màu xanh đang ở đâu. Gió thổi rất mạnh suốt
đêm và sóng lên đến tận con đường. Chỉ khi mặt trời mọc trên núi, từ xa mới thấy một cánh buồm trắng. Ông
đợi trên bãi với bánh mì nóng, vì ông biết con trai của ông sẽ rất đói. Một giờ sau thuyền vào bờ, hai
người cười và cùng đi về nhà. Ngôi nhà ở trên đồi cao, và cả gia đình ngồi bên bếp lửa, nói về cơn bão
cho đến khuya, cũng như những năm trước.
""",
    "fr": """Le matin, le grand-père est descendu au port pour voir si le bateau de son fils était déjà rentré. Les
autres pêcheurs étaient assis près de l’eau et réparaient leurs filets, mais personne ne savait où se
trouvait la petite barque bleue. Le vent avait soufflé très fort toute la nuit, et les vagues étaient
montées jusqu'à la route. Dès que le soleil est apparu au-dessus de la montagne, on a vu une voile
blanche. Il attendait sur la grève avec du pain chaud, parce qu'il savait que son fils aurait faim. Après
une heure, ils ont ri tous les deux, puis ils sont rentrés à la maison, là-haut sur la colline.
""",
    "de": """Am Morgen ging der Großvater zum Hafen hinunter, um zu sehen, ob das Boot seines Sohnes schon zurück war.
Die anderen Fischer saßen am Wasser und flickten ihre Netze, aber keiner wußte, wo das kleine blaue Boot
war. Die ganze Nacht hatte ein heftiger Wind geweht, und die Wellen schlugen bis über die Straße. Erst
als die Sonne über dem Berg aufging, war in der Ferne ein weißes Segel zu sehen. Der Alte wartete mit
warmem Brot am Strand, denn er wußte, daß sein Sohn hungrig sein würde. Später lachten beide und gingen
nach Hause, das hoch oben auf dem Hügel lag, und alle saßen für lange Zeit am Feuer.
""",
    "en": """In the morning the old man went down to the harbour, to see whether his son’s boat had come back. The
other men sat by the water and mended their nets, but none of them knew where the small blue boat was.
“It blew hard all night,” said one, “and the waves came up to the road.” When the sun had risen over the
hill there was a white sail – far out, but it was there. He waited on the beach with warm bread, for he
knew that his son would be hungry. An hour later they laughed, and they walked home together. The house
stood on the hill, and the whole family sat by the fire and talked of the storm… “There’s the boat,” he
had said; “there it is.” And it was.
""",
    "sv": """På morgonen gick farfar ner till hamnen för att se om sonens båt hade kommit tillbaka. De andra fiskarna
satt vid vattnet och lagade sina nät, men ingen av dem visste var den lilla blå båten var. Det hade blåst
hårt hela natten, och vågorna nådde ända upp till vägen. Först när solen gick upp över berget syntes ett
vitt segel långt borta. Farfar väntade på stranden med varmt bröd, för han visste att sonen var hungrig.
En timme senare kom båten in, de skrattade båda två och gick hem. Huset låg högt uppe på kullen, och hela
familjen satt där vid elden och talade om stormen, som också hade tagit ett träd.
""",
}
ROWS = [
    ("el", "cp1253"), ("el", "iso-8859-7"), ("he", "cp1255"), ("he", "iso-8859-8"), ("ar", "cp1256"),
    ("ru", "cp1251"), ("ru", "koi8-r"), ("ru", "cp866"), ("ru", "iso-8859-5"), ("uk", "cp1251"), ("uk", "koi8-u"),
    ("uk", "iso-8859-5"), ("pl", "cp1250"), ("pl", "iso-8859-2"), ("cs", "cp1250"), ("cs", "iso-8859-2"),
    ("hu", "cp1250"), ("hu", "iso-8859-2"), ("tr", "cp1254"), ("tr", "iso-8859-9"), ("lt", "cp1257"), ("lv", "cp1257"),
    ("th", "tis-620"), ("vi", "cp1258"), ("fr", "cp1252"), ("de", "cp1252"), ("en", "cp1252"), ("sv", "cp1252"),
]  # fmt: skip


def encoded(text: str, encoding: str) -> bytes:
    """`text` in an encoding of one byte a character; cp1258 has Vietnamese tones as characters of their own."""
    if encoding == "cp1258":
        text = "".join(
            unicodedata.normalize("NFC", "".join(mark for mark in parts if mark not in TONES))
            + "".join(mark for mark in parts if mark in TONES)
            for parts in (unicodedata.normalize("NFD", char) for char in text)
        )
    return text.encode(encoding)


TONES = "\u0300\u0301\u0303\u0309\u0323"


@pytest.mark.parametrize(("language", "encoding"), ROWS)
def test_a_single_byte_encoding_is_told_or_left_open_but_never_told_wrong(language: str, encoding: str) -> None:
    text = PROSE[language]
    assert sum(map(str.isalpha, text)) >= 400
    data = encoded(text, encoding)
    found = likeliest(data, "utf-8")
    assert encoding in found or any(unicodedata.normalize("NFC", data.decode(name)) == text for name in found)
    if len(found) > 1:
        assert all(found.values())  # words to tell them apart by


@pytest.mark.parametrize(("language", "encoding"), ROWS)
def test_what_is_told_apart(language: str, encoding: str) -> None:
    data = encoded(PROSE[language] * 5, encoding)
    (found,) = likeliest(data, "utf-8")
    assert unicodedata.normalize("NFC", data.decode(found)) == PROSE[language] * 5


def test_every_language_of_an_encoding_can_be_written_in_it() -> None:
    from firth.encodings import _FREQUENT_WORDS

    for encoding, languages in SINGLE_BYTE.items():
        for language in languages.split():
            n_written = 0
            words = _FREQUENT_WORDS[language].split()
            for word in words:
                try:
                    n_written += bool(encoded(word, encoding))
                except UnicodeEncodeError:
                    continue
            assert n_written > 0.75 * len(words), (encoding, language)


def test_where_no_reading_is_ahead_there_are_two() -> None:
    data = "być i na do nie\n".encode("cp1250") * 10 + b"w i na z do nie jest \xb6\xbc\xa5 \n"
    found = told({encoding: data.decode(encoding) for encoding in ("cp1250", "iso-8859-2")})
    assert set(found) == {"cp1250", "iso-8859-2"}
    assert found["cp1250"] != found["iso-8859-2"]


@pytest.mark.parametrize("language", ["el", "ru", "pl", "lt"])
def test_text_whose_words_nobody_uses(language: str) -> None:
    words = [word for word in PROSE[language].split() if len(word) > 5]
    data = " ".join(words * 3).encode({"el": "cp1253", "ru": "cp866", "pl": "cp1250", "lt": "cp1257"}[language])
    assert all(data.decode(name) == " ".join(words * 3) for name in likeliest(data, "utf-8"))


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "gb18030"),
        ("這是我們的學校，我們在這裡學習國語。\n" * 5, "big5"),
        (JAPANESE, "shift_jis"),
        (RUSSIAN, "cp1251"),
        (FRENCH, "cp1252"),
        (CHINESE, "utf-16"),
    ],
)
def test_the_likeliest_encoding_of_what_is_no_utf8(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert list(likeliest(data, "utf-8")) == [encoding]
    assert list(likeliest(data[: len(data) // 2 + 1], "utf-8")) == [encoding]  # it may end within a character


@pytest.mark.parametrize("asked", ["gb18030", "big5", "shift_jis", "ascii"])
def test_utf8_is_told_from_what_does_not_fit(asked: str) -> None:
    assert likeliest((CHINESE + RUSSIAN + FRENCH).encode(), asked) == {"utf-8": ""}


@pytest.mark.parametrize("data", [b"", b"\xff", CHINESE.encode() + b"\xff\xfe" * 5, bytes(range(128, 256)) * 9])
def test_broken_bytes_are_no_other_encoding(data: bytes) -> None:
    assert likeliest(data, "utf-8") == {}


def test_two_bytes_a_character() -> None:
    text = "\n".join(english(3))
    assert wide(text.encode("utf-16")) == "utf-16"
    assert wide(text.encode("utf-16-le")) == "utf-16-le"
    assert wide(text.encode("utf-16-be")) == "utf-16-be"
    assert wide(text.encode()) is wide(b"a\0b and other text of one byte each") is wide(b"") is None


def test_text_in_its_own_encoding_is_ordinary() -> None:
    for text in (CHINESE, RUSSIAN, FRENCH, JAPANESE):
        assert ordinariness(text) > 0.5
        assert n_beyond_ascii(text) > 20
    assert ordinariness(RUSSIAN.encode("cp1251").decode("cp1252")) < ordinariness(RUSSIAN)
    assert ordinariness(FRENCH.encode().decode("cp1252")) < ordinariness(FRENCH)
    assert ordinariness("") == ordinariness("plain") == 0.0


def test_the_reading_that_is_told() -> None:
    data = RUSSIAN.encode("cp1251")
    texts = {encoding: data.decode(encoding) for encoding in ("cp1252", "cp1251", "koi8-r")}
    assert list(told(texts)) == ["cp1251"]
    assert told({}) == told({"cp1252": "plain"}) == {}


@pytest.mark.parametrize("encoding", ["cp850", "cp437"])
def test_text_in_an_encoding_that_is_no_candidate_is_not_told_as_another(encoding):
    raw = (
        "el niño comía más pan que él, y también bebió allí; mañana será otro día, así lo dijo la señora. " * 8
    ).encode(encoding)
    assert told({name: raw.decode(name, errors="replace") for name in SINGLE_BYTE}) == {}
