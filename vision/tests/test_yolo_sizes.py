"""An export for squares that looks at wide and tall pictures: what it says, and what it refuses."""

import logging

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from vision import weights, yolo, yolo_sizes
from vision.tests.media import two_men
from vision.types import overlap

SQUARE, WIDE = (64, 64), (32, 64)
EXPORTS = ("yolov8n-416.onnx", "yolov8n-640.onnx")


def export(path, size=SQUARE, change=lambda grids: grids):
    """Write what an export does with places, in small: each place's middle and stride, and how bright it is there."""
    grids = change(yolo_sizes._grids(size))
    constants = {
        "places": grids["places"][None].astype(np.float32),
        "strides": grids["strides"][None, None].astype(np.float32),
        "count": np.array([1, 1, grids["strides"].size], np.int64),
    }
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values))
        for name, values in constants.items()
    ]
    for stride in yolo_sizes.STRIDES:
        size_of = [stride, stride]
        nodes += [
            helper.make_node("AveragePool", ["images"], [f"means_{stride}"], kernel_shape=size_of, strides=size_of),
            helper.make_node("Reshape", [f"means_{stride}", "flat"], [f"flat_{stride}"]),
        ]
    flat = [f"flat_{stride}" for stride in yolo_sizes.STRIDES]
    nodes += [
        helper.make_node("Concat", flat, ["levels"], axis=2),
        helper.make_node("Reshape", ["levels", "count"], ["counted"]),
        helper.make_node("Concat", ["places", "strides", "counted"], ["output"], axis=1),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 1, *size])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, None)
    flatten = numpy_helper.from_array(np.array([1, 1, -1], np.int64), "flat")
    graph = helper.make_graph(nodes, "export", [images], [output], [flatten])
    onnx.save(helper.make_model_gen_version(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    return path


def answers(model, picture):
    import onnxruntime

    return onnxruntime.InferenceSession(model).run(None, {"images": picture[None, None]})[0][0].T


def test_each_place_of_the_new_size_answers_for_itself(tmp_path):
    picture = np.random.default_rng(2).random(WIDE).astype(np.float32)
    said = answers(yolo_sizes.resized(export(tmp_path / "export.onnx"), SQUARE, WIDE), picture)
    assert len(said) == 4 * 8 + 2 * 4 + 1 * 2
    for x, y, stride, level in said:
        top, left = (round((middle - 0.5) * stride) for middle in (y, x))
        assert level == pytest.approx(picture[top : top + int(stride), left : left + int(stride)].mean(), abs=1e-5)


def test_a_size_that_the_strides_do_not_divide_is_refused(tmp_path):
    with pytest.raises(ValueError, match="64 x 40 pixels are no multiple of 32"):
        yolo_sizes.resized(export(tmp_path / "export.onnx"), SQUARE, (40, 64))


def test_an_export_that_is_built_otherwise_is_refused(tmp_path):
    odd = export(tmp_path / "odd.onnx", change=lambda grids: {**grids, "places": grids["places"] + 0.25})
    with pytest.raises(ValueError, match="unknown constant"):
        yolo_sizes.resized(odd, SQUARE, WIDE)
    with pytest.raises(ValueError, match="has no grid of places for 96 x 96 pixels"):
        yolo_sizes.resized(export(tmp_path / "export.onnx"), (96, 96), WIDE)


@pytest.fixture(params=EXPORTS)
def model(request):
    path = weights.find(request.param)
    if path is None:
        pytest.skip(f"needs {request.param}")
    return yolo.OnnxYolo(path)


def test_a_wide_and_a_tall_picture_are_looked_at_without_the_bars_of_a_square(model):
    long, short = model._own[0], min(model._sizes[0])
    assert short < 0.8 * long
    assert model.size_for(480, 640) == model.size_for(720, 1280) == (short, long)
    assert model.size_for(640, 480) == (long, short)
    assert model.size_for(500, 500) == model.size_for(1, 1) == model.size_for(600, 640) == (long, long)


@pytest.mark.parametrize("part", [slice(0, 1280), slice(640, 1180)], ids=["wide", "tall"])
def test_it_sees_there_what_it_sees_in_a_square(model, part):
    picture = two_men()[:, part]
    seen = yolo.detect(picture, model)
    model._sizes = (model._own,)
    sure = [one for one in yolo.detect(picture, model) if one.score > 0.6]
    assert sure
    for one in sure:
        assert any(one.label == other.label and overlap(one.box, other.box)[0] > 0.8 for other in seen)


def test_an_export_that_cannot_be_changed_looks_at_squares_as_it_always_did(model, monkeypatch, caplog):
    def refuse(*_args):
        raise ValueError("An export with an unknown constant.")

    path = model._path
    monkeypatch.setattr(yolo_sizes, "resized", refuse)
    with caplog.at_level(logging.WARNING, "vision.yolo"):
        model = yolo.OnnxYolo(path)
    assert f"{path.name} looks at squares only: An export with an unknown constant." in caplog.messages
    assert model.size_for(480, 640) == model._own
    assert any(one.label == "person" for one in yolo.detect(two_men(), model))
