import numpy as np
import pytest
import torch

from gradtruce.data.augmentation import Augmentation
from gradtruce.data.loader import Loader
from gradtruce.data.observations import OBSERVATIONS
from gradtruce.data.prepared import PreparedDataset, PreparedWriter
from gradtruce.data.text import clean
from gradtruce.data.tokenizer import build_tokenizer
from gradtruce.data.transforms import ImageProcessor

PROCESSOR = ImageProcessor(12)


@pytest.fixture
def tokenizer(prepared):
    return build_tokenizer([clean(text, "clean") for text in prepared.split("train").reports], 1)


@pytest.fixture
def load(prepared, tokenizer):
    def make(name="train", **options):
        return Loader(
            prepared.split(name),
            tokenizer,
            PROCESSOR,
            **({"batch_size": 4, "max_tokens": 60} | options),
        )

    return make


def ids(loader):
    return [batch.ids for batch in loader]


def test_without_shuffling_all_studies_come_in_order(load):
    loader = load()
    assert [len(batch) for batch in loader] == [4, 4, 2]
    assert len(loader) == 3
    assert sum(ids(loader), ()) == loader.split.ids


def test_a_batch_holds_what_the_studies_say(load, prepared):
    for batch in load("val"):
        for row, study_id in enumerate(batch.ids):
            study = prepared.study(study_id)
            assert batch.reports[row] == clean(study.report, "clean")
            expected = torch.tensor([study.labels.get(name, np.nan) for name in OBSERVATIONS])
            torch.testing.assert_close(batch.labels[row], expected.float(), equal_nan=True)
            assert batch.view_mask[row].sum() == len(study.views)
            for place, view in enumerate(study.views):
                torch.testing.assert_close(batch.pixel_values[row, place], PROCESSOR(view.pixels))


def test_absent_views_are_zero(load):
    batch = next(iter(load(max_views=3)))
    assert batch.pixel_values.shape == (4, 3, 3, 12, 12)
    assert batch.pixel_values[~batch.view_mask].abs().max() == 0


def test_one_view_is_the_frontal_one(load, prepared):
    batch = next(iter(load(max_views=1)))
    expected = PROCESSOR(prepared.study(batch.ids[1]).views[0].pixels)
    torch.testing.assert_close(batch.pixel_values[1, 0], expected)


def test_tokens_begin_end_and_pad(load):
    batch = next(iter(load()))
    assert (batch.input_ids[:, 0] == 1).all()
    for row in batch.input_ids:
        end = row.tolist().index(2)
        assert (row[end + 1 :] == 0).all()
        assert (row[:end] != 0).all()


def test_tokens_are_cut_and_references_are_not(load):
    cut, whole = next(iter(load(max_tokens=5))), next(iter(load()))
    assert cut.input_ids.shape == (4, 5)
    assert cut.reports == whole.reports


def test_the_same_seed_gives_two_arms_the_same_data(load):
    options = {"shuffle": True, "seed": 3, "augmentation": Augmentation(flip=True, rotation=5.0)}
    one, two = load(**options), load(**options, cache_bytes=0)
    next(iter(two))  # what one arm reads beside must not matter
    for epoch in (0, 1, 0):
        one.set_epoch(epoch)
        two.set_epoch(epoch)
        for mine, theirs in zip(one, two, strict=True):
            assert mine.ids == theirs.ids
            assert torch.equal(mine.pixel_values, theirs.pixel_values)
            assert torch.equal(mine.input_ids, theirs.input_ids)


def test_epochs_and_seeds_differ_in_order_and_crop(load):
    augmentation = Augmentation()
    loader = load(shuffle=True, augmentation=augmentation)
    first = list(loader)
    loader.set_epoch(1)
    second = list(loader)
    other = list(load(shuffle=True, seed=1, augmentation=augmentation))
    orders = {tuple(sum((b.ids for b in epoch), ())) for epoch in (first, second, other)}
    assert len(orders) == 3
    assert all(sorted(order) == sorted(loader.split.ids) for order in orders)
    crops = {
        next(b.pixel_values[b.ids.index("train-0")] for b in epoch if "train-0" in b.ids)
        .numpy()
        .tobytes()
        for epoch in (first, second, other)
    }
    assert len(crops) == 3


def test_the_crop_of_a_study_does_not_depend_on_the_batch_size(load):
    small, large = (load(augmentation=Augmentation(), batch_size=size) for size in (1, 10))
    alone = torch.cat([batch.pixel_values for batch in small])
    assert torch.equal(alone, next(iter(large)).pixel_values)


def test_dropping_the_last_leaves_whole_batches(load):
    loader = load(drop_last=True)
    assert [len(batch) for batch in loader] == [4, 4]
    assert len(loader) == 2


def test_a_limit_takes_the_first_studies(load):
    assert sum(ids(load(limit=5)), ()) == tuple(f"train-{i}" for i in range(5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"max_views": 0}, "max_views must be at least 1"),
        ({"limit": 0}, "limit must be at least 1"),
        (
            {"batch_size": 11, "drop_last": True},
            "split 'train': 10 studies are fewer than one batch of 11",
        ),
    ],
)
def test_bad_arguments_are_refused(load, options, message):
    with pytest.raises(ValueError, match=message):
        load(**options)


def test_a_lateral_first_study_shows_its_frontal_view_first(tmp_path, make_study, tokenizer):
    study = make_study("a", views=2)
    object.__setattr__(study, "views", study.views[::-1])
    with PreparedWriter(tmp_path / "set", name="x", source="") as writer:
        for number, split in enumerate(("train", "val", "test")):
            changed = study if split == "train" else make_study(str(number), split)
            writer.add(changed)
    split = PreparedDataset.open(tmp_path / "set").split("train")
    batch = next(iter(Loader(split, tokenizer, PROCESSOR, batch_size=1, max_tokens=9)))
    torch.testing.assert_close(batch.pixel_values[0, 0], PROCESSOR(study.views[1].pixels))
