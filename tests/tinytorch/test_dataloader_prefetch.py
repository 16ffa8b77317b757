"""Working ahead: errors come out in their place, and no thread outlives its loop."""

import gc
import threading
import time

import numpy as np
import pytest

from tinytorch.dataloader import (
    DataLoader,
    Dataset,
    RandomHorizontalFlip,
    TensorDataset,
    prefetched,
)
from tinytorch.tensor import from_numpy


class Failing(Dataset):
    """Gives three batches, then fails."""

    def __len__(self):
        return 10

    def __getitems__(self, indices):
        if indices[0] == 6:
            raise OSError("disk gone")
        return indices


@pytest.mark.parametrize("prefetch", [0, 1, 9])
def test_an_error_of_the_dataset_comes_out_in_its_place_and_ends_the_thread(prefetch):
    """Three batches, then the error itself, with the line where it was raised."""
    before, came = threading.active_count(), []
    with pytest.raises(OSError, match="disk gone") as caught:
        for batch in DataLoader(Failing(), 2, prefetch=prefetch):
            came.append(batch.tolist())
    assert came == [[0, 1], [2, 3], [4, 5]]
    assert "__getitems__" in [frame.name for frame in caught.traceback]
    assert threading.active_count() == before


@pytest.mark.parametrize("how", ["break", "exception", "forgotten", "never begun"])
def test_no_thread_is_left_however_the_loop_ends(how):
    """An iterator that is dropped ends its thread as well."""
    before = threading.active_count()
    loader = DataLoader(range(1000), 2, prefetch=2)
    batches = iter(loader)
    if how == "exception":
        with pytest.raises(ZeroDivisionError):
            for _ in batches:
                raise ZeroDivisionError
    elif how == "break":
        for _ in batches:
            break
    elif how == "forgotten":
        next(batches)
    del batches
    gc.collect()
    assert threading.active_count() == before


def test_closing_waits_for_a_batch_that_is_in_the_making():
    """When close() returns, nothing of the dataset is used by anybody any more."""
    begun, making = threading.Event(), []

    def source():
        yield 1
        making.append(1)
        begun.set()
        time.sleep(0.1)
        making.pop()
        yield 2

    batches = prefetched(source(), 1)
    next(batches)
    begun.wait(5)
    batches.close()
    assert making == []


def test_a_thread_that_works_ahead_does_not_draw_from_the_generator_of_the_training():
    """The numbers would depend on who is faster: refused, with the cure."""
    x = from_numpy(np.zeros((4, 2, 2)))
    data = TensorDataset(x, transform=RandomHorizontalFlip(layout="NHW"))
    assert len(list(DataLoader(data, 2))) == 2
    with pytest.raises(RuntimeError, match="RandomHorizontalFlip: prefetch draws in another"):
        list(DataLoader(data, 2, prefetch=1))
    assert len(list(DataLoader(data, 2))) == 2
