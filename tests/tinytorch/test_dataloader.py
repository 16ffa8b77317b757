"""The loader hands out every sample once, in PyTorch's numbers, and goes on where it stood."""

import doctest
import gc
import json
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinytorch import dataloader
from tinytorch.dataloader import (
    DataLoader,
    Dataset,
    RandomCrop,
    RandomHorizontalFlip,
    RandomSampler,
    Sampler,
    Subset,
    TensorDataset,
    default_collate,
    prefetched,
    random_split,
)
from tinytorch.tensor import Tensor, default_generator, from_numpy, manual_seed

with np.load(Path(__file__).parent / "fixtures" / "dataloader.npz") as _file:
    FIXTURE = dict(_file)

BITS = (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64)


def numbered(n, transform=None):
    """Samples that say their own number."""
    return TensorDataset(from_numpy(np.arange(n)), transform=transform)


def images(generator, n=11):
    """Images that are cropped and mirrored at random, from the generator given."""
    flip = RandomHorizontalFlip(layout="NHW", generator=generator)
    crop = RandomCrop(3, 1, layout="NHW", generator=generator)
    x = from_numpy(np.arange(n * 16.0).reshape(n, 4, 4))
    return TensorDataset(x, from_numpy(np.arange(n)), transform=dataloader.Compose([crop, flip]))


def plain(batches):
    """Batches as lists, that can be compared."""
    return [[t.tolist() for t in batch] for batch in batches]


@pytest.mark.parametrize("key", [key for key in FIXTURE if key.startswith("split.")])
def test_fractions_become_the_lengths_that_pytorch_gives(key):
    """Rounded down, and what is left over goes round."""
    fractions, lengths = FIXTURE[key]
    parts = random_split(range(int(key.split(".")[1])), fractions.tolist())
    assert [len(part) for part in parts] == lengths.tolist()


def test_a_loader_is_as_long_as_pytorchs():
    """For few and many samples, small and large batches, with and without the last."""
    for n, batch_size, drop_last, batches in FIXTURE["batches"].tolist():
        loader = DataLoader(range(n), batch_size, drop_last=bool(drop_last), collate_fn=list)
        assert len(loader) == len(list(loader)) == batches


@pytest.mark.parametrize("name", [key[2:] for key in FIXTURE if key.startswith("x.")])
def test_batches_of_arrays_and_tensors_are_pytorchs(name):
    """Values, shapes and dtypes, of arrays, of NumPy's scalars and of Tensors."""
    x = FIXTURE[f"x.{name}"]
    cases = {"rows": list(x), "scalars": list(x[:, 0, 0]), "tensors": [from_numpy(r) for r in x]}
    for case, samples in cases.items():
        got, want = default_collate(samples).data, FIXTURE[f"{case}.{name}"]
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_batches_of_pythons_numbers_are_pytorchs_but_for_floats():
    """Floats are float32, as everywhere in this framework; PyTorch's loader makes float64."""
    for name, samples in (("int", [3, -1, 2]), ("bool", [True, False])):
        got, want = default_collate(samples).data, FIXTURE[f"numbers.{name}"]
        assert (got.dtype, got.tolist()) == (want.dtype, want.tolist())
    assert default_collate([0.5, 1]).dtype == np.float32


@given(st.integers(0, 40), st.integers(1, 12), st.booleans(), st.booleans(), st.integers(0, 3))
def test_an_epoch_holds_every_sample_once(n, batch_size, drop_last, shuffle, prefetch):
    """All of them, or all but the rest with drop_last; in order unless shuffled."""
    loader = DataLoader(numbered(n), batch_size, shuffle, drop_last=drop_last, prefetch=prefetch)
    seen = [i for (batch,) in loader for i in batch.tolist()]
    whole = n - n % batch_size if drop_last else n
    assert len(seen) == len(set(seen)) == whole
    assert set(seen) <= set(range(n))
    assert shuffle or seen == list(range(whole))


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_seed_repeats_all_epochs_and_no_epoch_repeats_another(prefetch):
    """The generator given decides alone; two epochs differ."""

    def epochs():
        rng = np.random.default_rng(3)
        loader = DataLoader(images(rng), 4, True, generator=rng, prefetch=prefetch)
        return [plain(loader) for _ in range(3)]

    first, second, third = epochs()
    assert epochs() == [first, second, third]
    assert first != second != third != first


def test_without_a_generator_the_frameworks_decides():
    """`manual_seed` repeats the order."""
    orders = []
    for _ in range(2):
        manual_seed(1)
        orders.append(plain(DataLoader(numbered(50), 8, shuffle=True)))
    assert orders[0] == orders[1]
    assert plain(DataLoader(numbered(50), 8, shuffle=True)) != orders[0]


def test_prefetching_gives_the_same_batches():
    """Also those that are drawn from the loader's own generator."""
    for n in (0, 1, 12):
        both = []
        for prefetch in (0, 2):
            rng = np.random.default_rng(9)
            loader = DataLoader(images(rng, n), 4, True, generator=rng, prefetch=prefetch)
            both.append([plain(loader), plain(loader), rng.random()])
        assert both[0] == both[1]


def test_a_sampler_may_be_any_iterable_of_indices():
    """A list, or a class that only knows how to iterate."""

    class Even(Sampler):
        def __iter__(self):
            return iter(range(0, 6, 2))

        def __len__(self):
            return 3

    for sampler in ([0, 2, 4], Even(), np.array([0, 2, 4])):
        loader = DataLoader(numbered(6), 2, sampler=sampler)
        assert plain(loader) == [[[0, 2]], [[4]]]
        assert len(loader) == 2


def test_a_collate_fn_gets_the_single_samples():
    """Also where the dataset could give a whole batch."""
    got = list(DataLoader(numbered(3), 2, collate_fn=lambda samples: samples))
    assert [[len(sample) for sample in batch] for batch in got] == [[1, 1], [1]]


def test_subsets_of_subsets_find_their_samples():
    """Indices are looked up twice, whole batches and single samples alike."""
    inner = Subset(numbered(10), [9, 7, 5, 3])
    outer = Subset(inner, np.array([2, 0]))
    assert (len(outer), outer[0][0].item(), outer[1][0].item()) == (2, 5, 9)
    assert plain(DataLoader(outer, 2)) == [[[5, 9]]]
    assert DataLoader(Subset(list("abcd"), [3, 1]), 2).__iter__().__next__() == ["d", "b"]
    assert len(Subset(range(3), [])) == 0
    with pytest.raises(TypeError, match=r"got bool; use np.flatnonzero\(mask\)"):
        Subset(numbered(2), [True, False])


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: DataLoader([1], 0), ValueError, "int batch_size >= 1, got 0"),
        (lambda: DataLoader([1], 1.5), ValueError, "int batch_size >= 1, got 1.5"),
        (lambda: DataLoader([1], prefetch=-1), ValueError, "int prefetch >= 0, got -1"),
        (lambda: DataLoader([1], shuffle=True, sampler=[0]), ValueError, "leave shuffle=False"),
        (lambda: TensorDataset(np.ones(2)), TypeError, "got ndarray; wrap it with from_numpy"),
        (lambda: TensorDataset(Tensor([1]), Tensor([1, 2])), ValueError, r"\(1,\), \(2,\)"),
        (lambda: TensorDataset(Tensor(1)), ValueError, r"one length, got \(\)"),
        (lambda: TensorDataset(), ValueError, "one length, got nothing"),
        (lambda: numbered(3)[3], IndexError, "out of bounds"),
        (lambda: Dataset()[0], NotImplementedError, "Dataset: write __getitem__"),
        (lambda: len(Dataset()), NotImplementedError, "Dataset: write __len__"),
        (lambda: iter(Sampler()), NotImplementedError, "Sampler: write __iter__"),
        (lambda: default_collate([{"a": 1}, {"b": 1}]), ValueError, r"keys \['a'\] and \['b'\]"),
        (lambda: default_collate([np.ones(2), np.ones(3)]), ValueError, r"shapes \(2,\) and \(3"),
        (lambda: next(prefetched([1], 0)), ValueError, "a depth of 1 or more, got 0"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_enters(make, error, words):
    """Expected, came, do."""
    with pytest.raises(error, match=words):
        make()


def state_after(loader, batches):
    """The loader's state after some batches of an epoch, through JSON."""
    epoch = iter(loader)
    for _ in range(batches):
        next(epoch)
    return json.loads(json.dumps(loader.state_dict())), epoch


@pytest.mark.parametrize("bits", BITS, ids=lambda bits: bits.__name__)
@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_resumed_epoch_is_the_uninterrupted_one(bits, prefetch):
    """From any batch of the second epoch on, to the bit, through the third; transforms included."""

    def fresh(seed=4):
        rng = np.random.Generator(bits(seed))
        return DataLoader(images(rng), 3, True, generator=rng, prefetch=prefetch)

    for batches in range(5):
        loader, resumed = fresh(), fresh(seed=99)
        list(loader)
        state, epoch = state_after(loader, batches)
        rest = plain(epoch), plain(loader)
        list(resumed)  # wherever it was
        resumed.load_state_dict(state)
        assert len(rest[0]) == 4 - batches
        assert (plain(resumed), plain(resumed)) == rest


def test_between_two_epochs_the_state_is_that_of_the_next():
    """Nothing is handed out twice, nothing is left out."""
    loader, other = (
        DataLoader(numbered(9), 2, True, generator=np.random.default_rng(seed)) for seed in (1, 2)
    )
    list(loader)
    other.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    assert other.state_dict() == loader.state_dict()
    assert plain(other) == plain(loader)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_the_draws_of_the_training_go_on_too_where_the_default_generator_is_shared(prefetch):
    """Dropout draws from it between the batches; a resumed run draws the same numbers."""

    def train(loader, epochs):
        for _ in range(epochs):
            for (batch,) in loader:
                yield batch.tolist(), default_generator().random()

    manual_seed(5)
    loader = DataLoader(numbered(10), 3, shuffle=True, prefetch=prefetch)
    run = train(loader, 2)
    for _ in range(3):
        next(run)
    state, rest = loader.state_dict(), list(run)
    manual_seed(77)
    again = DataLoader(numbered(10), 3, shuffle=True)
    again.load_state_dict(state)
    assert list(train(again, 2)) == rest
    assert len(rest) == 5
    again.load_state_dict(state)
    run = train(again, 1)
    next(run)
    assert again.state_dict()["current"] == default_generator().bit_generator.state


def test_the_generator_of_a_sampler_is_the_loaders():
    """Whoever gives the sampler, its draws are resumed too."""

    def fresh(seed):
        data = numbered(9)
        sampler = RandomSampler(data, np.random.default_rng(seed))
        return DataLoader(data, 2, sampler=sampler)

    first, second = fresh(1), fresh(2)
    state, rest = state_after(first, 2)
    second.load_state_dict(state)
    assert plain(second) == plain(rest)
    assert plain(second) == plain(first)


def test_after_the_last_batch_the_end_of_the_epoch_is_still_to_come():
    """A checkpoint in the last step: what follows is an epoch without batches, then a new one."""
    loader = DataLoader(numbered(4), 2, True, generator=np.random.default_rng(0))
    state, epoch = state_after(loader, 2)
    assert state["batches"] == 2
    assert list(epoch) == []
    assert loader.state_dict()["current"] is None
    other = DataLoader(numbered(4), 2, True, generator=np.random.default_rng(1))
    other.load_state_dict(state)
    assert plain(other) == []
    assert plain(other) == plain(loader)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_epoch_that_was_left_early_can_be_gone_on_with(prefetch):
    """Ctrl-C in the loop, then a checkpoint: the state is that of the epoch that was left."""
    rng = np.random.default_rng(0)
    loader = DataLoader(images(rng), 2, True, generator=rng, prefetch=prefetch)
    with pytest.raises(KeyboardInterrupt):
        for number, _ in enumerate(loader):
            if number == 2:
                raise KeyboardInterrupt
    gc.collect()
    state = loader.state_dict()
    assert state["batches"] == 3
    whole = np.random.default_rng(0)
    expected = plain(DataLoader(images(whole), 2, True, generator=whole))
    loader.load_state_dict(state)
    assert plain(loader) == expected[3:]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_the_epoch_after_a_break_does_not_depend_on_how_far_the_thread_was(prefetch):
    """What was drawn ahead for nobody is drawn again."""
    rng = np.random.default_rng(0)
    data = images(rng)
    drawn = data.transform
    data.transform = lambda x: time.sleep(0.005) or drawn(x)  # a thread is then busy at the close
    loader = DataLoader(data, 2, True, generator=rng, prefetch=prefetch)
    epoch = iter(loader)
    next(epoch)
    epoch.close()
    same = np.random.default_rng(0)
    other = DataLoader(images(same), 2, True, generator=same)
    next(iter(other))
    assert plain(loader) == plain(other)


def test_a_state_that_does_not_fit_is_refused():
    """Other keys, or more batches than there are."""
    loader = DataLoader(numbered(4), 2, generator=np.random.default_rng(0))
    with pytest.raises(ValueError, match="generator, batches and current, got .'batches'."):
        loader.load_state_dict({"batches": 1})
    state, _ = state_after(DataLoader(numbered(20), 2, generator=np.random.default_rng(0)), 7)
    loader.load_state_dict(state)
    with pytest.raises(ValueError, match="7 batches are more than 4 samples make: resume with"):
        iter(loader)
    mt = DataLoader(numbered(4), generator=np.random.Generator(np.random.MT19937(0)))
    with pytest.raises(ValueError, match="MT19937"):
        mt.load_state_dict(state)


def test_the_examples_in_the_docstrings_are_true():
    """Every example of the specification runs and prints what it says."""
    failed, tried = doctest.testmod(dataloader)
    assert failed == 0
    assert tried >= 15
