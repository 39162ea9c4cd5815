"""The Try page under a mouse, a finger and a keyboard: what is drawn is answered, and stays."""

import base64
import io
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from fmnist import pictures
from fmnist.prediction import classify, load
from tests.e2e.conftest import Server, settle, until
from ui.trying import strokes
from ui.trying.drawing import SIDE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
SKETCH = {sketch.word: sketch for sketch in strokes.SKETCHES}
RIGHT = {"t-shirt": {"T-shirt/top", "Shirt"}, "trousers": {"Trouser"}, "shoe": {"Sneaker", "Ankle boot", "Sandal"}, "bag": {"Bag"}}
SCRIBBLE = tuple((20 + 30.0 * step, 20 + 340.0 * (step % 2)) for step in range(12))


def canvas(page: Page) -> Locator:
    return page.locator("canvas.upper-canvas")


def answer(page: Page) -> Locator:
    return page.locator(".fm-says h3")


def strip(page: Page) -> Locator:
    return page.locator(".fm-film li")


def act(page: Page, name: str) -> None:
    """Press one of the buttons below the canvas; the canvas has buttons of its own with the same names."""
    page.locator(f".st-key-try-{name}").get_by_role("button").first.click()


def corner(page: Page) -> tuple[float, float, float]:
    """Where the canvas is, and how many pixels of the screen are one of it."""
    settle(page)
    box = canvas(page).bounding_box()
    assert box
    return box["x"], box["y"], box["width"] / SIDE


def draw(page: Page, lines: Iterable[strokes.Line]) -> None:
    """With the mouse, as a person would."""
    left, top, scale = corner(page)
    for line in lines:
        (x, y), *others = line
        page.mouse.move(left + scale * x, top + scale * y)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(left + scale * x, top + scale * y, steps=4)
        page.mouse.up()


def touch(page: Page, lines: Iterable[strokes.Line]) -> None:
    """With a finger."""
    left, top, scale = corner(page)
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": left + scale * x, "y": top + scale * y} for x, y in points]}
        )

    for line in lines:
        send("touchStart", line[0])
        for point in line[1:]:
            send("touchMove", point)
        send("touchEnd")


def png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, format="PNG")
    return content.getvalue()


def test_what_is_drawn_is_answered_stroke_by_stroke_and_survives_another_page_and_a_reload(page: Page) -> None:
    page.goto("/try_it")
    expect(page.get_by_role("heading", name="Draw a piece of clothing")).to_be_visible()
    draw(page, [((200, 200), (201, 200))])  # a dot
    expect(answer(page)).to_have_count(1)
    act(page, "undo")
    expect(answer(page)).to_have_count(0)
    draw(page, SKETCH["trousers"].lines)
    expect(answer(page)).to_have_count(1)
    act(page, "clear")
    expect(answer(page)).to_have_count(0)
    act(page, "undo")
    expect(answer(page)).to_have_count(1)
    settle(page)
    seen, address = strip(page).last.locator("img").get_attribute("src"), page.url
    assert "drawing=" in address
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Runs").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Try it").click()
    expect(strip(page).last.locator("img")).to_have_attribute("src", seen or "")
    expect(page).to_have_url(address)
    page.reload()
    expect(strip(page).last.locator("img")).to_have_attribute("src", seen or "")
    draw(page, [SCRIBBLE])
    expect(strip(page).last.locator("img")).not_to_have_attribute("src", seen or "")  # the scribble belongs to what was kept
    expect(answer(page)).to_have_count(1)


def test_a_t_shirt_trousers_a_shoe_and_a_bag_that_are_drawn_are_four_right_answers(page: Page) -> None:
    page.goto("/try_it")
    for word, right in RIGHT.items():
        draw(page, SKETCH[word].lines)
        expect(answer(page)).to_have_text(re.compile("|".join(map(re.escape, right))))
        act(page, "clear")
        expect(answer(page)).to_have_count(0)


def test_a_finger_draws_on_a_phone_and_the_page_does_not_move_under_it(new_page: Callable[..., Page]) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto("/try_it")
    expect(canvas(page)).to_be_visible()
    canvas(page).scroll_into_view_if_needed()
    left, top, scale = corner(page)
    assert (left >= 0, left + SIDE * scale <= 390) == (True, True)
    first, *others = SKETCH["bag"].lines
    touch(page, [first])
    expect(answer(page)).to_have_count(1)
    before = strip(page).last.locator("img").get_attribute("src")
    touch(page, others)
    expect(strip(page).last.locator("img")).not_to_have_attribute("src", before or "")
    assert corner(page)[1] == pytest.approx(top, abs=1)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_one_file_fifty_files_and_a_pasted_picture_are_answered(page: Page, tmp_path: Path) -> None:
    for number in range(50):
        sketch = strokes.SKETCHES[number % 6]
        (tmp_path / f"{number:02d} {sketch.word}.png").write_bytes(png(strokes.picture(sketch, paper=True)))
    (tmp_path / "07 bag.png").write_bytes(b"not a picture")
    files = sorted(tmp_path.glob("*.png"))
    page.goto("/try_it?from=upload")
    page.locator("input[type=file]").set_input_files(files[5])
    expect(answer(page)).to_have_text("Bag")
    page.locator("input[type=file]").set_input_files([*files[:5], *files[6:]])
    expect(page.get_by_text("51 pictures")).to_be_visible()
    expect(page.get_by_text("1 cannot be read")).to_be_visible()
    content = base64.b64encode(png(strokes.picture(SKETCH["trousers"], paper=True))).decode()
    page.evaluate(
        """async content => {
          const data = new DataTransfer()
          const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0))
          data.items.add(new File([bytes], "image.png", { type: "image/png" }))
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }))
        }""",
        content,
    )
    expect(answer(page)).to_have_text("Trouser")


def test_a_photo_by_the_camera_is_answered_as_the_core_answers_it_until_it_is_cleared(page: Page, server: Server) -> None:
    """Chromium's own camera films a test card: what it is taken for is the model's to say, but it must say it."""
    page.goto("/try_it?from=camera")
    until(page, "document.querySelector('video')?.readyState === HTMLMediaElement.HAVE_ENOUGH_DATA")  # it films
    page.get_by_role("button", name="Take Photo").click()
    expect(answer(page)).to_have_count(1)
    source = page.get_by_test_id("stCameraInput").locator("img").get_attribute("src") or ""
    prepared = pictures.to_image(pictures.read(base64.b64decode(source.partition("base64,")[2])))
    [said] = classify(load("bundled", server.store()), [prepared])
    unknown = "Unlike anything the model was trained on" if prepared.found else "Nothing to recognise"
    expect(answer(page)).to_have_text(said.label if said.familiar else unknown)
    page.get_by_role("button", name="Clear photo").click()
    expect(answer(page)).to_have_count(0)


def test_without_a_mouse_samples_and_settings_and_the_uploader_are_reached(page: Page) -> None:
    page.goto("/try_it?from=samples")
    expect(answer(page)).to_have_count(1)
    settle(page)
    _tab_to(page, "T-shirt")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("sample=bag"))
    expect(answer(page)).to_have_text("Bag")
    settle(page)
    _tab_to(page, "Change how the picture is prepared")
    page.keyboard.press("Enter")
    outlines = page.get_by_role("combobox", name="Outlines")
    expect(outlines).to_be_visible()
    before = strip(page).last.locator("img").get_attribute("src")
    _tab_to(page, "Outlines")
    _wait_until_still(page, outlines)  # a list closes when what is below it scrolls
    page.keyboard.type("Left")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(outlines).to_have_attribute("aria-activedescendant", re.compile("."))
    page.keyboard.press("Enter")
    expect(strip(page).last.locator("img")).not_to_have_attribute("src", before or "")
    settle(page)
    _tab_to(page, "Back to automatic")
    page.keyboard.press("Enter")
    expect(strip(page).last.locator("img")).to_have_attribute("src", before or "")
    page.goto("/try_it?from=upload")
    settle(page)
    _tab_to(page, "Upload")
    _tab_to(page, "Paste a picture")


def _wait_until_still(page: Page, element: Locator) -> None:
    """Until an element has been in view at the same place for half a second, whatever opened or scrolled before."""
    element.scroll_into_view_if_needed()
    until(
        page,
        """element => {
            const place = element.getBoundingClientRect().top, now = performance.now();
            if (place !== window.fmPlace) [window.fmPlace, window.fmSince] = [place, now];
            return now - window.fmSince > 500;
        }""",
        element.element_handle(),
    )


def _tab_to(page: Page, name: str) -> None:
    """Press Tab until what has that name, or begins with it, has the focus."""
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => {
                  let element = document.activeElement
                  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement
                  const words = ["BUTTON", "SUMMARY", "A"].includes(element?.tagName) ? element.innerText : ""
                  return element?.getAttribute("aria-label") || element?.labels?.[0]?.innerText || words
                }"""
            )
        )
        if name in seen[-1] and not seen[-1].startswith("Help"):
            return
    pytest.fail(f"Tab does not reach '{name}': {seen}")
