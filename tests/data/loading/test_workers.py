import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace

import pytest
import torch

from gradtruce.data.augmentation import Augmentation
from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.text import clean
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor

ALL = Augmentation(flip=True, rotation=9.0, brightness=0.2, contrast=0.2)


@pytest.fixture
def load(prepared):
    split = prepared.split("train")
    tokenizer = build_tokenizer([clean(text, "clean") for text in split.reports], 1)
    made = []

    def make(**options):
        defaults = {"batch_size": 2, "max_tokens": 60, "shuffle": True, "augmentation": ALL}
        made.append(Loader(split, tokenizer, ImageProcessor(12), **(defaults | options)))
        return made[-1]

    yield make
    for loader in made:
        loader.close()


def assert_same(mine, theirs):
    for field in fields(mine):
        left, right = getattr(mine, field.name), getattr(theirs, field.name)
        if isinstance(left, torch.Tensor):
            torch.testing.assert_close(left, right, rtol=0, atol=0, equal_nan=True)
        else:
            assert left == right


def assert_same_epochs(mine, theirs, epochs=(0, 1, 0)):
    for epoch in epochs:
        mine.set_epoch(epoch)
        theirs.set_epoch(epoch)
        for left, right in zip(mine, theirs, strict=True):
            assert_same(left, right)


def read_slowly(batches):
    for _ in batches:
        time.sleep(0.05)


def children():
    return [child.pid for child in multiprocessing.active_children()]


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_bits(load, workers):
    assert_same_epochs(load(workers=workers, bucket_by_length=True), load(bucket_by_length=True))


@pytest.mark.slow
@pytest.mark.parametrize("start_method", ["spawn", "forkserver"])
def test_any_way_to_start_gives_the_same_bits(load, start_method):
    assert_same_epochs(load(workers=1, start_method=start_method), load(), epochs=(0, 1))


def test_an_epoch_left_early_does_not_reach_into_the_next(load):
    loader = load(workers=1)
    next(iter(loader))
    assert_same_epochs(loader, load(), epochs=(0, 1))


def test_workers_leave_the_global_generator_alone(load):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(load(workers=1))
    assert torch.equal(torch.get_rng_state(), before)


def test_resuming_in_an_epoch_with_other_workers_gives_the_same_bits(load):
    whole = load()
    whole.set_epoch(3)
    batches = list(whole)
    stopped = load(workers=1)
    stopped.set_epoch(3)
    taken = iter(stopped)
    for _ in range(2):
        next(taken)
    state = stopped.state_dict()
    assert (state["epoch"], state["next_batch"]) == (3, 2)
    for workers in (0, 2):
        resumed = load(workers=workers)
        resumed.load_state_dict(state)
        resumed.set_epoch(3)
        for mine, theirs in zip(resumed, batches[2:], strict=True):
            assert_same(mine, theirs)
        assert (resumed.state_dict()["epoch"], resumed.state_dict()["next_batch"]) == (4, 0)


def test_a_state_of_other_studies_is_refused(load):
    with pytest.raises(ValueError, match="a loader with seed 1, this one has 0"):
        load().load_state_dict(load(seed=1).state_dict())


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_study_is_named(load, workers, monkeypatch):
    loader = load(workers=workers, shuffle=False)
    views = type(loader.split).views

    def broken(split, row):
        if row == 5:
            raise OSError("the page is gone")
        return views(split, row)

    monkeypatch.setattr(type(loader.split), "views", broken)  # forked workers inherit it
    message = "study 'train-5' of split 'train' can't be read .OSError: the page is gone"
    with pytest.raises(ValueError, match=message):
        list(loader)
    assert not children()


def test_a_killed_worker_is_an_error_and_no_hang(load):
    before = set(children())
    loader = load(workers=1, prefetch=1)
    batches = iter(loader)
    next(batches)
    (worker,) = set(children()) - before
    started = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"worker.*(killed|exited)"):
        read_slowly(batches)
    assert time.monotonic() - started < 20
    loader.close()
    assert set(children()) == before
    assert len(list(loader)) == 5  # the next epoch starts anew


def test_closing_ends_the_workers(load):
    before = set(children())
    with load(workers=2) as loader:
        list(loader)
        assert len(set(children()) - before) == 2
    assert set(children()) == before


def test_a_second_epoch_meanwhile_is_refused(load):
    loader = load(workers=1)
    first, second = iter(loader), iter(loader)
    next(first)
    next(second)
    with pytest.raises(RuntimeError, match="one epoch at a time"):
        next(first)
    assert len(list(second)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "workers must be at least 0"),
        ({"prefetch": 0}, "prefetch must be at least 1"),
        ({"start_method": "thread"}, "start_method must be one of .*, got 'thread'"),
    ],
)
def test_bad_arguments_are_refused(load, options, message):
    with pytest.raises(ValueError, match=message):
        load(**options)


SCRIPT = """
import signal
import sys
from gradtruce.data.loader import Loader
from gradtruce.data.prepared import PreparedDataset
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
split = PreparedDataset.open(sys.argv[1]).split("train")
loader = Loader(split, build_tokenizer(["clear"], 1), ImageProcessor(12), batch_size=2,
                max_tokens=9, workers=2)
while True:
    for batch in loader:
        print(*[p.pid for p in __import__("multiprocessing").active_children()], flush=True)
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_process(prepared, by):
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(prepared.folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with run:
        workers = [int(pid) for pid in run.stdout.readline().split()]
        assert len(workers) == 2
        if by == signal.SIGINT:
            os.killpg(run.pid, by)  # as a terminal does: the workers hear it too
        else:
            run.kill()
        run.stdout.close()
        assert run.wait(timeout=20) != 0
    deadline = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, workers))


@pytest.fixture
def with_priors(tmp_path, make_study):
    """Return a split where study 1 is the prior of study 0, and shows the same film."""
    current = make_study("now", patient="p", prior="before")
    before = replace(make_study("before", patient="p", report="Old edema."), views=current.views)
    with PreparedWriter(tmp_path / "priors", name="x", source="") as writer:
        for study in (current, before, make_study("v", "val"), make_study("t", "test")):
            writer.add(study)
    return PreparedDataset.open(tmp_path / "priors").split("train")


@pytest.mark.parametrize("workers", [0, 1])
def test_prior_and_current_are_changed_by_the_same_draw(with_priors, workers):
    tokenizer = build_tokenizer(["old edema ."], 1)
    options = {"batch_size": 2, "max_tokens": 9, "augmentation": ALL, "workers": workers}
    loader = Loader(with_priors, tokenizer, ImageProcessor(12), with_priors=True, **options)
    with loader:
        for epoch in range(5):
            loader.set_epoch(epoch)
            (batch,) = loader
            assert batch.has_priors
            assert torch.equal(batch.prior_pixel_values[0], batch.pixel_values[0])
            assert batch.prior_mask.tolist() == [[True, True], [False, False]]
    assert batch.prior_pixel_values[1].abs().max() == 0
    assert batch.prior_input_ids.tolist() == [[1, 6, 5, 4, 2], [0] * 5]
    torch.testing.assert_close(batch.prior_labels[0], batch.labels[1], equal_nan=True)
    assert batch.prior_labels[1].isnan().all()
    half = batch.half(1)
    assert half.prior_mask.tolist() == [[False, False]]


def test_without_priors_a_batch_has_none(load):
    batch = next(iter(load()))
    assert not batch.has_priors
    assert batch.prior_pixel_values is batch.prior_input_ids is batch.prior_labels is None


def test_a_limit_still_reads_a_prior_beyond_it(with_priors):
    loader = Loader(
        with_priors,
        build_tokenizer(["old edema ."], 1),
        ImageProcessor(12),
        batch_size=1,
        max_tokens=9,
        with_priors=True,
        limit=1,
    )
    (batch,) = loader
    assert batch.ids == ("now",)
    assert batch.prior_mask.all()


def test_on_a_device_the_batch_is_the_same(load):
    for mine, theirs in zip(load(device="cpu"), load(), strict=True):
        assert_same(mine, theirs)


@pytest.mark.gpu
@pytest.mark.parametrize("workers", [0, 1])
def test_on_a_gpu_batches_are_pinned_or_there(load, workers):
    for there, here in zip(load(device="cuda", workers=workers), load(), strict=True):
        assert here.pixel_values.is_pinned()
        assert there.pixel_values.is_cuda
        torch.testing.assert_close(there.pixel_values.cpu(), here.pixel_values)
        assert torch.equal(here.to("cuda").input_ids, there.input_ids)
