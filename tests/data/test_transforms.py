import json

import numpy as np
import pytest
import torch

from gradtruce.data.transforms import (
    PREPROCESSOR,
    ImageProcessor,
    stack_views,
)

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)


def test_the_processor_stretches_as_r2gen_or_takes_the_centre():
    assert ImageProcessor(16).fit(NOISE).shape == (16, 16)
    centre = ImageProcessor(40, aspect="crop").fit(NOISE)
    np.testing.assert_array_equal(centre, NOISE[:, 10:50])


def test_normalisation_is_imagenet_s():
    pixels = ImageProcessor(4)(np.full((4, 4), 128, dtype=np.uint8))
    grey = 128 / 255
    expected = [(grey - 0.485) / 0.229, (grey - 0.456) / 0.224, (grey - 0.406) / 0.225]
    np.testing.assert_allclose(pixels[:, 0, 0], expected, rtol=1e-5)


def test_shrinking_averages_over_what_it_drops():
    stripes = np.tile(np.array([0, 255], dtype=np.uint8), (64, 32))
    assert ImageProcessor(16).fit(stripes)[:, 2:-2].std() < 3


def test_the_processor_survives_its_file(tmp_path):
    processor = ImageProcessor(96, aspect="crop", mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    processor.save(tmp_path)
    assert ImageProcessor.load(tmp_path) == processor
    assert json.loads((tmp_path / PREPROCESSOR).read_text())["schema"] == 1


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"schema": 1, "image_processor_type": "ViTImageProcessor"}']
)
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / PREPROCESSOR).write_text(content)
    with pytest.raises(ValueError, match=r"preprocessor_config\.json: not an image processor"):
        ImageProcessor.load(tmp_path)


def test_another_schema_is_refused():
    text = ImageProcessor(8).to_json().replace('"schema": 1', '"schema": 2')
    with pytest.raises(ValueError, match="schema 1"):
        ImageProcessor.from_json(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"preprocessor_config\.json: missing"):
        ImageProcessor.load(tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ImageProcessor(0), "size must be at least 1"),
        (lambda: ImageProcessor(8, std=(1.0, 0.0, 1.0)), "std must be above 0"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (300, 7), (16, 16)])
def test_any_shape_becomes_the_asked_one(shape):
    film = np.zeros(shape, dtype=np.uint8)
    for aspect in ("stretch", "crop"):
        assert ImageProcessor(16, aspect=aspect).fit(film).shape == (16, 16)


def test_a_crop_takes_the_middle_of_an_odd_rest():
    film = np.arange(35, dtype=np.uint8).reshape(5, 7)
    np.testing.assert_array_equal(ImageProcessor(5, aspect="crop").fit(film), film[:, 1:6])


def test_absent_views_are_zero_and_masked():
    processor = ImageProcessor(16)
    view = processor.fit(NOISE)
    pixel_values, mask = stack_views([[view], [], [view, view]], processor, 2)
    assert mask.tolist() == [[True, False], [False, False], [True, True]]
    assert pixel_values[~mask].abs().max() == 0
    torch.testing.assert_close(pixel_values[2, 1], processor(NOISE))
