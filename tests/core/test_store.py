"""The run store: the life of a run, its queue and its figures, on SQLite and on PostgreSQL."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from fmnist.config import TrainConfig
from fmnist.errors import StoreError
from fmnist.events import Epoch, Step, Stretch
from fmnist.run import Checkpoint, Kind, Process, Request, Run, Status, clean_name, folder
from fmnist.sittings import RESTART_LIMIT
from fmnist.store import Store

ME = Process(pid=4321, started=1_700_000_000.123456789)
SOMEBODY_ELSE = Process(pid=4321, started=1_700_000_001.0)  # the same pid, given away again
CONFIG = TrainConfig(network="linear", epochs=2, batch_size=64, train_size=600, validation_size=100)  # 8 steps an epoch


def add(store: Store, count: int = 1, device: str = "cpu") -> list[Run]:
    return [store.create(CONFIG, device=device) for _ in range(count)]


def start(store: Store) -> Run:
    """A run that is being trained by this process."""
    run = store.claim("cpu", ME, add(store)[0].id)
    assert run
    return run


def point(step: int) -> Step:
    return Step(step=step, epoch=step / 8, seconds=step * 0.5, loss=1 / step, learning_rate=1e-3, images_per_second=128.0)


def figures(epoch: int) -> Epoch:
    return Epoch(epoch, 8 * epoch, 4.0 * epoch, 0.4 / epoch, 0.9, 0.5 / epoch, 0.8, 1e-3, 130.0)


def saved(step: int) -> Checkpoint:
    return Checkpoint(step, step // 8, f"{step}.safetensors", "a" * 64, f"{step}.state", "b" * 64)


def train(store: Store, run: Run, epochs: int) -> None:
    """All that a worker writes in its first epochs."""
    for epoch in range(1, epochs + 1):
        store.record(run.id, [point(step) for step in range(8 * epoch - 7, 8 * epoch + 1)])
        store.commit(run.id, saved(8 * epoch), figures(epoch))


def numbers(runs: list[Run]) -> list[int]:
    return [run.number for run in runs]


def overwrite(store: Store, change: str, **values: object) -> None:
    """Change rows from outside, as a bad disk or another program would."""
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE runs SET {change}"), values)
    engine.dispose()


# ---- creating and finding ----


def test_a_new_run_waits_with_its_config_and_a_number_for_a_name(store: Store) -> None:
    first, second = add(store, 2)
    assert (first.number, first.name, first.status, first.config) == (1, "Run 1", Status.QUEUED, CONFIG)
    assert (second.number, second.name) == (2, "Run 2")
    assert store.get(first.id) == first
    assert numbers(store.runs()) == [2, 1]


def test_one_click_makes_one_run_however_often_it_arrives(store: Store) -> None:
    once = store.create(CONFIG, device="cpu", token="click")
    again = store.create(CONFIG.model_copy(update={"epochs": 9}), device="cpu", token="click")
    other = store.create(CONFIG, device="cpu", token="another click")
    assert again == once
    assert other.id != once.id
    assert len(store.runs()) == 2


def test_a_run_is_found_by_its_id_a_prefix_of_it_or_its_number(store: Store) -> None:
    for run in add(store, 3):
        assert store.find(run.id) == store.find(run.id[:12]) == store.find(run.id.upper()) == store.find(str(run.number)) == run


def test_a_number_names_its_run_even_where_the_id_of_another_begins_with_it(store: Store) -> None:
    store.create(CONFIG, device="cpu")
    store.create(CONFIG, device="cpu", run_id="1" * 32)
    assert store.find("1").number == 1
    assert store.find("11").number == 2


def test_the_number_of_a_run_in_the_bin_never_names_another_whose_id_begins_with_it(store: Store) -> None:
    first = store.create(CONFIG, device="cpu")
    store.create(CONFIG, device="cpu", run_id="1" * 32)
    store.bin([first.id])
    with pytest.raises(StoreError, match="is in the bin"):
        store.find("1")


def test_a_prefix_of_several_runs_asks_for_more_letters(store: Store) -> None:
    for name in ("abc1", "abc2"):
        store.create(CONFIG, device="cpu", run_id=name * 8)
    with pytest.raises(StoreError, match=r"2 runs begin with 'abc'.*Write more letters"):
        store.find("abc")
    assert store.find("abc2").number == 2


@pytest.mark.parametrize("word", ["", "nothing", "99", "../../etc", "a\x00b", "\ud800", "latest", "best"])
def test_a_word_that_names_no_run_is_a_sentence(store: Store, word: str) -> None:
    add(store)
    with pytest.raises(StoreError, match=r"There is no .*run"):
        store.find(word)


@pytest.mark.parametrize("word", ["", "nothing", "a\x00b", "\ud800", "0" * 32])
def test_an_id_that_names_no_run_is_a_sentence(store: Store, word: str) -> None:
    with pytest.raises(StoreError, match="There is no run"):
        store.get(word)


def test_best_has_the_highest_accuracy_and_latest_the_highest_number(store: Store) -> None:
    for accuracy in (0.91, 0.94, 0.92):
        store.end(start(store).id, Status.FINISHED, accuracy=accuracy, loss=0.3)
    add(store)  # waits, has no figures
    assert (store.find("best").number, store.find("latest").number) == (2, 3)


# ---- the queue ----


def test_runs_are_claimed_in_the_order_of_the_queue_each_once(store: Store) -> None:
    add(store, 3)
    claimed = [store.claim("cpu", ME) for _ in range(4)]
    assert [run and run.number for run in claimed] == [1, 2, 3, None]
    assert claimed[0]
    assert (claimed[0].status, claimed[0].process, claimed[0].restarts) == (Status.RUNNING, ME, 1)
    assert store.queue() == []
    assert numbers(store.running()) == [1, 2, 3]


def test_a_device_claims_only_from_its_own_queue(store: Store) -> None:
    add(store, device="cuda")
    assert store.claim("cpu", ME) is None
    assert store.claim("cuda", ME)


def test_one_chosen_run_is_claimed_past_the_queue_but_not_twice(store: Store) -> None:
    chosen = add(store, 2)[1]
    taken = store.claim("cpu", ME, chosen.id)
    assert taken
    assert taken.id == chosen.id
    assert store.claim("cpu", ME, chosen.id) is None


@pytest.mark.parametrize(
    ("moved", "places", "order"),
    [(3, -1, [1, 3, 2]), (3, -99, [3, 1, 2]), (1, 1, [2, 1, 3]), (1, 99, [2, 3, 1]), (1, -1, [1, 2, 3])],
)
def test_a_waiting_run_moves_by_places_and_stops_at_the_ends(store: Store, moved: int, places: int, order: list[int]) -> None:
    store.move(add(store, 3)[moved - 1].id, places)
    assert numbers(store.queue()) == order
    assert [run and run.number for run in (store.claim("cpu", ME) for _ in range(3))] == order


def test_a_run_that_does_not_wait_cannot_be_moved(store: Store) -> None:
    with pytest.raises(StoreError, match="not waiting"):
        store.move(start(store).id, -1)


# ---- what a person asks for ----


@pytest.mark.parametrize(
    ("request_", "status"), [(Request.PAUSE, Status.PAUSED), (Request.STOP, Status.CANCELLED), (Request.CANCEL, Status.CANCELLED)]
)
def test_a_waiting_run_obeys_at_once(store: Store, request_: Request, status: Status) -> None:
    run = store.ask(add(store)[0].id, request_)
    assert (run.status, run.request, run.ended is not None) == (status, None, status.ended)
    assert store.claim("cpu", ME) is None


@pytest.mark.parametrize("request_", list(Request))
def test_a_running_worker_is_told_at_its_next_record(store: Store, request_: Request) -> None:
    run = start(store)
    assert store.record(run.id, [point(1)]) is None
    assert store.ask(run.id, request_).status == Status.RUNNING
    assert store.record(run.id, [point(2)]) == request_
    assert store.record(run.id, []) == request_


def test_a_paused_run_that_has_learned_something_is_stopped_with_its_model(store: Store) -> None:
    run = start(store)
    train(store, run, 1)
    store.end(run.id, Status.PAUSED)
    assert store.ask(run.id, Request.STOP).status == Status.STOPPED


@pytest.mark.parametrize("status", [Status.FINISHED, Status.FAILED, Status.STOPPED, Status.CANCELLED, Status.DIVERGED])
def test_a_run_that_is_over_cannot_be_asked_for_anything(store: Store, status: Status) -> None:
    run = start(store)
    store.end(run.id, status)
    for request in Request:
        with pytest.raises(StoreError, match=f"This run is {status}, so there is nothing to {request}"):
            store.ask(run.id, request)


@pytest.mark.parametrize("status", [Status.PAUSED, Status.STOPPED, Status.FAILED, Status.DIVERGED, Status.CANCELLED])
def test_a_resumed_run_stands_at_the_head_of_the_queue(store: Store, status: Status) -> None:
    run = start(store)
    add(store, 2)
    store.end(run.id, status, message="why")
    resumed = store.resume(run.id)
    assert (resumed.status, resumed.message, resumed.ended) == (Status.QUEUED, None, None)
    assert numbers(store.queue()) == [1, 2, 3]
    store.move(resumed.id, 2)
    assert numbers(store.queue()) == [2, 3, 1]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING, Status.FINISHED])
def test_a_run_that_waits_runs_or_is_finished_cannot_be_resumed(store: Store, status: Status) -> None:
    run = start(store)
    if status != Status.RUNNING:
        store.end(run.id, status)
    with pytest.raises(StoreError, match=f"This run is {status}, so there is nothing to resume"):
        store.resume(run.id)


def test_what_was_asked_just_before_a_shutdown_is_obeyed(store: Store) -> None:
    expected = {Request.PAUSE: Status.PAUSED, Request.STOP: Status.STOPPED, Request.CANCEL: Status.CANCELLED}
    for request, status in expected.items():
        run = start(store)
        store.commit(run.id, saved(8))
        store.ask(run.id, request)
        store.end(run.id, Status.QUEUED)  # the server was shut down before the worker read the request
        assert store.get(run.id).status == status


def test_a_run_that_is_being_trained_cannot_be_deleted(store: Store) -> None:
    run = start(store)
    with pytest.raises(StoreError, match="Stop or cancel it first"):
        store.delete(run.id)
    assert store.get(run.id)


def test_a_deleted_run_leaves_nothing_behind(store: Store) -> None:
    run, other = start(store), add(store)[0]
    train(store, run, 2)
    store.end(run.id, Status.FINISHED)
    store.delete(run.id)
    assert store.runs() == [other]
    assert store.steps(run.id) == store.epochs(run.id) == store.checkpoints(run.id) == []
    with pytest.raises(StoreError, match="There is no run"):
        store.delete(run.id)


def test_a_note_keeps_its_lines_and_loses_what_no_database_can_store(store: Store) -> None:
    run = add(store)[0]
    store.annotate(run.id, "two\nlines, ünïcode 👟, a NUL\x00 and half a character \ud83d")
    assert store.get(run.id).note.startswith("two\nlines, ünïcode 👟, a NUL")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("  two   words ", "two words"),
        ("a\nb\tc\x00d", "a b c d"),
        ("x" * 99, "x" * 64),
        ("right\u202eleft", "right left"),
        ("👟 Ä", "👟 Ä"),
    ],
)
def test_a_name_is_one_printable_line_of_64_characters_at_most(store: Store, given: str, kept: str) -> None:
    run = add(store)[0]
    store.rename(run.id, given)
    assert store.get(run.id).name == store.create(CONFIG, device="cpu", name=given).name == clean_name(given) == kept


@pytest.mark.parametrize("name", ["", "   ", "\n\x00", "\u202e"])
def test_a_name_of_nothing_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="at least one letter"):
        store.rename(add(store)[0].id, name)


# ---- what a worker writes ----


def test_every_figure_comes_back_as_it_was_written(store: Store) -> None:
    run = start(store)
    train(store, run, 2)
    assert store.steps(run.id) == [point(step) for step in range(1, 17)]
    assert store.epochs(run.id) == [figures(1), figures(2)]
    assert store.last_epochs() == {run.id: figures(2)}
    assert [(kept.step, kept.state) for kept in store.checkpoints(run.id)] == [(16, "16.state"), (8, "8.state")]
    now = store.get(run.id)
    assert (now.step, now.epoch, now.seconds, now.images_per_second, now.progress) == (16, 2, 8.0, 130.0, 1.0)


def test_a_reader_that_asks_behind_its_cursor_gets_each_point_once(store: Store) -> None:
    run, seen = start(store), []
    for step in range(1, 31):
        store.record(run.id, [point(step)])
        if step % 7 == 0:
            seen += store.steps(run.id, after=seen[-1].step if seen else 0)
    assert seen == [point(step) for step in range(1, 29)]


def test_the_time_left_follows_from_the_pace_so_far(store: Store) -> None:
    run = start(store)
    assert store.get(run.id).seconds_left is None
    store.record(run.id, [point(4)])  # 4 of 16 steps in 2 s
    assert store.get(run.id).seconds_left == pytest.approx(6.0)


def test_a_run_goes_on_from_its_checkpoint_as_if_the_rest_had_never_been(store: Store) -> None:
    run = start(store)
    train(store, run, 1)
    before = store.steps(run.id), store.epochs(run.id), store.checkpoints(run.id), store.get(run.id).seconds
    store.record(run.id, [point(9), point(10)])
    store.commit(run.id, saved(10))
    store.rewind(run.id, step=8, epoch=1, seconds=4.0)
    assert (store.steps(run.id), store.epochs(run.id), store.checkpoints(run.id), store.get(run.id).seconds) == before
    assert store.get(run.id).restarts == run.restarts + 1
    store.record(run.id, [point(9)])  # no twin is in the way


def test_old_resume_states_are_dropped_and_their_weights_kept(store: Store) -> None:
    run = start(store)
    train(store, run, 2)
    assert store.drop_states(run.id, before=16) == ["8.state"]
    assert store.drop_states(run.id, before=16) == []
    assert [(kept.weights, kept.state) for kept in store.checkpoints(run.id)] == [("16.safetensors", "16.state"), ("8.safetensors", None)]


def test_a_worker_whose_run_was_taken_away_writes_nothing_and_is_told(store: Store) -> None:
    run = start(store)
    store.end(run.id, Status.PAUSED)
    with pytest.raises(StoreError, match="taken away"):
        store.record(run.id, [point(1)], preview={"step": 1})
    assert store.steps(run.id) == []
    assert store.get(run.id).preview is None
    store.delete(run.id)
    with pytest.raises(StoreError, match="may have been deleted"):
        store.record(run.id, [point(1)])


def test_a_finished_run_keeps_its_figures_and_forgets_its_process(store: Store) -> None:
    run = start(store)
    store.describe(run.id, message="warming up", environment={"torch": "2.10"})
    store.end(run.id, Status.FINISHED, accuracy=0.9254, loss=0.2833)
    over = store.get(run.id)
    assert (over.accuracy, over.loss, over.process, over.message, over.environment) == (0.9254, 0.2833, None, None, {"torch": "2.10"})
    assert over.ended
    assert over.ended >= over.created


# ---- crashes and damage ----


def test_a_run_whose_process_was_killed_goes_back_to_the_head_of_the_queue(store: Store) -> None:
    run = start(store)
    add(store)
    assert store.requeue_crashed(run.id, ME) == Status.QUEUED
    assert numbers(store.queue()) == [1, 2]
    assert store.get(run.id).process is None


def test_a_run_that_somebody_else_has_taken_since_is_left_alone(store: Store) -> None:
    run = start(store)
    assert store.requeue_crashed(run.id, SOMEBODY_ELSE) == Status.RUNNING
    assert store.requeue_crashed(run.id, None) == Status.RUNNING
    assert store.get(run.id).process == ME


def test_a_run_that_only_crashes_is_given_up_with_a_reason_and_can_be_resumed(store: Store) -> None:
    run = start(store)
    for crash in range(1, RESTART_LIMIT + 1):
        expected = Status.QUEUED if crash < RESTART_LIMIT else Status.FAILED
        assert store.requeue_crashed(run.id, ME) == expected
        store.claim("cpu", ME)
    failed = store.get(run.id)
    assert failed.ended
    assert failed.message
    assert "memory" in failed.message
    store.resume(run.id)
    store.claim("cpu", ME)
    assert store.requeue_crashed(run.id, ME) == Status.QUEUED


def test_a_run_that_gets_further_between_crashes_is_never_given_up(store: Store) -> None:
    run = start(store)
    for step in range(1, 3 * RESTART_LIMIT):
        store.commit(run.id, saved(step))
        assert store.requeue_crashed(run.id, ME) == Status.QUEUED
        store.claim("cpu", ME)


@pytest.mark.parametrize(
    ("request_", "status"), [(Request.PAUSE, Status.PAUSED), (Request.STOP, Status.STOPPED), (Request.CANCEL, Status.CANCELLED)]
)
def test_a_run_that_crashed_before_it_obeyed_has_obeyed(store: Store, request_: Request, status: Status) -> None:
    run = start(store)
    store.commit(run.id, saved(8))
    store.ask(run.id, request_)
    assert store.requeue_crashed(run.id, ME) == status
    over = store.get(run.id)
    assert (over.status, over.request, over.ended is not None) == (status, None, status.ended)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '{"epochs": 0}', '{"unknown": 1}', "[" * 100_000])
def test_a_run_with_a_damaged_config_is_shown_as_damaged_and_hides_no_other(store: Store, text: str) -> None:
    add(store, 2)
    overwrite(store, "config = :text WHERE number = 1", text=text)
    sound, damaged = store.runs()
    assert sound.config == CONFIG
    assert damaged.config is None
    assert damaged.damage
    assert "cannot be read" in damaged.damage
    assert (damaged.progress, damaged.seconds_left) == (0.0, None)
    store.delete(damaged.id)


@pytest.mark.parametrize(("column", "word"), [("status", "exploded"), ("request", "dance")])
def test_a_run_with_an_unknown_status_or_request_is_shown_as_damaged(store: Store, column: str, word: str) -> None:
    add(store, 2)
    overwrite(store, f"{column} = :word WHERE number = 1", word=word)
    sound, damaged = store.runs()
    assert sound.status == Status.QUEUED
    assert (damaged.status, damaged.request) == (Status.FAILED if column == "status" else Status.QUEUED, None)
    assert damaged.damage
    assert word in damaged.damage


def test_text_that_a_bad_disk_has_changed_damages_one_run_and_not_the_list(home: Path) -> None:
    store = Store()
    add(store, 2)
    with sqlite3.connect(home / "runs" / "studio.db") as connection:
        connection.execute("UPDATE runs SET config = CAST(x'7bff7d' AS TEXT), name = CAST(x'52ff' AS TEXT) WHERE number = 1")
    connection.close()
    sound, damaged = store.runs()
    assert sound.damage is None
    assert damaged.damage
    assert damaged.name == "R\ufffd"
    store.close()


def test_a_turned_bit_in_a_figure_is_said_and_hides_no_other_run(store: Store) -> None:
    for run in (start(store), start(store)):
        train(store, run, 1)
        store.end(run.id, Status.FINISHED, accuracy=0.75, loss=0.5)
    damaged, sound = sorted(store.runs(), key=lambda run: run.number)
    with store.database.writing() as connection:
        connection.execute(sa.text("UPDATE steps SET loss = loss * 2 WHERE run = :id AND step = 1"), {"id": damaged.id})
        connection.execute(sa.text("UPDATE epochs SET accuracy = 0.99 WHERE run = :id"), {"id": damaged.id})
    for ask in (store.steps, store.epochs):
        with pytest.raises(StoreError, match="is not what was written"):
            ask(damaged.id)
        assert ask(sound.id)
    assert set(store.last_epochs()) == set(store.best_epochs()) == {sound.id}


@pytest.mark.parametrize(
    "change", ["accuracy = 0.9999", "device = 'cuda'", "created = created + 1024", "config = replace(config, '2', '3')"]
)
def test_a_turned_bit_in_the_settings_or_the_result_of_a_run_damages_it(store: Store, change: str) -> None:
    run = start(store)
    store.end(run.id, Status.STOPPED, accuracy=0.75, loss=0.5)
    store.rename(run.id, "Another name")
    store.tag([run.id], add=["lunch"])
    assert store.get(run.id).damage is None, "what a person may change is not sealed"
    overwrite(store, change)
    assert "not what was written" in (store.get(run.id).damage or "")


def test_a_row_of_an_earlier_version_has_no_seal_and_is_believed(store: Store) -> None:
    run = start(store)
    train(store, run, 1)
    overwrite(store, "seal = NULL")
    with store.database.writing() as connection:
        connection.execute(sa.text("UPDATE epochs SET seal = NULL, accuracy = 0.5"))
    assert store.get(run.id).damage is None
    assert store.epochs(run.id)[0].accuracy == 0.5


# ---- places ----


def test_a_store_that_is_closed_and_opened_again_has_everything(store: Store) -> None:
    run = start(store)
    train(store, run, 1)
    again = Store(store.url)
    assert again.runs() == store.runs()
    assert again.steps(run.id) == store.steps(run.id)
    again.close()


def test_a_store_of_an_earlier_version_gets_the_columns_that_were_added_since(store: Store) -> None:
    number = add(store)[0].number
    store.close()
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        for column in ("tags", "archived", "origin"):
            connection.execute(sa.text(f"ALTER TABLE runs DROP COLUMN {column}"))
        connection.execute(sa.text("DROP TABLE steps"))
    engine.dispose()
    opened = Store(store.url)
    run = opened.runs()[0]
    assert (run.number, run.tags, run.archived, run.origin) == (number, (), None, None)
    assert opened.steps(run.id) == []
    opened.close()


def test_the_database_and_the_run_folders_lie_in_the_home(home: Path) -> None:
    store = Store()
    run = add(store)[0]
    assert (home / "runs" / "studio.db").is_file()
    assert folder(run) == home / "runs" / run.id
    store.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "not the address of a database"),
        ("martian://here/db", "not the address of a database"),
        ("mysql+nodriver://here/db", "not the address of a database"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/nothing", "refused"),
        ("sqlite:////dev/null/studio.db", "/dev/null"),
        ("sqlite:////dev", "refused"),
    ],
)
def test_a_database_that_cannot_be_reached_is_a_sentence_without_a_password(url: str, sentence: str) -> None:
    with pytest.raises(StoreError, match=sentence):
        Store(url)


def test_the_password_of_a_database_is_never_said() -> None:
    with pytest.raises(StoreError) as error:
        Store("postgresql+psycopg://me:secret-word@127.0.0.1:1/nothing")
    assert "secret-word" not in str(error.value)


def test_a_file_that_is_no_database_is_a_sentence_and_is_left_as_it_is(home: Path) -> None:
    file = home / "runs" / "studio.db"
    file.parent.mkdir()
    file.write_bytes(b"This is not a database. " * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store()
    assert file.read_bytes() == b"This is not a database. " * 100


# ---- what befell a run ----


def happened(store: Store, run: Run) -> list[tuple[str, int]]:
    return [(each.kind, each.step) for each in store.happenings(run.id)]


def test_the_life_of_a_run_is_written_down_in_its_order_with_the_step_and_the_reason(store: Store) -> None:
    run = start(store)
    train(store, run, 1)
    store.ask(run.id, Request.PAUSE)
    store.end(run.id, Status.PAUSED)
    store.resume(run.id)
    store.claim("cpu", ME, run.id)
    store.record(run.id, [point(9), point(10)])
    store.requeue_crashed(run.id, ME)
    store.claim("cpu", ME, run.id)
    store.rewind(run.id, 8, 1, 4.0)
    store.end(run.id, Status.QUEUED, "the server was shut down")
    store.claim("cpu", ME, run.id)
    store.end(run.id, Status.DIVERGED, "the loss is no number")
    assert happened(store, run) == [
        (Kind.QUEUED, 0),
        (Kind.STARTED, 0),
        (Kind.PAUSED, 8),
        (Kind.RESUMED, 8),
        (Kind.STARTED, 8),
        (Kind.CRASHED, 10),
        (Kind.STARTED, 10),
        (Kind.REWOUND, 8),
        (Kind.INTERRUPTED, 8),
        (Kind.STARTED, 8),
        (Kind.DIVERGED, 8),
    ]
    found = store.happenings(run.id)
    assert [each.at for each in found] == sorted(each.at for each in found)
    assert [found[index].words for index in (0, 7, 8, 10)] == [
        None,
        "2 steps of the sitting before are made again",
        "the server was shut down",
        "the loss is no number",
    ]


def test_a_waiting_run_that_is_cancelled_and_one_that_is_given_up_say_so(store: Store) -> None:
    waiting = add(store)[0]
    store.ask(waiting.id, Request.CANCEL)
    assert happened(store, waiting) == [(Kind.QUEUED, 0), (Kind.CANCELLED, 0)]
    doomed = add(store)[0]
    for _ in range(RESTART_LIMIT):
        store.claim("cpu", ME, doomed.id)
        store.requeue_crashed(doomed.id, ME)
    assert [kind for kind, _ in happened(store, doomed)[-2:]] == [Kind.CRASHED, Kind.FAILED]
    assert "memory" in (store.happenings(doomed.id)[-1].words or "")


def test_what_was_refused_did_not_happen(store: Store) -> None:
    run = start(store)
    store.end(run.id, Status.FINISHED)
    before = happened(store, run)
    for act in (lambda: store.resume(run.id), lambda: store.ask(run.id, Request.STOP), lambda: store.ask_rate(run.id, 0.5)):
        with pytest.raises(StoreError):
            act()
    store.requeue_crashed(run.id, ME)
    assert happened(store, run) == before


def test_a_deleted_run_takes_its_life_with_it(store: Store) -> None:
    run = add(store)[0]
    store.delete(run.id)
    assert store.happenings(run.id) == []


# ---- another learning rate ----


def test_a_worker_is_told_the_factor_until_it_has_taken_it_over(store: Store) -> None:
    run = start(store)
    assert store.ask_rate(run.id, 0.5).rate_request == 0.5
    assert store.record(run.id, [point(1)]) == 0.5
    assert store.change_rate(run.id, 1, 0.5) == ((1, 0.5),)
    assert store.record(run.id, [point(2)]) is None
    now = store.get(run.id)
    assert (now.rate_changes, now.rate_request) == (((1, 0.5),), None)
    assert happened(store, run)[-1] == (Kind.RATE, 1)


def test_who_wants_to_end_the_sitting_is_heard_first_and_the_factor_waits(store: Store) -> None:
    run = start(store)
    store.ask_rate(run.id, 0.5)
    store.ask(run.id, Request.PAUSE)
    assert store.record(run.id, [point(1)]) == Request.PAUSE
    store.end(run.id, Status.PAUSED)
    store.resume(run.id)
    taken = store.claim("cpu", ME, run.id)
    assert taken
    assert taken.rate_request == 0.5
    store.end(run.id, Status.STOPPED)
    assert store.get(run.id).rate_request is None


def test_a_later_wish_is_not_lost_by_taking_over_an_earlier_one(store: Store) -> None:
    run = start(store)
    store.ask_rate(run.id, 0.5)
    store.ask_rate(run.id, 0.25)
    store.change_rate(run.id, 1, 0.5)
    assert store.record(run.id, [point(2)]) == 0.25


def test_a_rewind_keeps_a_later_change_and_a_new_one_before_it_takes_its_place(store: Store) -> None:
    run = start(store)
    train(store, run, 1)
    store.change_rate(run.id, 3, 0.5)
    store.change_rate(run.id, 12, 0.1)
    store.rewind(run.id, 8, 1, 4.0)
    assert store.get(run.id).rate_changes == ((3, 0.5), (12, 0.1))
    assert store.change_rate(run.id, 10, 2.0) == ((3, 0.5), (10, 2.0))


@pytest.mark.parametrize("factor", [0.0, -1.0, 10_001.0, float("nan"), float("inf")])
def test_a_learning_rate_out_of_bounds_is_refused(store: Store, factor: float) -> None:
    with pytest.raises(StoreError, match="above 0 and at most 10"):
        store.ask_rate(start(store).id, factor)


@pytest.mark.parametrize("text", ["{", "[1]", '[["a", 1]]', "null", "[[1, 2, 3]]"])
def test_changes_that_cannot_be_read_make_a_damaged_run(store: Store, text: str) -> None:
    run = start(store)
    overwrite(store, "rate_changes = :text", text=text)
    assert "changes of the learning rate" in (store.get(run.id).damage or "")


# ---- a run that goes on from another ----


def test_a_run_that_goes_on_from_another_has_its_curve_up_to_there_and_nothing_of_it_changes(store: Store) -> None:
    origin = start(store)
    train(store, origin, 2)
    store.change_rate(origin.id, 5, 0.5)
    store.change_rate(origin.id, 8, 0.1)  # after the checkpoint
    before = store.get(origin.id)
    longer = CONFIG.model_copy(update={"epochs": 4})
    run = store.create(longer, device="cpu", origin=origin.id, run_id="ab" * 16, start=saved(8))
    assert (run.id, run.origin, run.continues, run.status) == ("ab" * 16, origin.id, 8, Status.QUEUED)
    assert (run.step, run.epoch, run.rate_changes) == (8, 1, ((5, 0.5),))
    assert store.steps(run.id) == [point(step) for step in range(1, 9)]
    assert store.epochs(run.id) == [figures(1)]
    assert [(kept.step, kept.state) for kept in store.checkpoints(run.id)] == [(8, "8.state")]
    assert store.get(origin.id) == before
    assert len(store.steps(origin.id)) == 16


# ---- many curves at once ----


def test_a_stretch_has_the_means_of_its_points_and_its_peaks(store: Store):
    run = start(store)
    losses = [4.0, 2.0, 9.0, 1.0, 5.0]  # of steps 1 to 5: two stretches of 3 steps
    store.record(run.id, [Step(step, step / 8, step * 0.5, loss, 1e-3, 128.0) for step, loss in enumerate(losses, 1)])
    assert store.stretches(run.id, 3) == [Stretch(2, 0.25, 1.0, 5.0, 2.0, 9.0), Stretch(4.5, 4.5 / 8, 2.25, 3.0, 1.0, 5.0)]
    assert [stretch.loss for stretch in store.stretches(run.id, 1)] == losses
    assert store.stretches(run.id, 100) == [Stretch(3, 3 / 8, 1.5, 4.2, 1.0, 9.0)]


def test_stretches_stand_still_while_a_curve_grows_and_are_of_one_run(store: Store):
    run, other = start(store), start(store)
    points = [point(step) for step in range(1, 41)]
    store.record(run.id, points[:32])
    store.record(other.id, points)
    before = store.stretches(run.id, 4)
    store.record(run.id, points[32:])
    assert (len(before), store.stretches(run.id, 4)[:8]) == (8, before)


def test_a_full_queue_says_so_and_has_room_again_when_a_run_is_cancelled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fmnist.store.MOST_WAITING", 20)  # a thousand take a while
    waiting = add(store, 20)
    with pytest.raises(StoreError, match="20 runs wait already, which is the most"):
        add(store)
    assert store.create(CONFIG, device="cpu", sweep="a" * 32).status == Status.QUEUED  # a sweep has one trial at a time
    store.ask(waiting[0].id, Request.CANCEL)
    assert len(add(store)) == 1
