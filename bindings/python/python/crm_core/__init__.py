"""A CRM inside your process: tenants, contacts, calls, a timeline, events.

`Crm` is for code that blocks, `AsyncCrm` for asyncio; both have the same operations.
"""

import atexit as _atexit
import logging as _logging
import os as _os

from . import _native
from ._core import AsyncBatch as AsyncBatch
from ._core import AsyncCrm as AsyncCrm
from ._core import AsyncEventGroup as AsyncEventGroup
from ._core import AsyncSession as AsyncSession
from ._core import AsyncWorker as AsyncWorker
from ._core import Batch as Batch
from ._core import Crm as Crm
from ._core import EventGroup as EventGroup
from ._core import Session as Session
from ._core import Worker as Worker
from ._errors import *  # noqa: F403
from ._events import AsyncSubscription as AsyncSubscription
from ._events import Delivery as Delivery
from ._events import Reset as Reset
from ._events import Subscription as Subscription
from ._files import AsyncRecording as AsyncRecording
from ._files import Progress as Progress
from ._files import Recording as Recording
from ._records import Page as Page
from ._records import Record as Record
from ._surface import *  # noqa: F403
from ._unset import UNSET as UNSET
from ._unset import Unset as Unset
from ._webhook import WebhookReply as WebhookReply


def log_to_python(level: int = _logging.INFO) -> None:
    """Lines of the CRM's log go to `logging.getLogger("crm_core")` from now on, those of `level` and above.

    A thread hands them on, so that no call waits for a handler; in a child after a fork, ask for it again.
    """
    _native.log_to_python(level)


_atexit.register(_native.shut_down)
if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(after_in_child=_native.forked)
