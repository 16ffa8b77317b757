"""The page in a real browser: calm, readable, inert, reachable by everybody."""

from __future__ import annotations

import random
import shutil

import pytest
from axe_playwright_python import sync_playwright as axe_playwright
from playwright import sync_api as playwright_api

from autograder.leaderboard import publish
from autograder.ledger import Ledger
from tests.autograder.standings import COURSE, START, report

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip(
        "the leaderboard page is NOT tested: no Chromium here, run `apt-get install chromium`",
        allow_module_level=True,
    )

HOSTILE = [
    "<script>document.title='taken'</script>",
    '"><img src=x onerror="document.title=1">',
    "</bdi></th></table><h1>me first</h1>",
    "{{ 7 * 7 }}",
    "javascript:alert(1)",
    "&lt;b&gt; &amp;",
    "]]><!-- --!>",
    "W" * 24,
    "فاطمة الزهراء",
    "משה",
    "👩\u200d💻 night shift",
    "Łukasz Zażółć",
    "李雷",
    "-1+1",
]
SIZES = {"phone": (360, 740), "tablet": (800, 1000), "small desk": (1205, 800), "desk": (1280, 800)}


def class_of(count, modules, names=None):
    """Return reports of a class with every kind of score and name."""
    dice = random.Random(count)
    return [
        report(
            f"{number:032d}",
            *(dice.choice([0, 12, 33.33, 85.5, 100]) for _ in range(dice.randint(1, modules))),
            *([0] if modules > 1 else []),
            number=number,
            minutes=number,
            alias=(names or HOSTILE)[number % len(names or HOSTILE)],
        )
        for number in range(count)
    ]


BOARDS = {
    "empty": [],
    "unnamed": [report("a", 50), report("b", 60)],
    "one": [report("a", 100, 50, alias="Ada")],
    "hostile": class_of(len(HOSTILE), 2),
    "six modules": class_of(30, 5),
    "twenty modules": class_of(40, 19),
    "three hundred": class_of(300, 2),
    "waiting": [report("a", 5, alias="Ada"), report("b", 5, alias="W" * 24, isolation="none")],
}


@pytest.fixture(scope="module")
def browser():
    """Return Debian's Chromium, without network."""
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright_api.sync_playwright() as api:
        chromium = api.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def boards(tmp_path_factory):
    """Return the address of each board by its name."""
    addresses = {}
    for name, reports in BOARDS.items():
        folder = tmp_path_factory.mktemp("board")
        ledger = Ledger(folder / "ledger")
        ledger.folder.mkdir()
        ledger.file.touch()
        for one in reports:
            ledger.append(one)
        addresses[name] = publish(ledger.folder, folder, course=COURSE, now=START).as_uri()
    return addresses


@pytest.fixture
def visit(browser, boards):
    """Return a function that opens a board; nothing may be asked for or fail meanwhile."""
    contexts, faults = [], []

    def visit(name, size="desk", **more):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: faults.append(f"request: {request.url}"))
        page.goto(boards[name])
        allowed = f"request: {boards[name]}"
        faults[:] = [f for f in faults if f != allowed and not f.startswith("request: data:")]
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


def first_column(page):
    """Return the ranks in the order they stand in."""
    return page.locator("tbody td.rank > span").all_text_contents()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", BOARDS)
def test_the_page_fits_its_window(visit, name, size):
    """No sideways scrolling on a phone, whatever the names; and no request, no error."""
    page = visit(name, size)
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]
    outside = page.evaluate("""[...document.querySelectorAll("main *")].filter(e =>
             !e.closest(".unseen") && !e.closest("pre") && e.offsetWidth > 1
             && e.getBoundingClientRect().right > window.innerWidth + 0.5
           ).map(e => e.outerHTML.slice(0, 80))""")
    assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("name", ["empty", "hostile", "six modules", "twenty modules", "waiting"])
def test_the_page_is_accessible(visit, name, size, scheme):
    """axe finds nothing: contrast, names, headings, table structure, landmarks."""
    page = visit(name, size, color_scheme=scheme, bypass_csp=True)
    found = axe_playwright.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:90] for node in one["nodes"]]) for one in found] == []


def test_hostile_names_are_text(visit):
    """Every name stands there as it is, and none of them did anything."""
    page = visit("hostile")
    assert page.title() == "TinyTorch leaderboard"
    assert sorted(page.locator("tbody bdi").all_text_contents()) == sorted(HOSTILE)
    assert page.locator("h1").count() == 1 and page.locator("img, iframe, object").count() == 0
    assert page.locator("script").count() == 1


def test_a_name_from_right_to_left_does_not_turn_its_row(visit):
    """The row keeps its order; the name alone runs the other way."""
    page = visit("hostile")
    row = page.locator("tbody tr", has_text="משה")
    lefts = [cell.bounding_box()["x"] for cell in row.locator("th, td").all()]
    assert lefts == sorted(lefts)
    direction = "element => getComputedStyle(element).direction"
    assert page.locator("bdi", has_text="משה").evaluate(direction) == "rtl"
    assert row.evaluate(direction) == "ltr"


def test_the_bars_are_as_long_as_the_points(visit):
    """50 of 100 fills half; full ones look different, and the number says the same."""
    page = visit("one")
    shares = page.locator("tbody .bar").evaluate_all(
        "bars => bars.map(b => b.firstElementChild.getBoundingClientRect().width"
        " / b.getBoundingClientRect().width)"
    )
    assert shares == pytest.approx([1, 0.5], abs=0.01)
    assert page.locator("tbody .value").all_text_contents() == ["100 of 100", "50 of 100"]


def test_the_page_is_complete_without_script(visit):
    """Ranking, names and points are plain HTML; there are no buttons that do nothing."""
    page = visit("hostile", java_script_enabled=False)
    assert page.locator("tbody tr").count() == len(HOSTILE)
    assert page.locator("button").count() == 0
    page = visit("hostile", "phone", java_script_enabled=False)
    assert page.locator("tbody tr").first.is_visible()


def test_the_table_can_be_sorted_from_the_keyboard_and_back(visit):
    """A module first by its points downwards, again upwards, and the rank brings all back."""
    page = visit("hostile")
    ranks = first_column(page)
    tensor = page.get_by_role("button", name="Tensor")
    values = "cells => cells.map(c => Number(c.dataset.value))"

    def column():
        return page.locator("tbody td:nth-child(3)").evaluate_all(values)

    tensor.focus()
    page.keyboard.press("Enter")
    assert column() == sorted(column(), reverse=True)
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Space")
    assert column() == sorted(column())
    assert page.locator("th[aria-sort]").all_text_contents() == ["01 Tensor"]
    page.get_by_role("button", name="Rank").click()
    assert first_column(page) == ranks


def test_the_first_tab_skips_to_the_ranking(visit):
    """And the link is seen when it has the focus."""
    page = visit("one")
    page.keyboard.press("Tab")
    link = page.locator("a.skip")
    assert link.evaluate("link => link === document.activeElement")
    assert link.bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "ranking"


@pytest.mark.parametrize("size", ["phone", "desk"])
def test_a_screen_reader_meets_a_table(visit, size):
    """On a phone too, where it looks like cards: rows, headers and cells keep their roles."""
    page = visit("one", size)
    assert page.get_by_role("table").count() == 1
    assert page.get_by_role("rowheader", name="Ada").count() == 1
    assert page.get_by_role("row").count() == 2
    assert page.get_by_role("cell").count() == 4
    heads = page.get_by_role("columnheader").all_text_contents()
    assert heads[0] == "Rank" and heads[-1] == "Total"


@pytest.mark.parametrize(
    "name, text",
    [
        ("empty", "The first place is free."),
        ("unnamed", "Nobody has chosen a name yet."),
        ("waiting", "1 student is waiting for a first grade: " + "W" * 24),
        ("one", "How to get on here"),
    ],
)
def test_every_state_has_its_words(visit, name, text):
    """An empty board invites instead of looking broken."""
    assert visit(name).get_by_text(text).is_visible()
