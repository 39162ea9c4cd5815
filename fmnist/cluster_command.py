"""Clusters on the command line: `fmnist clusters`, and the place that `train` and `sweep` are told."""

import argparse
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table

from fmnist.clusters import Cluster, Clusters, check, checked_address, jobs
from fmnist.errors import ConfigError
from fmnist.placement import Placement
from fmnist.store import Store


def clusters(options: argparse.Namespace) -> int:
    """`fmnist clusters [list | add | check | fetch | remove]`"""
    if options.action == "fetch":
        return _fetch(Store(), options)
    known = Clusters(Store())
    return {"list": _list, "add": _add, "check": _check, "remove": _remove}[options.action](known, options)


def chosen_place(store: Store, options: argparse.Namespace) -> Placement:
    """Where a command line wants its training: this machine, or a cluster, which becomes one of the studio if it is not yet.

    Raises:
        ConfigError: a flag for clusters alone is given without `--engine ray`, or the address is missing.
    """
    workers, gpus = getattr(options, "workers", 1), options.gpus or 0.0
    if options.engine != "ray":
        if options.address or options.token_file or options.storage or options.gpus is not None:
            raise ConfigError("--address, --token-file, --storage and GPUs are for a cluster. Add --engine ray.")
        return Placement(workers=workers)
    if not options.address:
        raise ConfigError("--engine ray needs --address: the name of a cluster, or where its dashboard is, like http://head:8265.")
    return Placement(_named(Clusters(store), options).id, workers, gpus)


def _named(known: Clusters, options: argparse.Namespace) -> Cluster:
    """The cluster that is meant, with the storage and the token that are given."""
    changes = {"storage": options.storage, "token_file": options.token_file}
    if "://" not in options.address:
        return known.change(known.get(options.address), **changes)
    address = checked_address(options.address)
    for cluster in known.list():
        if cluster.address == address:
            return known.change(cluster, **changes)
    if not options.storage:
        raise ConfigError("A cluster that is new here needs --storage: a folder that all its nodes and this machine reach.")
    return known.add(urlsplit(address).netloc, address, options.storage, token_file=options.token_file)


def _list(known: Clusters, options: argparse.Namespace) -> int:
    from fmnist.commands import out, print_json

    found = known.list()
    if options.json:
        print_json({"clusters": [_summary(cluster) for cluster in found]})
    elif not found:
        out.print("No cluster yet. Add one: python -m fmnist clusters add NAME --address http://head:8265 --storage /nfs/fmnist")
    else:
        table = Table("name", "address", "storage", "token", box=None)
        for cluster in found:
            table.add_row(cluster.name, cluster.address, cluster.storage, cluster.token_file or "none")
        out.print(table)
    return 0


def _add(known: Clusters, options: argparse.Namespace) -> int:
    from fmnist.commands import out, print_json

    if not (options.name and options.address and options.storage):
        raise ConfigError("clusters add needs NAME, --address and --storage.")
    cluster = known.add(options.name, options.address, options.storage, token_file=options.token_file)
    if options.json:
        print_json(_summary(cluster))
    else:
        out.print(f"{cluster.name} is known now. Test it: python -m fmnist clusters check '{cluster.name}'", highlight=False, markup=False)
    return 0


def _check(known: Clusters, options: argparse.Namespace) -> int:
    from fmnist.commands import out, print_json

    cluster = known.get(_name(options))
    words, at_work = check(cluster), [job for job in jobs(cluster) if not job.is_over]
    if options.json:
        print_json({**_summary(cluster), "answer": words, "jobs": [vars(job) for job in at_work]})
        return 0
    out.print(f"{cluster.name}: {words}", highlight=False, markup=False)
    for job in at_work:
        whose = f"{job.user}: {job.what}" if job.user else "not of a studio"
        out.print(f"  {job.status.lower()}  {job.name}  {whose}", highlight=False, markup=False)
    return 0


def _fetch(store: Store, options: argparse.Namespace) -> int:
    from fmnist import away
    from fmnist.commands import out, print_json

    if not options.name:
        raise ConfigError("clusters fetch needs the NAME, number or id of a run.")
    run = store.find(options.name)
    found = away.fetch(store, run)
    if options.json:
        print_json({"run": run.id, "weights": found.weights, "weights_sha256": found.weights_sha256})
    else:
        out.print(f"The model of {run.name} is here now: {found.weights}", highlight=False, markup=False)
    return 0


def _remove(known: Clusters, options: argparse.Namespace) -> int:
    cluster = known.get(_name(options))
    known.remove(cluster)
    if options.json:
        from fmnist.commands import print_json

        print_json(_summary(cluster))
    return 0


def _name(options: argparse.Namespace) -> str:
    if not options.name:
        raise ConfigError(f"clusters {options.action} needs the NAME of a cluster.")
    return options.name


def _summary(cluster: Cluster) -> dict[str, Any]:
    return {name: getattr(cluster, name) for name in ("id", "name", "address", "storage", "token_file")}
