"""The explorer in a real browser: every view opened, driven and photographed; nothing complains, nothing stands out.

What the words and sentences of the corpus say is hostile in places: no script of theirs runs, no tag of theirs is one.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from watching import Watched, axe_file, faults

import firth
from firth.explorer import maps, runs
from firth.explorer.exploration import Exploration
from firth.model import Model
from firth.pieces import train_pieces
from firth.preparation import Preparation
from firth.progress import Silent
from firth.segmentation import Segmentation
from firth.vectors import Vectors

pytestmark = pytest.mark.browser
for needed in ("fastapi", "uvicorn", "jinja2", "torch"):
    pytest.importorskip(needed, reason=f"{needed} is not installed")

EVIL = "<img/src=x/onerror=alert(1)>"
WATERY = ["river", "water", "boat", "shore", "fish"]
RICH = ["money", "loan", "credit", "cash"]
WORDS = ["bank", *WATERY, *RICH, "开心", EVIL, "=1+1", "the", *(f"word{number}" for number in range(400))]
LINES = [
    "The boat lay on the river bank near the water .",
    "Fish swim by the bank of the river <script>alert(2)</script> .",
    "The bank gave a loan of money .",
    "Credit and cash come from the bank <b>today</b> .",
] * 8 + ["我 今天 在 bank 很 开心"] * 4
ENTRY = '{"seconds": %s, "fraction": %s, "tokens": %s, "loss_nats": %s, "learning_rate": 0.02}\n'

# A path for each view, and what is there once it shows something.
VIEWS = {
    "home": ("/", "#models-list h3"),
    "contexts": ("/contexts?word=bank&model=reader&most=40", "#list mark"),
    "neighbours": ("/neighbours?word=river&of=first:0&of=second:0&of=second:1", "#plot svg a"),
    "analogy": ("/analogy?a=river&b=water&c=money&expected=cash", "#answers svg"),
    "map": ("/map?model=first&beside=second&word=river", "#list button"),
    "layers": ("/layers", "#charts svg circle"),
    "training": ("/training", "#plot svg path"),
    "heatmap": (f"/heatmap?model=first&kind=words&text=river%0Amoney%0A{EVIL}%0A开心", "#plot svg rect"),
    "about": ("/about", "main table"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two static models, the second with two layers, a BERT that has learnt nothing, and a corpus with a column."""
    import torch

    folder = tmp_path_factory.mktemp("shown")
    for name, seed, n_layers in (("first", 1, 1), ("second", 2, 2)):
        array = np.random.default_rng(seed).normal(0, 0.5, (n_layers, len(WORDS), 8)).astype(np.float32)
        for axis, some in enumerate((WATERY, RICH)):
            array[:, [WORDS.index(word) for word in some], axis] += 6
        counts = range(2_000, 2_000 - len(WORDS), -1)
        Vectors(WORDS, array, counts=counts, segmentation=Segmentation(method="words")).save(folder / name)
    entries = [ENTRY % (second, second / 20, 100 * second, 5 - second / 10) for second in range(1, 11)]
    for log in ("first", "running/checkpoint"):  # the second has not ended
        (folder / log).mkdir(parents=True, exist_ok=True)
        (folder / log / "log.jsonl").write_text("".join(entries), encoding="utf-8")
    family = firth.BERT(dim=16, n_layers=3, n_heads=2, n_positions=32, context_length=32)
    pieces = train_pieces(LINES, "wordpiece", size=300, cased=False, seed=1)
    network = family.network(pieces.n_entries, 1)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    Model(family, pieces, network.eval(), {}).save(folder / "reader")
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for line in LINES:
            source = "<i>rivers</i>" if "river" in line else "news"
            file.write(json.dumps({"text": line, "source": source}) + "\n")
    return folder


@pytest.fixture(scope="module")
def base(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that shows them."""
    import uvicorn

    from firth.explorer.app import application

    exploration = Exploration([folder / name for name in ("first", "second", "reader", "running")])
    index = tmp_path_factory.mktemp("index")
    exploration.read(
        folder / "corpus.jsonl", name="corpus.jsonl", preparation=Preparation(keep=("source",)), cache_dir=index
    )
    exploration.wait()
    server = uvicorn.Server(uvicorn.Config(application(exploration), port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    exploration.close()


def until(is_so: Callable[[], Any], seconds: float = 20) -> Any:
    """What a question answers, once that is true."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "it does not become so"
        time.sleep(0.05)
    return found


@pytest.fixture
def watched(browser: Any, base: str) -> Iterator[Callable[..., Watched]]:
    """Opens pages of any width, scheme and language; at the end none has complained."""
    opened: list[tuple[Any, Watched]] = []

    def watched(width: int = 1280, scheme: str = "light", language: str = "en", **how: Any) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, locale=language, **how
        )
        axe = axe_file()
        if axe is not None:
            context.add_init_script(path=axe)
        opened.append((context, Watched(context, base)))
        return opened[-1][1]

    yield watched
    complaints = [complaint for _, one in opened for complaint in one.complaints]
    for context, _ in opened:
        context.close()
    assert complaints == []


def test_every_view_opens_fits_and_complains_of_nothing(watched):
    wide, narrow = watched(1280, "light", "en"), watched(390, "dark", "zh")
    for view, (path, ready) in VIEWS.items():
        one = wide if view in ("contexts", "map", "home") else narrow
        one.open(path, ready)
        assert one.overflow() == [], view
        assert one.too_small() == [], view


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_photographed_and_can_be_read(watched, tmp_path, view, scheme, language):
    for width in (360, 820, 1440):
        one = watched(width, scheme, language)
        page = one.open(*VIEWS[view])
        assert page.evaluate("document.documentElement.lang")[:2] == language
        assert one.overflow() == []
        assert one.too_small() == []
        path = tmp_path / f"{view}-{scheme}-{language}-{width}.png"
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 10_000
        if axe_file() is not None:
            assert faults(page) == []


@pytest.mark.slow
def test_a_reader_with_a_screen_reader_meets_no_serious_fault(watched):
    if axe_file() is None:
        pytest.skip("axe-core is not here: make test-all fetches it, or FIRTH_AXE tells where it is")
    found = []
    for scheme in ("light", "dark"):
        one = watched(1280, scheme)
        for path, ready in VIEWS.values():
            found += faults(one.open(path, ready))
    assert found == []


def test_a_word_in_its_contexts(watched):
    one = watched(reduced_motion="reduce")
    page = one.open(*VIEWS["contexts"])
    assert page.locator("#list mark").all_inner_texts()[0] == "bank"
    assert page.locator("#list li").count() == 36
    assert page.locator("#list").inner_text().count("<script>alert(2)</script>") == 8
    before = page.locator("#canvas").screenshot()
    page.locator("#layer").focus()
    page.keyboard.press("Home")
    assert page.locator("#layer-told").inner_text() == "layer 0 of 3"
    until(lambda: "layer=0" in page.evaluate("location.search"))
    until(lambda: page.locator("#canvas").screenshot() != before)
    page.select_option("#colour", "source")
    assert "<i>rivers</i>" in page.locator("#legend").inner_text()
    page.locator("#legend button", has_text="rivers").click()
    assert page.locator("#chosen").inner_text() == "16 of 36 sentences"
    page.fill("#filter", "boat")
    assert page.locator("#list li").count() == 8
    page.fill("#filter", "")
    box = page.locator("#canvas").bounding_box()
    page.locator("#lasso").click()
    corners = [(2, 2), (2, box["height"] - 2), (box["width"] - 2, box["height"] - 2), (box["width"] - 2, 60), (2, 2)]
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.up()
    assert int(page.locator("#chosen").inner_text().split()[0]) > 16
    page.locator("#list button").first.hover()
    assert page.locator("#tip mark").inner_text() == "bank"


@pytest.mark.slow
def test_points_move_and_do_not_jump(watched):
    page = watched().open(*VIEWS["contexts"])
    page.wait_for_timeout(100)
    still = page.locator("#canvas").screenshot()
    page.evaluate("""() => { const layer = document.querySelector('#layer'); layer.value = 0;
        layer.dispatchEvent(new Event('input')); }""")
    page.wait_for_timeout(150)
    midway = page.locator("#canvas").screenshot()
    page.wait_for_timeout(1200)
    arrived = page.locator("#canvas").screenshot()
    assert len({still, midway, arrived}) == 3


def test_neighbours_are_gone_on_with_and_unknown_words_offered_spellings(watched):
    one = watched()
    page = one.open(*VIEWS["neighbours"])
    words = page.locator("#plot svg a").evaluate_all("(all) => all.map((one) => one.dataset.word)")
    assert {"water", "boat", "shore", "fish"} <= set(words[:12])
    page.locator('#plot svg a[data-word="water"]').first.click()
    until(lambda: page.locator("#caption b").inner_text() == "water")
    until(lambda: "word=water" in page.evaluate("location.search"))
    page.fill("#word", "rivr")
    page.keyboard.press("Enter")
    offered = page.locator("#message button")
    offered.first.wait_for()
    one.expect_complaint("404")
    assert "river" in offered.all_inner_texts()
    page.locator("#message button", has_text="river").first.click()
    until(lambda: page.locator("#caption b").inner_text() == "river")
    assert page.locator("#message").is_hidden()


@pytest.mark.slow
def test_what_is_typed_is_completed(watched):
    page = watched().open("/neighbours", "#word")
    page.locator("#word").press_sequentially("ri")
    page.locator("#word-list li").first.wait_for()
    assert page.locator("#word-list li span").first.inner_text() == "river"
    page.keyboard.press("ArrowDown")
    assert page.locator("#word").get_attribute("aria-activedescendant") == "word-0"
    page.keyboard.press("Enter")
    page.wait_for_selector("#plot svg a")
    until(lambda: "word=river" in page.evaluate("location.search"))


@pytest.mark.slow
def test_an_analogy_tells_the_true_rank(watched, folder):
    page = watched().open(*VIEWS["analogy"])
    vectors = Vectors.load(folder / "first")
    ranked = [word for word, _ in vectors.most_similar(["water", "money"], ["river"], topn=len(WORDS))]
    told = page.locator("#answers section", has_text="first").locator("p").first.inner_text()
    assert told == f"“cash” is answer {ranked.index('cash') + 1} of {len(WORDS) - 3:,}"


@pytest.mark.slow
def test_two_maps_move_together_and_tell_who_moved(watched):
    page = watched().open(*VIEWS["map"])
    page.wait_for_selector("#movers-list button")
    left, right = page.locator("#maps canvas").all()
    before = right.screenshot()
    left.hover(position={"x": 150, "y": 200})
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(400)
    zoomed = right.screenshot()
    assert zoomed != before
    left.focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(400)
    assert right.screenshot() != zoomed
    page.locator("#movers-list button").first.click()
    word = page.locator("#movers-list button span").first.inner_text()
    until(lambda: word in page.locator("#side-title").inner_text())
    page.fill("#to", "10")
    until(lambda: "to=10" in page.evaluate("location.search"))


@pytest.mark.slow
def test_training_is_followed_while_it_runs(watched, folder):
    page = watched().open(*VIEWS["training"])
    assert page.locator("#caption").inner_text().startswith("first")
    assert "running live" in page.locator("#caption").inner_text()
    rows = page.locator("#table tbody tr").count()
    page.locator("#take").get_by_text("SVG").focus()
    page.evaluate("window.focused = document.activeElement")
    with (folder / "running" / "checkpoint" / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(ENTRY % (11, 0.55, 1_100, 3.5))
    until(lambda: page.locator("#table tbody tr").count() > rows)
    assert page.evaluate("document.activeElement === window.focused && window.focused.isConnected")


@pytest.mark.slow
def test_cosines_of_words_are_those_of_python(watched, folder):
    page = watched().open(*VIEWS["heatmap"])
    vectors = Vectors.load(folder / "first")
    page.evaluate("document.querySelector('#behind').open = true")
    cell = page.locator("#table tbody tr").first.locator("td").nth(2).inner_text()
    assert float(cell.replace("−", "-")) == pytest.approx(vectors.similarity("river", "money"), abs=1e-4)
    assert page.locator("#plot svg text", has_text=EVIL[:20]).count() == 2


@pytest.mark.slow
@pytest.mark.parametrize("view", ["contexts", "neighbours", "map", "training"])
def test_what_is_shown_can_be_taken_away(watched, tmp_path, view):
    page = watched(accept_downloads=True).open(*VIEWS[view])
    taken = {}
    for kind in ("CSV", "JSON", "SVG", "PNG"):
        with page.expect_download() as download:
            page.locator("#take").get_by_text(kind).first.click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.suffix == f".{kind.lower()}"
        taken[kind] = path.read_bytes()
    assert json.loads(taken["JSON"])
    assert taken["CSV"].decode("utf-8-sig").count("\n") > 3
    assert page.locator("#take").get_by_text("CSV").count() == (2 if view in ("map", "training") else 1)
    if view == "map":
        assert taken["CSV"].decode("utf-8-sig").startswith("word,x,y,count")
        assert len(json.loads(taken["JSON"])["points"]) == len(json.loads(taken["JSON"])["words"]) == len(WORDS)
    assert taken["PNG"].startswith(b"\x89PNG")
    drawn = taken["SVG"].decode()
    assert "var(--" not in drawn
    assert "firth." in drawn  # the line of Python
    assert page.locator("#python pre").inner_text().splitlines()[0]
    assert ("reader" if view == "contexts" else "first") in drawn


@pytest.mark.slow
def test_light_or_dark_is_remembered_and_so_is_the_language(watched):
    page = watched(scheme="light").open("/about")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    page.locator("a[data-lang=zh]").click()
    page.wait_for_selector("html[lang=zh-Hans]", state="attached")
    page.goto(page.url.split("?")[0])
    assert page.locator("h1").inner_text() == "这些数字从何而来"


@pytest.mark.slow
def test_a_page_says_when_its_server_is_gone(watched):
    one = watched()
    page = one.open(*VIEWS["neighbours"])
    page.route("**/api/**", lambda route: route.abort())
    page.fill("#word", "money")
    page.keyboard.press("Enter")
    page.locator("#message", has_text="does not answer").wait_for()
    assert "Is firth serve still running" in page.locator("#message").inner_text()
    one.expect_complaint("failed:", "ERR_FAILED")


@pytest.mark.slow
def test_a_log_is_read_to_its_end_however_little_one_answer_holds(watched, monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "MOST_ENTRIES", 4)
    page = watched(accept_downloads=True).open("/training?run=first", "#plot svg path")
    assert page.locator("#table tbody tr").count() == 10
    with page.expect_download() as download:
        page.locator("#take").get_by_text("JSON").click()
    download.value.save_as(tmp_path / "log.json")
    told = json.loads((tmp_path / "log.json").read_text(encoding="utf-8"))
    assert [entry["seconds"] for entry in told["entries"]] == list(range(1, 11))
    with page.expect_download() as download:
        page.locator("#take").get_by_text("CSV").click()
    download.value.save_as(tmp_path / "log.csv")
    assert len((tmp_path / "log.csv").read_text(encoding="utf-8-sig").splitlines()) == 1 + 10


@pytest.mark.slow
def test_an_error_of_the_training_page_goes_when_the_server_answers_again(watched):
    one = watched()
    page = one.page
    page.route("**/api/runs", lambda route: route.abort(), times=1)
    one.open("/training", "#message b")
    until(page.locator("#message").is_hidden)
    one.expect_complaint("failed:", "ERR_FAILED")


@pytest.mark.slow
def test_a_spelling_goes_where_the_unknown_word_stands(watched):
    one = watched()
    page = one.open("/analogy?a=river&b=watr&c=money&of=first:0", "#message button")
    one.expect_complaint("404")
    page.locator("#message button", has_text="water").first.click()
    page.wait_for_selector("#answers svg")
    assert [page.input_value(f"#{name}") for name in "abc"] == ["river", "water", "money"]
    page.fill("#expected", "river")
    page.keyboard.press("Enter")
    until(lambda: "one of the three given words" in page.locator("#answers").inner_text())
    page.goto(one.base + "/heatmap?model=first&kind=words&text=river%0Amoneey")
    page.locator("#message button", has_text="money").first.click()
    until(lambda: page.input_value("#text") == "river\nmoney")


@pytest.mark.slow
def test_what_is_typed_but_not_asked_stands_in_no_address(watched):
    page = watched(reduced_motion="reduce").open(*VIEWS["contexts"])
    page.fill("#word", "")
    page.locator("#word").press_sequentially("ri")  # of the corpus: the model has no list of words
    page.locator("#word-list li", has_text="river").wait_for()
    page.locator("#layer").focus()
    page.keyboard.press("Home")
    until(lambda: "layer=0" in page.evaluate("location.search"))
    assert "word=bank" in page.evaluate("location.search")
    assert "most=40" in page.evaluate("location.search")


@pytest.mark.slow
def test_maps_that_are_drawn_anew_leave_nothing_behind(watched):
    page = watched().open(*VIEWS["map"])
    page.evaluate("""() => {
        window.gone = 0;
        const put = CanvasRenderingContext2D.prototype.putImageData;
        CanvasRenderingContext2D.prototype.putImageData = function (...given) {
            if (!this.canvas.isConnected) window.gone++;
            return put.apply(this, given);
        };
        window.old = document.querySelector("#maps canvas");
    }""")
    page.select_option("#beside", "")
    until(lambda: page.evaluate("!window.old.isConnected"))
    page.locator("#theme").click()
    page.wait_for_timeout(300)
    assert page.evaluate("window.gone") == 0
    page.fill("#word", "River")
    page.keyboard.press("Enter")
    until(lambda: page.input_value("#word") == "river" and "word=river" in page.evaluate("location.search"))


@pytest.mark.slow
def test_a_text_too_long_for_an_address_stands_in_its_fragment(watched):
    text = "\n".join(["river", "money", *(f"开心{'很' * 40}{number}" for number in range(60))])
    one = watched()
    page = one.open("/heatmap?model=first&kind=words", "#text")
    page.fill("#text", text)
    page.locator("button.main").click()
    page.wait_for_selector("#plot svg rect")
    assert len(page.evaluate("location.search")) < 200
    page.reload()
    page.wait_for_selector("#plot svg rect")
    assert page.input_value("#text") == text


@pytest.mark.slow
def test_the_way_to_the_content_reloads_nothing(watched):
    page = watched().open(*VIEWS["neighbours"])
    page.evaluate("window.here = true")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    until(lambda: page.evaluate("document.activeElement.id") == "main")
    page.wait_for_timeout(300)
    assert page.evaluate("window.here")
    page.locator('#plot svg a[data-word="water"]').first.click()
    until(lambda: page.locator("#caption b").inner_text() == "water")
    page.go_back()
    page.wait_for_function("window.here === undefined && document.querySelector('#caption b')?.innerText === 'river'")


@pytest.mark.slow
def test_a_link_is_copied_where_the_browser_has_no_clipboard_for_pages(watched):
    one = watched()
    one.page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page = one.open(*VIEWS["neighbours"])
    page.locator("#take").get_by_text("Copy link").click()
    until(lambda: page.locator("#take").get_by_text("Copied").count())
    page.fill("#word", "")
    page.keyboard.press("Control+V")
    assert page.input_value("#word") == page.url
    wrapped = page.evaluate("import('/static/figure.js').then((figure) => figure.wrap('中'.repeat(100), 480))")
    assert "".join(wrapped) == "中" * 100
    assert max(map(len, wrapped)) * 12 <= 480


@pytest.mark.slow
def test_a_file_that_cannot_be_had_is_told_of(watched):
    one = watched()
    page = one.open(*VIEWS["contexts"])
    page.route("**/api/occurrences?format=csv", lambda route: route.abort())
    page.locator("#take").get_by_text("CSV").click()
    page.locator("#message", has_text="does not answer").wait_for()
    one.expect_complaint("failed:", "ERR_FAILED")


def test_sentences_are_read_by_the_layers_of_the_network(watched, folder):
    page = watched().open("/heatmap?model=reader", "#text")

    def offered() -> list[str]:
        return page.locator("#layer option").all_inner_texts()

    assert page.locator("#kind option").first.is_disabled()  # it has no matrices
    assert page.input_value("#kind") == "sentences"
    assert (offered(), page.input_value("#layer")) == (["0", "1", "2", "3"], "3")
    page.select_option("#layer", "2")
    page.fill("#text", "the river\nthe money")
    page.locator("button.main").click()
    page.wait_for_selector("#plot svg rect")
    assert "layer 2" in page.locator("#caption").inner_text().lower()
    vectors = [
        one.array[0, 0]
        for one in firth.extract(folder / "reader", ["the river", "the money"], layers=2, unit="sentence")
    ]
    due = float(np.dot(*vectors) / np.prod(np.linalg.norm(vectors, axis=1)))
    page.evaluate("document.querySelector('#behind').open = true")
    told = page.locator("#table tbody tr").first.locator("td").nth(2).inner_text()
    assert float(told.replace("−", "-")) == pytest.approx(due, abs=1e-4)
    page.select_option("#model", "second")
    assert (offered(), page.input_value("#layer")) == (["0", "1"], "1")
    page.select_option("#layer", "0")
    page.select_option("#model", "reader")
    assert page.input_value("#layer") == "3"


def test_another_model_is_shown_at_its_own_last_layer(watched):
    page = watched(reduced_motion="reduce").open("/contexts?word=bank&model=first&most=40", "#list mark")
    until(lambda: "layer=0" in page.evaluate("location.search"))
    posted = []
    page.on("request", lambda one: posted.append(one.post_data_json["word"]) if one.method == "POST" else None)
    page.select_option("#model", "reader")
    until(lambda: page.locator("#layer-told").inner_text() == "layer 3 of 3")
    page.fill("#word", "")
    page.select_option("#model", "first")  # there is nothing to ask
    page.fill("#word", "river")
    page.keyboard.press("Enter")
    until(lambda: page.locator("#caption b").inner_text() == "river")
    assert posted == ["bank", "river"]


@pytest.mark.slow
def test_an_unknown_compound_is_told_its_known_parts(watched):
    one = watched(language="zh")
    page = one.open("/neighbours?word=开心很开心", "#message b")
    assert "这里没有“开心很开心”" in page.locator("#message b").inner_text()
    assert "其中认识的部分：开心 + 开心" in page.locator("#message").inner_text()
    one.expect_complaint("404")


@pytest.mark.slow
def test_light_or_dark_can_be_chosen_where_the_browser_keeps_nothing(watched):
    one = watched(scheme="light")
    one.page.add_init_script("""Object.defineProperty(window, 'localStorage', { get() { throw new Error('no'); } });
        window.changes = 0; addEventListener('themechange', () => { window.changes++; });""")
    page = one.open("/about")

    def theme() -> list[Any]:
        return page.evaluate("[document.documentElement.dataset.theme, window.changes]")

    assert theme() == ["light", 0]
    page.locator("#theme").click()
    assert theme() == ["dark", 1]
    page.emulate_media(color_scheme="dark")
    until(lambda: theme() == ["dark", 2])
    page.emulate_media(color_scheme="light")
    until(lambda: theme() == ["light", 3])


@pytest.mark.slow
def test_a_completion_tells_nothing_of_what_it_waits_for(watched):
    page = watched().open("/neighbours", "#word")
    asked = []

    def not_yet(route: Any) -> None:
        asked.append(route.request.url)
        route.fulfill(status=202, json={"state": "working", "what": "reading the corpus", "done": 0.25})

    page.route("**/api/words?*", not_yet)
    page.locator("#word").press_sequentially("ri")
    n_answers = "performance.getEntriesByType('resource').filter((one) => one.name.includes('/api/words')).length"
    until(lambda: page.evaluate(n_answers) > 1)
    assert len(asked) > 1  # the first was answered: not yet
    assert page.locator("#state").inner_text() == ""


@pytest.mark.slow
@pytest.mark.parametrize(("language", "told"), [("en", "“rivr” is not among"), ("zh", "这里没有“rivr”")])
def test_an_unknown_word_is_named_in_the_language_of_the_page(watched, language, told):
    one = watched(language=language)
    for path in ("/neighbours?word=rivr", "/contexts?word=rivr&model=reader", "/map?model=first&word=rivr"):
        page = one.open(path, "#message button")
        assert told in page.locator("#message b").inner_text()
        assert page.locator("#message button").first.inner_text() == "river"
    page = one.open("/neighbours?word=<i>x</i>", "#message b")
    assert "<i>x</i>" in page.locator("#message b").inner_text()
    one.expect_complaint("404")


@pytest.mark.parametrize(
    ("path", "told", "status"),
    [
        ("/heatmap?model=first&kind=sentences&text=river%0Azz zz", "“zz zz”中没有“first”认识的词", "400"),
        (f"/heatmap?model=first&kind=sentences&text=river%0A{'zz ' * 700}", "“句子 2”：最多 2,000 个字符", "422"),
        ("/map?model=gone", "没有名为“gone”的模型", ""),
        ("/contexts?model=gone&word=bank", "没有名为“gone”的模型", ""),
    ],
)
def test_a_fault_is_told_in_the_language_of_the_page(watched, path, told, status):
    one = watched(language="zh")
    page = one.open(path, "#message b")
    assert told in page.locator("#message b").inner_text()
    if status:
        one.expect_complaint(status)


@pytest.mark.slow
def test_what_is_being_done_is_told_in_the_language_of_the_page(watched):
    page = watched(language="zh").open("/contexts", "#word")
    begun = {"state": "working", "what": "reading contexts", "done": 0.25}
    page.route("**/api/occurrences", lambda route: route.fulfill(status=202, json=begun))
    page.fill("#word", "bank")
    page.keyboard.press("Enter")
    until(lambda: page.locator("#state").inner_text().startswith("正在读取上下文"))
    assert page.locator("#state progress").get_attribute("value") == "0.25"
    page.unroute("**/api/occurrences")
    page.wait_for_selector("#list mark")
    until(lambda: page.locator("#state").inner_text() == "")


@pytest.mark.slow
def test_a_map_by_umap_is_drawn_in_the_background_and_kept_beside_the_model(watched, folder, tmp_path):
    pytest.importorskip("umap", reason="umap-learn is not installed")
    page = watched().open("/map?model=second&layer=0&method=umap", "#method")
    until(lambda: "UMAP" in page.locator("#maps figcaption").inner_text(), seconds=240)
    until(lambda: "trustworthiness 0" in page.locator("#maps figcaption").inner_text())
    (kept,) = (folder / "second" / "maps").iterdir()
    written = kept.stat().st_mtime_ns
    again = Exploration([folder / "second"], cache_dir=tmp_path)  # as a second start finds it
    try:
        matrix = again.shelf.matrix("second:0")
        found = maps.by_umap(matrix, len(WORDS), Silent(), cache_dir=tmp_path)
    finally:
        again.close()
    assert kept.stat().st_mtime_ns == written
    shown = page.request.get(f"{page.url.partition('/map')[0]}/api/map/points?model=second&layer=0&method=umap").body()
    np.testing.assert_array_equal(np.frombuffer(shown, "<f4").reshape(-1, 2), found.points)
