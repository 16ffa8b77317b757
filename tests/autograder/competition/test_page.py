"""The competition's page in a real browser: readable on a phone, reachable by everybody, inert."""

from __future__ import annotations

import random
import shutil

import pytest
from axe_playwright_python import sync_playwright as axe_playwright
from playwright import sync_api as playwright_api

from assignments.competition.tracks import tracks
from autograder.leaderboard import contest
from autograder.leaderboard.board import build
from tests.autograder.competition.made import BASELINES, report, result
from tests.autograder.standings import COURSE, START

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip(
        "the competition's page is NOT tested: no Chromium here, run `apt-get install chromium`",
        allow_module_level=True,
    )

NAMES = [
    "<script>document.title='taken'</script>"[:24],
    "</text></svg><h1>me</h1>",
    "{{ 7 * 7 }}",
    "W" * 24,
    "فاطمة الزهراء",
    "👩\u200d💻 night shift",
    "李雷",
    "-1+1",
    "Ada",
]
SIZES = {"phone": (360, 740), "tablet": (800, 1000), "desk": (1280, 800)}


def field(count, names=NAMES):
    """Return reports with every kind of result, in all tracks and both divisions."""
    dice, reports = random.Random(count), []
    for number in range(count):
        found = []
        for one in tracks().values():
            division = dice.choice(list(one.divisions))
            times = one.gold[division] ** dice.uniform(-0.1, 1.2)
            value = BASELINES[one.name] * (1 / times if one.direction == "lower" else times)
            width = 0 if one.unit == "bytes" else dice.uniform(0.001, 0.03) * value
            more = {"track": one.name, "division": division}
            more["state"] = dice.choice(["ci", "ci", "verified", "disputed", "withdrawn"])
            more |= {"quality": "noisy"} if width and number % 3 == 0 else {}
            interval = (value - width, value + width) if width else None
            value = dice.choice([value] * 9 + [None])
            more |= {"accuracy": dice.uniform(0.96, 1), "agreement": dice.uniform(0.99, 1)}
            found.append(result(value, interval, **more))
        alias = names[number % len(names)] if number % 5 else None
        reports.append(report(f"s{number:02}", *found, day=1 + number % 20, alias=alias))
    return reports


FIELDS = {
    "hostile": field(27),
    "one": [report("a", result(2.0, (1.9, 2.1)), alias="Ada")],
    "unnamed": [report("a", result(2.0, (1.9, 2.1)))],
}


@pytest.fixture(scope="module")
def browser():
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright_api.sync_playwright() as api:
        chromium = api.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """Return the address of each field's page by its name."""
    found = {}
    for name, reports in FIELDS.items():
        folder = tmp_path_factory.mktemp("competition")
        contest.write(build(reports), folder, COURSE, START)
        found[name] = (folder / "competition.html").as_uri()
    return found


@pytest.fixture
def visit(browser, addresses):
    """Return a function that opens a page; nothing may be asked for or fail meanwhile."""
    contexts, faults = [], []

    def visit(name, size="desk", **more):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **more)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("request", lambda request: faults.append(f"request: {request.url}"))
        page.goto(addresses[name])
        allowed = f"request: {addresses[name]}"
        faults[:] = [f for f in faults if f != allowed and not f.startswith("request: data:")]
        return page

    yield visit
    for context in contexts:
        context.close()
    assert faults == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FIELDS)
def test_the_page_fits_its_window(visit, name, size):
    """No sideways scrolling on a phone, whatever the names; and no request, no error."""
    page = visit(name, size)
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]
    outside = page.evaluate("""[...document.querySelectorAll("main *")].filter(e =>
             !e.closest(".unseen") && !e.closest("thead") && e.getBoundingClientRect().width > 1
             && e.getBoundingClientRect().right > window.innerWidth + 0.5
           ).map(e => e.outerHTML.slice(0, 80))""")
    assert outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desk"])
@pytest.mark.parametrize("name", FIELDS)
def test_the_page_is_accessible(visit, name, size, scheme):
    """axe finds nothing: contrast, names, headings, table structure, landmarks."""
    page = visit(name, size, color_scheme=scheme, bypass_csp=True)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = axe_playwright.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:90] for node in one["nodes"]]) for one in found] == []


def test_hostile_names_are_text_in_tables_and_pictures(visit):
    """Nothing of them is obeyed."""
    page = visit("hostile")
    assert page.title() == "TinyTorch competition"
    assert page.locator("h1").count() == 1 and page.locator("img, iframe, script").count() == 0
    shown = set(page.locator("bdi").all_text_contents())
    assert {name for name in NAMES if name.startswith(("<", "{"))} <= shown


def test_numbers_are_right_aligned_and_lie_under_each_other(visit):
    """On a desk and on a phone."""
    for size in ("desk", "phone"):
        page = visit("hostile", size)
        cells = page.locator("#sprint .track td.result")
        assert set(cells.evaluate_all("all => all.map(c => getComputedStyle(c).textAlign)")) == {
            "end"
        }
        rights = cells.evaluate_all("all => all.map(c => c.getBoundingClientRect().right)")
        assert max(rights) - min(rights) < 40 if size == "desk" else max(rights) - min(rights) < 1


def test_each_picture_has_its_table_beside_it_with_the_same_entries(visit):
    """A dot for each row, and a name for what it shows."""
    page = visit("hostile")
    for name in (
        "Size against accuracy",
        "Speed against agreement, closed division",
        "Speed against accuracy, open division",
    ):
        picture = page.get_by_role("img", name=name)
        assert picture.count() == 1
        pair = page.locator(".pair", has=picture)
        rows = pair.locator(".marks tbody tr").count()
        assert pair.locator("circle").count() == rows > 1
        assert pair.locator("circle.first").count() == pair.locator("td:text-is('yes')").count()


def test_the_names_in_a_picture_stay_within_it(visit):
    """As wide as the browser draws them."""
    page = visit("hostile")
    labels = page.locator(".picture", has=page.locator(".dot.closed")).first.locator(".label")
    assert labels.all_text_contents() == ["gold, open", "gold, closed", "baseline"]
    boxes = [one.bounding_box() for one in labels.all()]
    for one, two in zip(boxes, boxes[1:], strict=False):
        apart = one["x"] + one["width"] <= two["x"] or one["y"] + one["height"] <= two["y"]
        assert apart or two["y"] + two["height"] <= one["y"]
    outside = page.locator(".picture text").evaluate_all("""all => all.filter(text => {
             const [box, frame] = [text, text.closest("svg")].map(e => e.getBoundingClientRect());
             return box.left < frame.left || box.right > frame.right || box.top < frame.top;
           }).map(text => text.textContent)""")
    assert outside == []


def test_a_screen_reader_meets_tables_and_shared_places(visit):
    """On a phone too, where they look like cards."""
    for size in ("desk", "phone"):
        page = visit("one", size)
        table = page.get_by_role("table", name="B Sprint Closed division")
        assert table.get_by_role("rowheader").all_text_contents() == [
            "Gold line",
            "Ada",
            "Baseline",
        ]
        assert table.get_by_role("columnheader").count() == 8
    page = visit("hostile")
    assert page.locator("td.rank .unseen", has_text="shared").count() > 0


def test_records_open_from_the_keyboard(visit):
    """Without any script."""
    page = visit("one", java_script_enabled=False)
    assert not page.locator(".records").is_visible()
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    assert page.locator(".records tbody tr").all_inner_texts() == ["2026-10-01\tAda\t2.00\xa0×"]


def test_where_nobody_is_named_the_page_invites(visit):
    """Instead of looking broken."""
    page = visit("unnamed")
    assert page.get_by_text("Nobody has chosen a name here yet").is_visible()
    assert page.locator("svg.picture").count() == 0


def test_what_is_off_the_board_is_told_apart(visit):
    """Its state stands there, and no figure."""
    page = visit("hostile")
    off = page.locator("tr.off", has=page.locator(".chip.disputed, .chip.withdrawn"))
    assert off.count() > 3
    assert set(off.locator("td.result").all_inner_texts()) == {"not ranked"}


def test_a_course_with_a_name_of_its_own_has_it_in_the_title(browser, tmp_path):
    """Nothing on the page is of one course alone."""
    course = type(COURSE)(**vars(COURSE) | {"title": "Another"})
    contest.write(build(FIELDS["one"]), tmp_path, course, START)
    page = browser.new_page()
    page.goto((tmp_path / "competition.html").as_uri())
    assert page.title() == "Another competition"
    page.close()
