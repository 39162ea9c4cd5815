"""A picture from the clipboard, which Streamlit's own uploader does not take."""

import base64
import binascii
from pathlib import Path

from streamlit.components.v2 import component

from fmnist.decoding import MOST_BYTES

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "paste",
    html='<div class="frame"><button type="button">Paste a picture</button>'
    '<span class="hint">or press Ctrl+V anywhere</span><span class="said" role="status"></span></div>',
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILES.with_suffix(".js").read_text(encoding="utf-8"),
)


def show(*, key: str) -> bytes | None:
    """Draw the button; returns the content of a picture that was just pasted."""
    pasted = _draw(data={"most": MOST_BYTES}, key=key, on_pasted_change=lambda: None).pasted
    return content(str(pasted["data"])) if pasted else None


def content(address: str) -> bytes | None:
    """What a data address holds, if it is one that can be read and is not too large."""
    head, comma, body = address.partition(";base64,")
    if not comma or not head.startswith("data:image/") or len(body) > 4 * MOST_BYTES // 3 + 4:
        return None
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return None
