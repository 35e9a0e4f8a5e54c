"""Published files of backbones: every name, the same maps, and errors that say what is wrong."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import SwinConfig, SwinForImageClassification, SwinModel

from gradtruce.data.transforms import ImageProcessor
from gradtruce.methods.blocks.backbone import Backbone, build_backbone
from gradtruce.methods.blocks.paired_stages import PairedStages
from gradtruce.methods.weights.backbone_file import installed_lite0, load_backbone
from gradtruce.methods.weights.state_file import read_state
from tests.reference import imagenet_backbones as reference

EXACT = {"rtol": 1e-9, "atol": 1e-9}
RESNET_101 = ("resnet", [256, 512, 1024, 2048], [3, 4, 23, 3])
DENSENET_121 = ("densenet", [256, 512, 1024, 1024], [6, 12, 24, 16])
LITE0 = ("efficientnet_lite", [16, 24, 40, 80, 112, 192, 320], [1, 2, 2, 3, 3, 4, 1])
SMALL_RESNET = ("resnet", [16, 32], [1, 2])
SMALL_DENSENET = ("densenet", [16, 16], [2, 2])


def images(height: int = 33, width: int = 64) -> Tensor:
    return torch.randn(2, 3, height, width, dtype=torch.float64)


def loaded(kind: tuple[str, list[int], list[int]], path: Path) -> Backbone:
    backbone = build_backbone(*kind).double().eval()
    load_backbone(backbone, path)
    return backbone


def parameters(state: dict[str, Tensor], classes: str) -> int:
    """Return how many weights are trained, classes apart."""
    not_trained = ("running_mean", "running_var", "num_batches_tracked")
    return sum(
        value.numel()
        for name, value in state.items()
        if not name.endswith(not_trained) and not name.startswith(classes)
    )


def saved(state: dict[str, Tensor], path: Path) -> Path:
    torch.save(dict(state), path)
    return path


def test_resnet_101_has_the_published_maps_and_count(tmp_path: Path) -> None:
    state = reference.draw_resnet(*RESNET_101[1:])
    backbone = loaded(RESNET_101, saved(state, tmp_path / "resnet101.pth"))
    with torch.no_grad():
        maps = backbone(inputs := images())
    torch.testing.assert_close(maps, reference.resnet(state, inputs, RESNET_101[2]), **EXACT)
    assert maps.shape == (2, 2048, 2, 2)
    assert parameters(state, "fc.") == 42_500_160
    assert sum(each.numel() for each in backbone.parameters()) == 42_500_160


def test_densenet_121_has_the_published_maps_and_count(tmp_path: Path) -> None:
    state = reference.draw_densenet(32, DENSENET_121[2])
    backbone = loaded(DENSENET_121, saved(state, tmp_path / "densenet121.pth"))
    with torch.no_grad():
        maps = backbone(inputs := images())
    torch.testing.assert_close(maps, reference.densenet(state, inputs, DENSENET_121[2]), **EXACT)
    assert maps.shape == (2, 1024, 1, 2)
    assert parameters(state, "classifier.") == 6_953_856
    assert sum(each.numel() for each in backbone.parameters()) == 6_953_856


def test_efficientnet_lite0_has_the_published_maps_and_count(tmp_path: Path) -> None:
    state = reference.draw_lite0()
    backbone = loaded(LITE0, saved(state, tmp_path / "lite0.pth"))
    pixels = torch.randint(0, 256, (2, 61, 97), dtype=torch.uint8)
    with torch.no_grad():
        maps = backbone(ImageProcessor().normalise(pixels).double())
    expected = reference.lite0(state, pixels.double().unsqueeze(1).expand(-1, 3, -1, -1))
    torch.testing.assert_close(maps, expected, rtol=1e-4, atol=1e-5)  # normalised in float32
    assert maps.shape == (2, 1280, 2, 4)
    assert parameters(state, "_fc.") == 3_371_008
    assert sum(each.numel() for each in backbone.parameters()) == 3_371_008


def test_the_installed_lite0_weights_load_and_tell_images_apart() -> None:
    try:
        path = installed_lite0()
    except ImportError as error:
        pytest.skip(str(error))
    backbone = loaded(LITE0, path)
    with torch.no_grad():
        pooled = backbone(images(96, 96)).mean((2, 3))
    assert pooled.isfinite().all()
    assert not torch.allclose(pooled[0], pooled[1])


def test_densenet_files_with_dotted_names_and_without_counters_load(tmp_path: Path) -> None:
    state = reference.draw_densenet(4, SMALL_DENSENET[2])
    old = {
        re.sub(r"\.(norm|conv)([12])\.", r".\1.\2.", name): value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }
    assert any(".norm.1." in name for name in old)
    first = loaded(SMALL_DENSENET, saved(state, tmp_path / "new.pth"))
    second = loaded(SMALL_DENSENET, saved(old, tmp_path / "old.pth"))
    with torch.no_grad():
        assert torch.equal(first(inputs := images()), second(inputs))


def test_a_safetensors_file_and_a_wrapped_one_load_alike(tmp_path: Path) -> None:
    state = reference.draw_resnet(*SMALL_RESNET[1:])
    save_file(dict(state), tmp_path / "a.safetensors")
    torch.save({"epoch": 3, "state_dict": dict(state)}, tmp_path / "b.pth")
    first = loaded(SMALL_RESNET, tmp_path / "a.safetensors")
    second = loaded(SMALL_RESNET, tmp_path / "b.pth")
    with torch.no_grad():
        assert torch.equal(first(inputs := images()), second(inputs))


def test_a_file_of_another_size_is_refused_and_nothing_is_changed(tmp_path: Path) -> None:
    path = saved(reference.draw_resnet([16, 64], [1, 2]), tmp_path / "other.pth")
    backbone = build_backbone(*SMALL_RESNET)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(ValueError, match=r"other.pth: does not fit .* other shapes: .*stages.1"):
        load_backbone(backbone, path)
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_a_file_with_more_or_fewer_layers_is_refused(tmp_path: Path) -> None:
    more = saved(reference.draw_resnet([16, 32], [1, 3]), tmp_path / "more.pth")
    with pytest.raises(ValueError, match=r"it has, and the network has not, .*layers.2"):
        load_backbone(build_backbone(*SMALL_RESNET), more)
    fewer = saved(reference.draw_resnet([16, 32], [1, 1]), tmp_path / "fewer.pth")
    with pytest.raises(ValueError, match=r"it lacks .*layers.1"):
        load_backbone(build_backbone(*SMALL_RESNET), fewer)


def test_a_file_of_another_architecture_is_refused(tmp_path: Path) -> None:
    path = saved(reference.draw_densenet(4, [2, 2]), tmp_path / "dense.pth")
    with pytest.raises(ValueError, match=r"no weights of a ResNet .* resnet101-63fe2227.pth"):
        load_backbone(build_backbone(*SMALL_RESNET), path)


def test_a_weight_named_twice_is_refused(tmp_path: Path) -> None:
    state = reference.draw_densenet(4, [2, 2])
    name = "features.denseblock1.denselayer1.norm{}1.weight"
    state[name.format(".")] = state[name.format("")]
    with pytest.raises(ValueError, match="one weight in two ways"):
        load_backbone(build_backbone(*SMALL_DENSENET), saved(state, tmp_path / "twice.pth"))


class Unsafe:
    """Something that a torch file may not hold."""


def test_a_file_that_is_missing_damaged_or_unsafe_is_refused(tmp_path: Path) -> None:
    backbone = build_backbone(*SMALL_RESNET)
    with pytest.raises(FileNotFoundError, match="no such file of weights"):
        load_backbone(backbone, tmp_path / "nowhere.pth")
    for name in ("noise.pth", "noise.safetensors"):
        (tmp_path / name).write_bytes(b"not weights at all")
        with pytest.raises(ValueError, match=name):
            load_backbone(backbone, tmp_path / name)
    torch.save(nn.Linear(1, 1), tmp_path / "module.pth")
    with pytest.raises(ValueError, match="could run anything"):
        load_backbone(backbone, tmp_path / "module.pth")
    torch.save({"epoch": 3}, tmp_path / "no_weights.pth")
    with pytest.raises(ValueError, match=r"a dict with the keys \['epoch'\]"):
        load_backbone(backbone, tmp_path / "no_weights.pth")
    torch.save([1.0], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="found a list"):
        load_backbone(backbone, tmp_path / "list.pth")
    whole = saved(reference.draw_resnet(*SMALL_RESNET[1:]), tmp_path / "whole.pth")
    (tmp_path / "half.pth").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"half.pth: "):
        load_backbone(backbone, tmp_path / "half.pth")


SMALL_SWIN = {"embed_dim": 8, "depths": [1, 2], "num_heads": [1, 1], "window_size": 7}


@pytest.mark.parametrize("has_classes", [True, False])
def test_a_swin_folder_of_transformers_gives_its_maps(has_classes: bool, tmp_path: Path) -> None:
    config = SwinConfig(**SMALL_SWIN)
    whole = SwinForImageClassification(config) if has_classes else SwinModel(config)
    whole.double().eval().save_pretrained(tmp_path)
    published = read_state(tmp_path / "model.safetensors")
    assert any("attention.self.query" in name for name in published)
    backbone = build_backbone("swin", [8, 16], [1, 2]).double().eval()
    load_backbone(backbone, tmp_path)
    model = whole.swin if has_classes else whole
    with torch.no_grad():
        expected = model(inputs := images(56, 56)).last_hidden_state
        torch.testing.assert_close(backbone(inputs).flatten(2).mT, expected, **EXACT)


def test_old_swin_files_and_our_own_names_are_read(tmp_path: Path) -> None:
    source = SwinModel(SwinConfig(**SMALL_SWIN), add_pooling_layer=False)
    source.save_pretrained(tmp_path / "old")
    old = read_state(tmp_path / "old" / "model.safetensors")
    index = "encoder.layers.0.blocks.0.attention.self.relative_position_index"
    saved(old | {index: torch.zeros(49, 49, dtype=torch.long)}, tmp_path / "old.bin")
    saved(dict(source.state_dict()), tmp_path / "new.bin")
    for name in ("old.bin", "new.bin"):
        backbone = build_backbone("swin", [8, 16], [1, 2])
        load_backbone(backbone, tmp_path / name)
        assert all(
            torch.equal(value, backbone.model.state_dict()[key])
            for key, value in source.state_dict().items()
        )


def test_a_swin_of_another_size_or_no_folder_is_refused(tmp_path: Path) -> None:
    SwinModel(SwinConfig(**SMALL_SWIN)).save_pretrained(tmp_path / "small")
    with pytest.raises(ValueError, match="does not fit this network"):
        load_backbone(build_backbone("swin", [8, 16], [1, 1]), tmp_path / "small")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"holds neither model\.safetensors"):
        load_backbone(build_backbone("swin", [8, 16], [1, 1]), tmp_path / "empty")


def test_both_streams_of_paired_stages_are_filled(tmp_path: Path) -> None:
    SwinModel(SwinConfig(**SMALL_SWIN)).save_pretrained(tmp_path)
    paired = PairedStages(build_backbone("swin", [8, 16], [1, 2]), text_width=4)
    load_backbone(paired, tmp_path)
    prior = paired.prior.state_dict()
    assert all(torch.equal(value, paired.current.state_dict()[key]) for key, value in prior.items())
