"""The command line: what may be written, and what it means. The work is in fmnist.commands and the like, only imported to do it.

Exit status: 0 done, 1 failed with a sentence on standard error, 2 wrong arguments.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from fmnist import config
from fmnist.errors import ConfigError, FmnistError

EXPORTS = ("report", "bundle", "safetensors", "onnx", "script", "csv", "parquet", "config", "tensorboard", "mlflow")
MODEL_HELP = "a run (its id, a prefix of it, or its number), best, latest, bundled, or a .safetensors file"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    options = parser().parse_args(arguments)
    try:
        module, _, function = options.work.partition(":")
        return getattr(import_module(module), function)(options)
    except FmnistError as error:
        print(f"fmnist: {error}", file=sys.stderr)  # noqa: T201
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has seen enough
        sys.stderr.close()
        return 1


def parser() -> argparse.ArgumentParser:
    """The whole grammar; hyperparameters come from TrainConfig."""
    top = argparse.ArgumentParser(prog="fmnist", description="Train networks on Fashion-MNIST, judge them, and try them on pictures.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add(commands, "data", "find or fetch the dataset, verify it and describe it")
    _add_train(commands)
    _add_sweep(commands)
    runs = _add(commands, "runs", "list every run with its figures")
    runs.add_argument("--tag", help="only those with this tag")
    runs.add_argument("--archived", action="store_true", help="those that were put aside, too")
    _add(commands, "evaluate", "all figures of a model on the 10,000 test images").add_argument("model", metavar="MODEL", help=MODEL_HELP)
    errors = _add(commands, "errors", "every misclassified test image of a model, a line each")
    errors.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    errors.add_argument("--csv", metavar="FILE", type=Path, required=True, help="where to write it; - is standard output")
    predict = _add(commands, "predict", "classify pictures: files, or folders of them")
    predict.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    predict.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="a picture or a folder")
    _add_handover(commands)
    _add_clusters(commands)
    _add(commands, "doctor", "say what is wrong with this installation, and what to do")
    return top


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, words: str, work: str | None = None
) -> argparse.ArgumentParser:
    """Args: work: "module:function" that does it; the function of that name in fmnist.commands if None."""
    command = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    command.add_argument("--json", action="store_true", help="JSON alone on standard output; progress goes to standard error")
    command.set_defaults(work=work or f"fmnist.commands:{name}")
    return command


def _add_handover(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    work = "fmnist.handover.commands"
    export = _add(commands, "export", "hand a run or a model over, as a file or to another program", f"{work}:export")
    export.add_argument("model", metavar="MODEL", help=MODEL_HELP + "; all but safetensors and onnx need a run")
    export.add_argument("--format", required=True, choices=EXPORTS, help="what to make of it")
    export.add_argument("out", metavar="OUT", help="the file to write; a folder for tensorboard, the address of a server for mlflow")
    bring_in = _add(commands, "import", "make a run of a file that somebody has exported (a bundle, or weights)", f"{work}:bring_in")
    bring_in.add_argument("file", metavar="FILE", type=Path, help="a .zip bundle, or .safetensors with its card")
    reproduce = _add(commands, "reproduce", "train a run again and say whether the result is the same, bit for bit", f"{work}:reproduce")
    reproduce.add_argument("run", metavar="RUN", help="a run: its id, a prefix of it, or its number")


def _add_train(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    train = _add(commands, "train", "train a network; it shows up live in the dashboard")
    train.add_argument("--name", help="what to call the run")
    train.add_argument("--resume", metavar="RUN", help="go on with a run that was paused or interrupted, instead of a new one")
    train.add_argument(
        "--workers", type=int, default=1, help="how many processes train together, each with a GPU or its share of the cores (default 1)"
    )
    _add_place(train, "--gpus-per-worker")
    _add_hyperparameters(train)


def _add_sweep(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sweep = _add(commands, "sweep", "search for better hyperparameters, chosen by validation images; every trial is a run")
    sweep.add_argument(
        "--search",
        action="append",
        metavar="FIELD=VALUES",
        help="what to search, as often as needed: learning_rate=1e-4..1e-1:log is a range, batch_size=64,128 are values, "
        "optimizer alone is all that is usual",
    )
    budget = sweep.add_mutually_exclusive_group()
    budget.add_argument("--trials", type=int, help="how many configs to try (default 20)")
    budget.add_argument("--minutes", type=float, help="how much training time to use, over all trials, instead")
    sweep.add_argument("--sampler", choices=("tpe", "random"), help="tpe learns from the trials (with Optuna, then it is the default)")
    sweep.add_argument(
        "--halving",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="stop trials that are not among the best third (default)",
    )
    sweep.add_argument("--seed", type=int, default=0, help="the same seed proposes the same trials (default 0)")
    sweep.add_argument("--name", help="what to call the sweep")
    sweep.add_argument("--resume", metavar="SWEEP", help="go on with a sweep, by its number or id, instead of a new one")
    _add_place(sweep, "--gpus-per-trial")
    _add_hyperparameters(sweep, without="seed")


def _add_clusters(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    clusters = _add(commands, "clusters", "list, add, check or remove clusters; fetch a model", "fmnist.cluster_command:clusters")
    actions = ("list", "add", "check", "fetch", "remove")
    clusters.add_argument("action", nargs="?", default="list", choices=actions, help="what to do (default list)")
    what = "which cluster; for add, what to call it; for fetch, a trial whose model is still there"
    clusters.add_argument("name", nargs="?", metavar="NAME", help=what)
    _add_reach(clusters)


def _add_place(command: argparse.ArgumentParser, gpus: str) -> None:
    """Where to train, as `fmnist.cluster_command.chosen_place` reads it. Args: gpus: the flag for the GPUs of each."""
    place = command.add_argument_group("where")
    place.add_argument("--engine", choices=("local", "ray"), default="local", help="this machine (default), or a Ray cluster")
    place.add_argument(gpus, dest="gpus", type=float, metavar="N", help="on a cluster: a part of a GPU, such as 0.25, or whole ones")
    _add_reach(place)


def _add_reach(command: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """How a cluster is reached. The token itself is no flag: everybody on a machine sees the flags of its processes."""
    command.add_argument("--address", metavar="URL", help="where its dashboard is, like http://head:8265; or the name of a known cluster")
    command.add_argument("--token-file", metavar="FILE", help="a file that holds its token")
    command.add_argument("--storage", metavar="PATH", help="where checkpoints go: a folder all nodes and this machine reach, or s3://...")


def _add_hyperparameters(command: argparse.ArgumentParser, without: str | None = None) -> None:
    """Where a config comes from, as `chosen_config` reads it: a preset, a file, and a flag for each field."""
    command.add_argument("--preset", choices=tuple(config.PRESETS), help="where the hyperparameters start from: " + _presets())
    command.add_argument("--config", type=Path, metavar="FILE", help="a JSON file of hyperparameters; it goes before the preset")
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, field in config.FIELDS.items():
        if name == without:
            continue
        title = config.group(name)
        group = groups.setdefault(title, command.add_argument_group(f"hyperparameters: {title.lower()}"))
        names = [f"--{name.replace('_', '-')}"] + ([f"--{name}"] if "_" in name else [])
        words = f"{field.description} ({config.allowed(name)}; default {field.default})".replace("%", "%%")
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if field.annotation is bool else {}
        group.add_argument(*names, dest=f"field_{name}", metavar="VALUE", help=words, **switch)


def _presets() -> str:
    return " ".join(f"{name}: {words}" for name, (words, _) in config.PRESETS.items()).replace("%", "%%")


def chosen_config(options: argparse.Namespace) -> config.TrainConfig:
    """The config that a command line means: preset, then file, then flags.

    Raises:
        ConfigError: the file cannot be read, or a value is not allowed.
    """
    base = config.preset(options.preset) if options.preset else config.TrainConfig()
    if options.config:
        try:
            base = config.parse(options.config.read_bytes(), base)
        except OSError as error:
            raise ConfigError(f"The config file {options.config} cannot be read: {error.strerror}.") from error
    given = {name: getattr(options, f"field_{name}", None) for name in config.FIELDS}
    return config.parse({name: value for name, value in given.items() if value is not None}, base)
