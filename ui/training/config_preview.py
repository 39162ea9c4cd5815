"""What a training will be like, before it is started: its size, its time here, its learning rate and its first pictures."""

import streamlit as st

from fmnist.config import TEST_IMAGES, TrainConfig
from fmnist.placement import HERE, Placement
from ui import measuring, place, state, thumbnails
from ui.labels import duration, plain
from ui.training import charts, live_curves

PICTURES, COLUMNS = 32, 8  # of the first batch
SHOWN_BY = ("seed", "batch_size", "flip", "shift", "erase", "views", "outliers", "clean_epochs", "epochs", "train_size", "validation_size")


def show(config: TrainConfig, placement: Placement) -> None:
    """Everything that can be said about a config; what takes time comes when it is ready and blocks nothing."""
    _cost(config)
    if placement != HERE:
        words = plain(place.in_words(placement))
        st.caption(f":material/dns: That is for one process here. It will run on {words}, whose speed shows when it runs.")
    st.markdown(f":material/photo_library: {images_in_words(config)}")
    live_curves.draw(charts.learning_rate_plan(config), key="train.plan")


def images_in_words(config: TrainConfig) -> str:
    """How many images are trained on, and which ones judge."""
    steps = f"{config.train_images:,} images are trained on, in {config.steps_per_epoch:,} steps an epoch."
    if config.monitor == "validation":
        return f"{steps} {config.validation_size:,} are held out and judge each epoch; the test images are kept for the end."
    return f"{steps} None is held out: the {TEST_IMAGES:,} test images are drawn as a monitor, which selects nothing."


@st.fragment(parallel=True)
def _cost(config: TrainConfig) -> None:
    """Parameters and time."""

    def draw(found: tuple[int, float, str]) -> None:
        parameters, seconds, basis = found
        st.markdown(f":material/timer: About **{duration(seconds)}** on this machine, {plain(basis)}")
        st.markdown(f":material/hub: **{parameters:,}** parameters")

    kind = (config.network, config.batch_size, config.optimizer, config.precision, config.device)
    measuring.show(kind, lambda: _size_and_time(config), draw)


@st.cache_data(show_spinner=False, ttl=60, max_entries=64)
def _size_and_time(config: TrainConfig) -> tuple[int, float, str]:
    from fmnist import bench, models

    expected = bench.forecast(config, state.store())
    return models.count_parameters(config.network), expected.seconds, expected.basis


@st.fragment(parallel=True)
def first_batch_picture(config: TrainConfig) -> None:
    """The first pictures as the network will see them."""
    if state.dataset_preparation().dataset is None:
        return
    shown = min(PICTURES, config.batch_size)
    what = "as the network will see them, changed by augmentation" if config.augmented and not _clean_at_once(config) else "as they are"
    st.markdown(f"**The first {shown} images of the first batch**, {what}")
    sheet = _sheet(tuple((name, getattr(config, name)) for name in SHOWN_BY))
    style = "width: 100%; image-rendering: pixelated; border-radius: 6px"
    st.html(f'<img src="{sheet}" alt="{shown} small pictures of clothes, {what}" style="{style}">')


def _clean_at_once(config: TrainConfig) -> bool:
    return config.clean_epochs == config.epochs


@st.cache_data(show_spinner=False, max_entries=64)
def _sheet(fields: tuple[tuple[str, object], ...]) -> str:
    """The first images of the batch in rows of eight, as the data address of one PNG.

    Args:
        fields: (name, value) of SHOWN_BY, the only ones that change the pictures.
    """
    from fmnist.augment import first_batch
    from fmnist.data import hold_out

    config = TrainConfig(**dict(fields))  # type: ignore[arg-type]
    train, _ = hold_out(state.dataset().train, config)
    images = first_batch(config, train)[0][:PICTURES]
    rows = -(-len(images) // COLUMNS)
    canvas = images.new_zeros((rows * COLUMNS, 28, 28))
    canvas[: len(images)] = images
    return thumbnails.png(canvas.view(rows, COLUMNS, 28, 28).permute(0, 2, 1, 3).reshape(rows * 28, COLUMNS * 28).numpy())
