"""What a browser may do with the answers: load nothing from elsewhere, run no script that is not ours, be in nobody's frame.

The policy is as tight as Streamlit lets it be; docs/security.md says of each loose word why it is there.
"""

import base64
import hashlib
import re
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
FIXED = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # not "no-referrer": that takes the Origin from a form, too
    "Permissions-Policy": "camera=(self), clipboard-read=(self), clipboard-write=(self), fullscreen=(self), microphone=(), geolocation=(), "
    "display-capture=(), payment=(), usb=(), serial=(), hid=(), midi=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data:",
    "worker-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


def policy(page: str = "") -> str:
    """The Content-Security-Policy of a page; its own scripts between tags are allowed by their hashes.

    Args:
        page: the HTML of Streamlit's page.
    """
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in _INLINE_SCRIPT.findall(page))
    return _joined({**POLICY, "script-src": f"{POLICY['script-src']} {scripts}".strip()})


def policy_of_a_form(styles: Iterable[str]) -> str:
    """The policy of a page that is one form: no script at all, and the styles given."""
    allowed = " ".join(f"'sha256-{_digest(style)}'" for style in styles)
    return _joined(
        {
            "default-src": "'none'",
            "style-src": allowed,
            "img-src": "data:",
            "form-action": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
    )


def added(send: Send, content_policy: str) -> Send:
    """A `send` that puts the headers on every answer; one that has a policy of its own keeps it."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            headers.update(FIXED)
            headers.setdefault("Content-Security-Policy", content_policy)
        await send(message)

    return sending


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _joined(rules: dict[str, str]) -> str:
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())
