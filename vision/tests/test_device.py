"""Where the object model works, and its weights as ultralytics publishes them."""

import numpy as np
import pytest

from vision import device, loading, weights, yolo
from vision.tests.media import OBJECTS_NEEDED, two_men

ULTRALYTICS_NEEDED = pytest.mark.skipif(not loading._installed("ultralytics"), reason="needs ultralytics")
ROOM = np.random.default_rng(5).integers(0, 256, (384, 480, 3), np.uint8)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Weights in the form that ultralytics publishes, untrained: each thing is as likely as any other."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    yolo._prepare_ultralytics()
    import torch
    from ultralytics import YOLO

    torch.manual_seed(3)
    made = YOLO("yolov8n.yaml", verbose=False)
    for classes in made.model.model[-1].cv3:
        torch.nn.init.normal_(classes[-1].bias, -1.0, 0.5)
    made.save(tmp_path / "untrained.pt")
    return tmp_path / "untrained.pt"


@ULTRALYTICS_NEEDED
def test_published_weights_give_the_best_of_what_their_network_says(published):
    import torch
    from ultralytics import YOLO

    model = yolo.load(published)
    picture, place = yolo.letterbox(ROOM, model.size_for(*ROOM.shape[:2]))
    assert place == (0, 0, 480, 384), "the same pixels for both"
    rows = model.look(picture)
    with torch.inference_mode():
        said = YOLO(published).model.eval()(torch.from_numpy(picture))[0][0].numpy().T
    middles, sizes, scores = said[:, :2], said[:, 2:4], said[:, 4:]
    boxes = np.hstack([middles - sizes / 2, middles + sizes / 2])
    everything = np.column_stack([boxes, scores.max(axis=1), scores.argmax(axis=1)])
    assert len(rows) > 50
    for row in rows:
        assert np.abs(everything - row).max(axis=1).min() < 0.05, "said by the network"
    assert rows[:, 4].max() == pytest.approx(everything[:, 4].max(), abs=1e-3)
    assert sorted(model.names) == list(range(80))


def test_onnx_models_are_tried_on_a_gpu_first_and_at_last_on_the_cpu(monkeypatch):
    assert device.onnx_providers(["AzureExecutionProvider", "CPUExecutionProvider"]) == [device.CPU]
    built_in = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    assert device.onnx_providers(built_in) == [("CUDAExecutionProvider", {"use_tf32": "0"}), device.CPU]
    monkeypatch.setenv("PROCTORING_GPU", "0")
    assert device.onnx_providers(built_in) == [device.CPU]


@ULTRALYTICS_NEEDED
def test_a_gpu_that_is_not_there_or_not_wanted_leaves_torch_on_the_cpu(monkeypatch):
    import torch

    assert device.torch_device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setenv("PROCTORING_GPU", "0")
    assert device.torch_device().type == "cpu"


@OBJECTS_NEEDED
def test_a_gpu_sees_what_the_cpu_sees(monkeypatch):
    if not _gpu_of_onnxruntime():
        pytest.skip("needs a GPU and onnxruntime's build for it")
    path = weights.find(*loading.OBJECT_WEIGHTS)
    on_gpu = yolo.detect(two_men(), yolo.load(path))
    monkeypatch.setenv("PROCTORING_GPU", "0")
    on_cpu = yolo.detect(two_men(), yolo.load(path))
    assert [one.label for one in on_gpu] == [one.label for one in on_cpu]
    for one, other in zip(on_gpu, on_cpu, strict=True):
        assert (*one.box, one.score) == pytest.approx((*other.box, other.score), abs=0.005)


def _gpu_of_onnxruntime():
    import onnxruntime

    return any(name in onnxruntime.get_available_providers() for name in device.GPU_PROVIDERS)
