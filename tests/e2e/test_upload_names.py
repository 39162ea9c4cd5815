"""The name of a file is text, whatever it says: through the real uploader, in a real browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import settle
from tests.faults.upload_corpus import garment, saved

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
NAMES = {
    "a tag": '<img src=x onerror="window.canary = 1">.png',
    "a picture in Markdown": "![x](http://example.org/x.png).png",
    "a path": "../../../etc/passwd.png",
    "right to left": "\u202egnp.exe\u202c.png",
    "emoji": "\U0001f456\U0001f468\u200d\U0001f469\u200d\U0001f467.png",
    "a line break": "one\ntwo.png",
    "as long as file systems have it": "a" * 251 + ".png",  # the server's parser refuses names from 4,096 letters on
}


def test_a_file_of_any_name_is_answered_and_its_name_does_nothing(page: Page) -> None:
    content = saved(garment((120, 160)))
    page.goto("/try_it?from=upload")
    for what, name in NAMES.items():
        page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
        expect(page.locator(".fm-says h3"), what).to_have_text("Trouser")
        settle(page)
        assert page.evaluate("window.canary") is None, what
        assert page.locator("img[src=x]").count() == 0, what
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            f"{what}: the page has become wider than the screen"
        )
        page.get_by_role("button", name="Remove", exact=False).first.click()
        expect(page.locator(".fm-says h3")).to_have_count(0)
