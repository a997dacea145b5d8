"""The CRM of this process."""

from __future__ import annotations

import os
import threading

from crm_core import Crm
from django.conf import settings

_lock = threading.Lock()
_opened: Crm | None = None


def crm() -> Crm:
    """The one CRM of this process, for all of its threads.

    It is opened when it is first asked for: a server that forks (`gunicorn --preload`) has loaded Django by
    then, and each child opens its own.
    """
    global _opened
    with _lock:
        if _opened is None:
            _opened = Crm.open(settings.CRM_DATABASE, keys=settings.CRM_KEYS)
        return _opened


def close() -> None:
    """Closes it, where it is open; the next one who asks opens it anew."""
    global _opened
    with _lock:
        if _opened is not None:
            _opened.close()
        _opened = None


def _forked() -> None:
    """What the parent had open is the parent's."""
    global _lock, _opened
    _lock = threading.Lock()
    _opened = None


os.register_at_fork(after_in_child=_forked)
