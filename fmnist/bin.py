"""The bin: what was deleted waits there for 30 days, and can be brought back until then."""

import logging
import time
from collections.abc import Sequence

from fmnist.errors import StoreError
from fmnist.run import Run
from fmnist.store import Store

log = logging.getLogger(__name__)
KEPT_SECONDS = 30 * 86_400.0
UNDO_SECONDS = 86_400.0  # how long the last deletion is offered to be undone at once


def last_deletion(binned: Sequence[Run]) -> list[Run]:
    """The runs that were deleted last, all in one action and within a day; empty when there are none.

    Args:
        binned: what lies in the bin, as `Store.binned` gives it.
    """
    when = max((run.binned for run in binned if run.binned), default=0.0)
    return [run for run in binned if run.binned == when] if time.time() - when <= UNDO_SECONDS else []


def clear(store: Store) -> None:
    """Remove for good what lies in the bin for too long. A run that cannot be removed is said in the log, and left for the next time.

    The wall clock alone is not believed, because one that is years ahead would empty the bin: as much time must lie between the deletion
    and the last thing that befell any run.
    """
    try:
        now = min(time.time(), store.last_happening())
        old = [run for run in store.binned() if run.binned is not None and now - run.binned > KEPT_SECONDS]
    except StoreError as error:
        log.error("the bin is not looked at: %s", error)
        return
    for run in old:
        from fmnist.checkpoint import remove_run  # with PyTorch, which takes seconds: only when there is something to remove

        try:
            remove_run(store, run.id)
        except StoreError as error:
            log.error("%s stays in the bin: %s", run.id, error)
        else:
            log.info("%s lay in the bin for 30 days and is removed", run.id)
