"""Photographs by number: lists of files, tables that processes share, and orders of an epoch."""

import pickle
from collections import Counter

import numpy as np
import pytest

from colorize.data import listing
from colorize.data.collection import Collection, Table, lines_digest
from colorize.data.listing import list_folder
from colorize.data.loader import FeistelPermutation, ShardOrder, permuted


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """Lists are kept, however short."""
    monkeypatch.setenv("COLORIZE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(listing, "MIN_CACHED", 1)


def test_a_folder_is_listed_in_the_order_of_its_names(photographs):
    every = Collection(list_folder(photographs))
    names = [photo.name for photo in every]
    assert names == sorted(names) == list(every.names())
    assert len(names) == 14
    assert all(photo.path.read_bytes() == photo.read() for photo in every)
    assert every.table.classes == ["cats", "dogs"]
    assert Counter(every.labels.tolist()) == {0: 6, 1: 6, -1: 2}


def test_a_collection_is_a_sequence(photographs):
    every = Collection(list_folder(photographs))
    some = every.select(np.array([5, 2, 9])).select(np.array([2, 0]))
    assert [photo.name for photo in some] == [every[9].name, every[5].name]
    assert some[-1] == every[5]
    assert some[0:1] == [every[9]]
    with pytest.raises(IndexError):
        every[14]
    assert len(every.without({every[0].name, every[3].name})) == 12
    assert every.without({"nothing"}) is every


def test_strange_names_come_through(tmp_path):
    names = ["über alles.jpg", "a b/日本 語.jpg", "a b/it's.JPG", "tab\there.png", "new\nline.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / ".hidden.jpg").touch()
    every = Collection(list_folder(tmp_path))
    assert {photo.name for photo in every} == set(names)
    assert all(photo.read() == photo.name.encode() for photo in every)


def test_a_kept_list_is_the_list(photographs, cached, monkeypatch):
    fresh = list_folder(photographs)
    monkeypatch.setattr("os.scandir", None)  # it is not walked again
    again = list_folder(photographs)
    assert list(Collection(fresh)) == list(Collection(again))
    assert (again.classes, again.folder is not None) == (["cats", "dogs"], True)
    assert isinstance(again.columns["names"], np.memmap)


@pytest.mark.parametrize("change", ["add", "remove"])
def test_a_kept_list_is_made_anew_when_the_folder_changed(photographs, cached, change):
    assert len(list_folder(photographs)) == 14
    one = photographs / "cats" / "photo 0.jpg"
    one.unlink() if change == "remove" else (photographs / "dogs" / "more.jpg").write_bytes(one.read_bytes())
    assert len(list_folder(photographs)) == (13 if change == "remove" else 15)


def test_a_worker_is_handed_the_place_of_a_saved_table_not_its_columns(photographs, cached):
    every = Collection(list_folder(photographs)).select(np.arange(3))
    sent = pickle.dumps(every)
    assert b"photo 0" not in sent
    assert list(pickle.loads(sent)) == list(every)
    relabelled = Collection(every.table.relabelled(["dogs"]))
    assert Counter(pickle.loads(pickle.dumps(relabelled)).labels.tolist()) == {0: 6, -1: 8}


def test_what_identifies_a_list_is_its_lines(photographs):
    every = Collection(list_folder(photographs))
    same = every.select(np.arange(14))
    assert (
        lines_digest(every.lines())
        == lines_digest(same.lines())
        == lines_digest("\n".join(every.names()).encode().split(b"|"))
    )
    assert lines_digest(every.lines()) != lines_digest(every.select(np.arange(13)).lines())
    assert lines_digest(every.lines(), []) != lines_digest(every.lines())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 110, 1000, 4097])
def test_a_permutation_has_everything_once(size):
    orders = [FeistelPermutation(size, seed)(np.arange(size)) for seed in range(3)]
    assert all(sorted(order) == list(range(size)) for order in orders)
    if size > 7:
        assert not np.array_equal(orders[0], orders[1])
        assert np.array_equal(FeistelPermutation(size, 1)(np.array([5, 3])), orders[1][[5, 3]])


def test_permutations_are_fair():
    """Of 12 things in 3,000 orders: each comes everywhere, and after each other one, as often as chance has it."""
    size, count = 12, 3000
    orders = np.array([FeistelPermutation(size, seed)(np.arange(size)) for seed in range(count)])
    places, follows = np.zeros((size, size)), np.zeros((size, size))
    for order in orders:
        places[np.arange(size), order] += 1
        follows[order[:-1], order[1:]] += 1
    expected = count / size
    assert ((places - expected) ** 2 / expected).sum() < 121 + 5 * np.sqrt(2 * 121)  # χ² of (12 − 1)² freedoms
    expected = count * (size - 1) / (size * (size - 1))
    off = ~np.eye(size, dtype=bool)
    assert ((follows[off] - expected) ** 2 / expected).sum() < 132 + 5 * np.sqrt(2 * 132)


def test_a_piece_of_an_order_is_that_piece(monkeypatch):
    monkeypatch.setattr("colorize.data.loader.PIECE", 7)
    shuffle = FeistelPermutation(100, 3)
    assert list(permuted(shuffle, 13, 60)) == shuffle(np.arange(13, 60)).tolist()


FILES = np.repeat(np.arange(20), 50).astype(np.int32)  # 20 shards of 50


def ordered(order, seen=1000, first=0, step=16, seed=0):
    return order(FeistelPermutation(1000, 1), seen, first, step, seed)(np.arange(seen))


@pytest.mark.parametrize(("seen", "first", "step"), [(1000, 0, 16), (1000, 1000, 16), (700, 1400, 24), (1000, 0, 3)])
def test_shard_by_shard_everything_comes_once(seen, first, step):
    found = ordered(ShardOrder(FILES, streams=8, buffer=64), seen, first, step)
    assert sorted(found) == sorted(FeistelPermutation(1000, 1)(np.arange(seen)))


def test_few_shards_are_open_at_a_time():
    """A stretch of 160 photographs from a random order touches every shard; from streams, few."""
    order = ordered(ShardOrder(FILES, streams=4, buffer=50))
    touched = [len(set(FILES[order[start : start + 160]])) for start in range(0, 960, 160)]
    assert max(touched) <= 4 * 2 + 4
    assert min(len(set(FILES[FeistelPermutation(1000, 1)(np.arange(160))])) for _ in range(1)) == 20


def test_shuffled_shards_are_not_in_the_order_of_the_files():
    order = ordered(ShardOrder(FILES, streams=1, buffer=100))
    assert np.mean(np.abs(np.diff(order)) == 1) < 0.1
    assert not np.array_equal(FILES[order], np.sort(FILES[order]))


def test_processes_that_share_a_step_read_different_shards():
    order = ordered(ShardOrder(FILES, streams=8, buffer=64))
    place = np.arange(1000) % 16
    first, second = set(FILES[order[place < 8]]), set(FILES[order[place >= 8]])
    assert len(first & second) <= 1  # but for the one at the seam


def test_an_unsaved_table_travels_whole():
    table = Table.of(["a.jpg", "b.jpg"], ["somewhere"], [3, 4])
    assert list(Collection(pickle.loads(pickle.dumps(table)))) == list(Collection(table))
