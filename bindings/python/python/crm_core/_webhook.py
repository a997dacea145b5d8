"""What a carrier sends, and what it is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Union

HeaderText = Union[str, bytes]
Headers = Union[Mapping[str, str], Iterable[tuple[HeaderText, HeaderText]]]
"""By their names, or pairs of a name and a value; a name may come several times and be written in any case."""


class WebhookReply(NamedTuple):
    """What to answer a carrier that has sent a request."""

    content_type: str | None
    """What the body is, e.g. `text/xml`; None where there is nothing to say (HTTP's 204)."""
    body: str
    """The body."""
