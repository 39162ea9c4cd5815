"""Every error that a person can cause or has to know about.

FmnistError
├── ConfigError       a hyperparameter, or two that do not fit together
├── DataError         the dataset: missing, damaged, not to be fetched
├── CheckpointError   weights or resume state: missing, damaged, of another network
├── DiskError         no room for a checkpoint, or the disk is read-only
├── StoreError        the run store: unreachable, unknown run, an action that its status does not allow
├── PictureError      a person's picture that cannot be read
├── ReportError       a result that cannot be written where it should
├── AccessError       a dashboard that would be open to everybody
├── RankLostError     a process of several that train together is gone
├── ClusterError      a cluster: out of reach, its token refused, too old, or without what it needs
│   └── LostContact   nobody answers there now; trying again may help
└── DivergedError     the loss is no longer a number

A message is for the person: what is wrong, the value, what is allowed, what to do next.
"""


class FmnistError(Exception):
    """Something that is shown as one sentence, never as a traceback."""


class ConfigError(FmnistError, ValueError):
    """A hyperparameter is out of range, or two contradict each other."""


class DataError(FmnistError, OSError):
    """The dataset is missing or damaged, or no source can be reached."""


class CheckpointError(FmnistError, OSError):
    """A checkpoint is missing, damaged, or belongs to another network."""


class DiskError(FmnistError, OSError):
    """What has to be written has no room."""


class StoreError(FmnistError, RuntimeError):
    """The run store cannot do what was asked."""


class PictureError(FmnistError, ValueError):
    """A picture cannot be read."""


class ReportError(FmnistError, OSError):
    """A result cannot be written."""


class AccessError(FmnistError, PermissionError):
    """The dashboard would be open to people who do not log in."""


class RankLostError(FmnistError, ConnectionError):
    """Another process of the same training is gone; its run goes on from the last checkpoint, in new processes."""


class ClusterError(FmnistError, RuntimeError):
    """A cluster cannot do what was asked."""


class LostContact(ClusterError):  # noqa: N818 - it is a state that passes, and said as one
    """A cluster does not answer now."""


class DivergedError(FmnistError, ArithmeticError):
    """The loss stopped being a finite number."""

    def __init__(self, epoch: int, step: int) -> None:
        self.epoch, self.step = epoch, step
        super().__init__(
            f"diverged at epoch {epoch}, step {step}: the loss is no longer a finite number. "
            "Lower the learning rate (a tenth is a good try), or add warm-up, and train again."
        )


def reason(error: Exception) -> str:
    """What the error of another library says, fit for a sentence of ours: a line of at most 200 letters without a full stop.

    It may quote a file that somebody sends, kilobytes of it.
    """
    return one_line(getattr(error, "strerror", None) or error)


def one_line(said: object) -> str:
    """Words of somebody else: at most 200 letters, without a full stop."""
    return " ".join(str(said).split())[:200].rstrip(". ")
