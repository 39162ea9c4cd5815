"""More epochs for a run that ended: what that means, and the button that begins it."""

import streamlit as st

from fmnist import schedule
from fmnist.config import TrainConfig, bounds, in_words
from fmnist.errors import FmnistError
from fmnist.run import Run, Status
from ui import notice, one_click, state
from ui.labels import plain
from ui.training import start


def is_possible(run: Run) -> bool:
    return run.config is not None and run.damage is None and run.status in (Status.FINISHED, Status.STOPPED) and run.epoch > 0


def ask(run: Run, key: str) -> None:
    """How many epochs more; a new run begins with what this one knows."""
    assert run.config is not None
    name = f"{key}.longer.{run.id}"
    with st.popover("Train longer", icon=":material/fast_forward:", key=f"{name}.ask"):
        most = int(bounds("epochs").high or 0) - run.epoch
        more = st.number_input("More epochs", 1, max(1, most), min(run.config.epochs, max(1, most)), key=name)
        st.markdown(plain(what_happens(run, run.config, more)))
        if st.button("Start", icon=":material/play_arrow:", type="primary", key=f"{name}.yes", disabled=most < 1):
            _begin(run, more, key)


def _begin(run: Run, more: int, key: str) -> None:
    from fmnist.continuation import train_longer  # with PyTorch

    try:
        made = train_longer(state.store(), run, more, token=one_click.token("train.longer", (run.id, more)))
    except FmnistError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    notice.later(f"{made.name} goes on from {run.name}; it starts {start.turn(made)}.")
    if key == "runs":
        st.query_params["run"] = made.id
    st.rerun()


def what_happens(run: Run, config: TrainConfig, more: int) -> str:
    """What the longer training is, honestly."""
    total = run.epoch + more
    words = f"A new run goes on from here to epoch {total}, with the weights and the optimizer's memory of this one, which stays as it is."
    if config.schedule == "constant":
        if not config.warmup and not config.clean_epochs:
            words += " The learning rate is constant, so it becomes the same as one that was planned for that long from the start."
        return words
    if total < config.clean_epochs or not run.step:
        return words
    longer = config.model_copy(update={"epochs": total})
    was = in_words(schedule.learning_rate(config, run.step - 1, run.rate_changes))
    now = in_words(schedule.learning_rate(longer, min(run.step, longer.total_steps - 1), run.rate_changes))
    return (
        f"{words} The learning rate, {was} at its last step, begins again at {now}, where '{config.schedule}' over {total} epochs has it, "
        "and falls from there: a warm restart. That is not the same as a training planned for that long from the start."
    )
