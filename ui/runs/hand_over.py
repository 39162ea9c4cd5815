"""A run taken along: as a file for a colleague or a program, or trained again somewhere."""

import streamlit as st

from fmnist.errors import FmnistError
from fmnist.run import Run
from ui import state
from ui.labels import plain

FIGURES = ("csv", "parquet")  # formats that need no model
_ICONS = {
    "report": "description",
    "bundle": "inventory_2",
    "safetensors": "memory",
    "onnx": "deployed_code",
    "script": "code",
    "csv": "table",
    "parquet": "view_column",
    "config": "tune",
}


def show(run: Run) -> None:
    """Every file that can be made of a run, and the commands that train it again."""
    state.dataset()  # PyTorch and the images are there after it
    missing = _why_no_model(run)
    if missing:
        st.info(plain(missing), icon=":material/info:")
    _files(run, missing)
    _again(run)
    _elsewhere(run)


def _why_no_model(run: Run) -> str | None:
    """What stands in the way of everything that needs the network; None if nothing does."""
    try:
        state.model(run.id)
    except FmnistError as error:
        return str(error)
    return run.damage


def _files(run: Run, missing: str | None) -> None:
    from fmnist.handover.formats import FORMATS

    st.markdown("##### Files", help="Made when you click, which takes a few seconds where the network is asked about the test images.")
    with st.grid(4, min_column_width=185):
        for name, kind in FORMATS.items():
            obstacle = _obstacle(run, name, missing)
            with st.container(border=True, height="stretch", gap="small", vertical_alignment="distribute"):
                st.markdown(f"**{kind.title}**  \n{plain(obstacle) if obstacle else kind.words}")
                st.download_button(
                    f"{kind.suffix} file",
                    lambda make=kind.make: make(state.store(), run.id),
                    f"run-{run.number}{kind.suffix}",
                    kind.mime,
                    icon=f":material/{_ICONS[name]}:",
                    key=f"runs.export.{name}.{run.id}",
                    on_click="ignore",
                    disabled=obstacle is not None,
                    width="stretch",
                    type="primary" if name == "report" else "secondary",
                )


def _obstacle(run: Run, name: str, missing: str | None) -> str | None:
    """Why a file cannot be made of this run; None if it can."""
    from fmnist import onnx_export
    from fmnist.handover import script

    if name in FIGURES:
        return None if run.step else "Nothing has been trained yet."
    if name == "config":
        return run.damage
    if name == "script" and (run.accuracy is None or script.refusal(run)):
        return script.refusal(run)
    if missing:
        return "There are no weights to make it of."
    return onnx_export.NO_ONNX if name == "onnx" and not onnx_export.is_installed() else None


def _again(run: Run) -> None:
    from fmnist.handover import reproduction

    if run.config is None:
        return
    st.markdown("##### Train it again")
    if sentence := reproduction.refusal(run):
        st.caption(plain(sentence))
        return
    commands = dict.fromkeys([reproduction.command(run), reproduction.repeat(run)])  # one, where no setting says what was done by hand
    for command in commands:
        st.code(command, language="bash", wrap_lines=True)
    made = ", ".join(str(run.environment[name]) for name in ("name", "precision") if name in run.environment)
    threads = run.environment.get("threads")
    made += f", {threads} thread{'s' * (threads != 1)}" if threads else ""
    made += f", PyTorch {run.environment['torch']}" if "torch" in run.environment else ""
    first, other = ("The first trains with the same settings. ", "The second") if len(commands) > 1 else ("", "It")
    st.caption(
        f"{first}{other} trains it with as many threads too, and says whether the result is the same, bit for bit, as it is on the same "
        f"machine with the same versions on a CPU.{plain(f' It was trained on {made}.') if made else ''}"
    )


def _elsewhere(run: Run) -> None:
    with st.expander("Into TensorBoard or MLflow", icon=":material/output:"):
        st.caption("Nothing is ever sent by itself. Each of them is an extra: the command says what to install if it is missing.")
        st.code(
            f"python -m fmnist export {run.id[:12]} --format tensorboard logs\n"
            f"python -m fmnist export {run.id[:12]} --format mlflow http://127.0.0.1:5000",
            language="bash",
            wrap_lines=True,
        )
