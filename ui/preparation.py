"""Getting the dataset ready while people look on: once for the whole server, in the background, each step said."""

from typing import TYPE_CHECKING

from ui import background

if TYPE_CHECKING:
    from fmnist.data import Dataset


class Preparation(background.Job["Dataset"]):
    """Finds or fetches the dataset, verifies and decodes it."""

    def __init__(self) -> None:
        super().__init__(_find, "Starting PyTorch")

    @property
    def dataset(self) -> "Dataset | None":
        return self.result


def _find(job: "background.Job[Dataset]") -> "Dataset":
    from fmnist import data  # PyTorch takes seconds to import, so no page waits for it

    job.step = "Looking for the dataset"
    return data.load(say=job.say, progress=job.advance)


def show(preparation: Preparation) -> None:
    """A progress bar that goes away when the dataset is there; the reason and a way to try again when it cannot be had."""
    background.show(preparation, "Getting the dataset ready.")
