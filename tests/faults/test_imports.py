"""Weights and runs that somebody sends: nothing in them is executed, nothing is believed that its hash does not cover, and no size fills
the memory. Whatever is wrong is said in one sentence."""

import io
import json
import random
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from fmnist import checkpoint, data, runner
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.errors import FmnistError
from fmnist.handover import arrival, weights
from fmnist.handover.formats import FORMATS
from fmnist.liveness import this_process
from fmnist.store import Store
from tests.faults.test_uploads import memory

TINY = TrainConfig(network="linear", epochs=1, batch_size=64, train_size=600, validation_size=100, device="cpu", precision="float32")
GOOD = {"head.weight": torch.linspace(-1, 1, 7_840).view(10, 784), "head.bias": torch.zeros(10)}
MOST_MEMORY = 150_000_000  # bytes that a refusal may take, whatever a file claims of its size
CARD = {"format": "fmnist-1", "network": "linear", "config": TINY.model_dump()}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, bytes]]:
    """What another studio sends: a bundle, and weights with their card."""
    home = tmp_path_factory.mktemp("sender")
    (home / "data").symlink_to(data.locate().parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMNIST_HOME", str(home))
        patch.delenv("FMNIST_DB", raising=False)
        store = Store()
        claimed = store.claim("cpu", this_process(), store.create(TINY, device="cpu").id)
        assert claimed
        run = runner.train(store, claimed, threading.Event())
        yield {name: FORMATS[name].make(store, run.id) for name in ("bundle", "safetensors")}
        store.close()


@pytest.fixture(scope="module")
def few() -> Split:
    return data.load().test.take(torch.arange(200))


def sealed(changes: dict[str, Any], tensors: dict[str, torch.Tensor] = GOOD) -> bytes:
    """Weights whose card is sealed as if all of it were true."""
    said = {**CARD, **changes}
    return safetensors.torch.save(tensors, {"card": json.dumps({**said, "sha256": weights._seal(said, tensors)})})


def raw(header: Any, body: bytes = bytes(31_400), length: int | None = None) -> bytes:
    """A safetensors file of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(shape: list[Any], start: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return file.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr = 0o120777 << 16
    return found


def pickled(canary: Path) -> bytes:
    """A pickle that makes a file when it is opened."""
    return b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR."


def alike(dtype: str, size: int) -> bytes:
    """The tensors of the network, in numbers of so many bytes."""
    middle, end = 7_840 * size, 7_850 * size
    return raw({"head.weight": tensor([10, 784], 0, middle, dtype), "head.bias": tensor([10], middle, end, dtype)}, bytes(end))


W, B = tensor([10, 784], 0, 31_360), tensor([10], 31_360, 31_400)


def hand_made(canary: Path) -> dict[str, bytes]:
    evil = pickled(canary)
    whole, table = sealed({}), b"kind,step\n"
    both = (("weights.safetensors", whole), ("metrics.csv", table))
    return {
        "a pickle": evil,
        "a pickle of protocol 2": b"\x80\x02" + evil,
        "a .pt file": zipped(("archive/data.pkl", evil), ("archive/version", b"3")),
        "a pickle behind a name of ours": zipped(("weights.safetensors", evil), ("metrics.csv", table)),
        "a pickle in the card": safetensors.torch.save(GOOD, {"card": evil.decode()}),
        "a header of 2^62 bytes": raw({}, length=2**62),
        "a header that is longer than the file": raw({}, length=100_000),
        "a header of no bytes": raw(b"", length=0),
        "a header of 90 MB that is not there": raw({}, length=90_000_000),
        "a header that is no JSON": raw(b"{"),
        "a header that is a list": raw([]),
        "a header that is deep": raw(b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
        "overlapping tensors": raw({"head.weight": W, "head.bias": tensor([10], 100, 140)}),
        "a hole": raw({"head.weight": W, "head.bias": tensor([10], 31_364, 31_404)}, bytes(31_404)),
        "a negative shape": raw({"head.weight": tensor([-10, 784], 0, 31_360), "head.bias": B}),
        "a shape that overflows": raw({"head.weight": tensor([2**40, 2**40], 0, 31_360), "head.bias": B}),
        "a shape of a fraction": raw({"head.weight": tensor([10.5, 784], 0, 31_360), "head.bias": B}),
        "an empty shape of 2^50": raw({"head.weight": tensor([0, 2**50], 0, 0)}, b""),
        "the same name twice": raw(b'{"head.bias":%s,"head.bias":%s}' % (2 * (json.dumps(tensor([10], 0, 40)).encode(),)), bytes(40)),
        "offsets beyond the end": raw({"head.weight": tensor([10, 784], 0, 31_360), "head.bias": tensor([10], 31_360, 10**12)}),
        "offsets that run backwards": raw({"head.weight": tensor([10, 784], 31_360, 0), "head.bias": B}),
        "a dtype that nobody knows": raw({"head.weight": {**W, "dtype": "F31"}, "head.bias": B}),
        "eight-bit floats": raw(
            {"head.weight": tensor([10, 784], 0, 7_840, "F8_E4M3"), "head.bias": tensor([10], 7_840, 7_850, "F8_E4M3")}, bytes(7_850)
        ),
        "complex numbers": raw(
            {"head.weight": tensor([10, 784], 0, 62_720, "C64"), "head.bias": tensor([10], 62_720, 62_800, "C64")}, bytes(62_800)
        ),
        "metadata that is no text": raw({"__metadata__": {"card": 3}, "head.weight": W, "head.bias": B}),
        "no metadata": raw({"head.weight": W, "head.bias": B}),
        "NaN": sealed({}, {**GOOD, "head.bias": torch.full((10,), torch.nan)}),
        "minus infinity": sealed({}, {**GOOD, "head.bias": torch.full((10,), -torch.inf)}),
        "doubles too large for floats": sealed({}, {name: value.double() * 1e300 for name, value in GOOD.items()}),
        "doubles": sealed({}, {name: value.double() for name, value in GOOD.items()}),
        "halves": sealed({}, {name: value.half() for name, value in GOOD.items()}),
        "integers": sealed({}, {name: value.long() for name, value in GOOD.items()}),
        "booleans": sealed({}, {name: value.bool() for name, value in GOOD.items()}),
        "weights of 1e38": sealed({}, {"head.weight": torch.full((10, 784), 3e38), "head.bias": torch.full((10,), 3e38)}),
        "a tensor too many": sealed({}, {**GOOD, "evil": torch.zeros(1)}),
        "a tensor too few": sealed({}, {"head.bias": GOOD["head.bias"]}),
        "a name with a NUL": sealed({}, {"head.weight\0": GOOD["head.weight"], "head.bias": GOOD["head.bias"]}),
        "turned around": sealed({}, {"head.weight": GOOD["head.weight"].T.contiguous(), "head.bias": GOOD["head.bias"]}),
        "another network": sealed({"network": "small", "config": {**TINY.model_dump(), "network": "small"}}),
        "a network of code": sealed({"network": "__import__('os')"}),
        "another version": sealed({"format": "fmnist-2"}),
        "a step before the first": sealed({"step": 0}),
        "a step of 10^30": sealed({"step": 10**30}),
        "seconds of infinity": sealed({}).replace(b'\\"linear\\"', b"Infinity  "),
        "a name of 10,000 letters": sealed({"name": "a" * 10_000}),
        "a note that is a list": sealed({"note": []}),
        "a hundred thousand tags": sealed({"tags": ["a"] * 100_000}),
        "settings that are a text": sealed({"config": "quick"}),
        "settings of 10^9 epochs": sealed({"config": {**TINY.model_dump(), "epochs": 10**9}}),
        "a card of 1 MB": safetensors.torch.save(GOOD, {"card": json.dumps({**CARD, "more": "x" * 1_000_000})}),
        "another seal": sealed({}).replace(b'sha256\\": \\"', b'sha256\\": \\"0'),
        "weights behind a seal": whole[:-4] + b"\0\0\0\x40",
        "a ZIP bomb": zipped(("weights.safetensors", whole), ("metrics.csv", bytes(200_000_000))),
        "a bomb of weights": zipped(("weights.safetensors", bytes(200_000_000)), ("metrics.csv", table)),
        "a path out": zipped(*both, ("../../evil.txt", b"evil")),
        "an absolute path": zipped(*both, ("/tmp/evil.txt", b"evil")),
        "a backslash": zipped(*both, ("..\\evil.txt", b"evil")),
        "a link": zipped((link("weights.safetensors"), b"/etc/passwd"), ("metrics.csv", table)),
        "the same file twice": zipped(*both, ("metrics.csv ", table)),
        "packed by LZMA": zipped(*both, method=zipfile.ZIP_LZMA),
        "packed by bzip2": zipped(*both, method=zipfile.ZIP_BZIP2),
        "encrypted, it says": bytes(zipped(*both)).replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\x01\0"),
        "an end without a beginning": zipped(*both)[-22:],
        "ten thousand files": zipped(*both, *((f"{number}", b"") for number in range(10_000))),
        "a name that is another one where the file lies, and long": zipped(*both)
        .replace(b"weights.safetensors", b"x" * 19, 1)
        .replace(len(b"weights.safetensors").to_bytes(2, "little") + bytes(2) + b"x", b"\xff\x38" + bytes(2) + b"x", 1),
        "a comment that lies": zipped(*both) + b"PK\x05\x06" + bytes(18),
        "no table": zipped(("weights.safetensors", whole)),
        "a table that is none": zipped(("weights.safetensors", whole), ("metrics.csv", b"\0" * 1_000)),
    }


@pytest.mark.timeout(600)
def test_nothing_that_is_made_to_harm_is_taken_in(
    few: Split, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    canary, store = tmp_path / "canary", Store()
    cases = hand_made(canary)
    assert len(cases) >= 60
    taken, hungry = [], {}
    arrival.take_in(store, sealed({"name": "a good one"}), "good.safetensors", few)  # so that all that is made once is made
    files = sorted(path for path in home.rglob("*") if path.is_file())
    for what, content in cases.items():
        Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        try:
            arrival.take_in(store, content, f"{what}.safetensors", few)
        except FmnistError as error:
            check(str(error))
        else:
            taken.append(what)
        if (more := memory("VmHWM") - before) > MOST_MEMORY:
            hungry[what] = more
    assert not taken
    assert not hungry
    assert not canary.exists(), "something was executed"
    assert [run.name for run in store.runs()] == ["a good one"]
    assert sorted(path for path in home.rglob("*") if path.is_file()) == files, "nothing is left of what was refused"
    assert not [record for record in caplog.records if record.exc_info]
    store.close()


def check(said: str) -> None:
    assert "\n" not in said
    assert 20 < len(said) < 700


@pytest.mark.timeout(0)
@pytest.mark.parametrize("kind", ["bundle", "safetensors"])
def test_a_changed_file_is_refused_or_has_the_very_numbers_that_were_sent(
    kind: str, sent: dict[str, bytes], size: Callable[[int, int], int]
) -> None:
    """A ZIP file has bytes that say nothing; changing these may change nothing."""
    expected = checkpoint.fingerprint(weights.read(sent["safetensors"], "sent")[0].state_dict())
    accepted = 0
    for number in range(size(250, 200_000)):
        content = changed(sent[kind], random.Random(number))
        try:
            found = arrival._check(content, "theirs")
        except FmnistError as error:
            check(str(error))
        else:
            accepted += 1
            assert checkpoint.fingerprint(found.network.state_dict()) == expected
            assert found.config == TINY
            assert kind == "bundle" or content == sent[kind]
    assert accepted < size(250, 200_000) / 2


def changed(content: bytes, chance: random.Random) -> bytes:
    """A file with some bits turned, bytes put in or taken out; half of the time where its structure is."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        edge = chance.choice((0, max(0, len(found) - 600)))
        place = chance.randrange(len(found)) if chance.random() < 0.5 else edge + chance.randrange(min(600, len(found) - edge))
        way = chance.randrange(4)
        if way < 2:
            found[place] ^= 1 << chance.randrange(8)
        elif way == 2:
            found[place] = chance.choice((0, 0xFF, 0x7F, 0x80, 0x22, 0x7B))
        elif chance.random() < 0.5:
            del found[place : place + chance.randrange(1, 5)]
        else:
            found[place:place] = chance.randbytes(chance.randrange(1, 5))
    return bytes(found)


def test_weights_of_a_person_without_a_hash_must_fit_and_be_finite(tmp_path: Path) -> None:
    """`predict FILE.safetensors`: another program's file is read, if its names, shapes and kinds of number are those of the network."""
    refused = {
        "integers": {name: value.long() for name, value in GOOD.items()},
        "infinite when cast": {name: value.double() * 1e300 for name, value in GOOD.items()},
        "eight bits": {name: value.to(torch.float8_e4m3fn) for name, value in GOOD.items()},
        "not finite": {**GOOD, "head.bias": torch.full((10,), torch.nan)},
    }
    for name, tensors in refused.items():
        path = tmp_path / f"{name}.safetensors"
        path.write_bytes(safetensors.torch.save(tensors, checkpoint.card(TINY)))
        with pytest.raises(FmnistError, match=r"another kind|not finite"):
            checkpoint.load_weights(path)
    path = tmp_path / "halves.safetensors"
    path.write_bytes(safetensors.torch.save({name: value.half() for name, value in GOOD.items()}, checkpoint.card(TINY)))
    assert checkpoint.load_weights(path)[0].head.weight.dtype == torch.float32
