"""dlib's network, run by onnxruntime, gives what dlib gives."""

import dlib
import numpy as np
import pytest

from vision import loading
from vision.demo import package_picture
from vision.face_network import SIDE, FaceNetwork
from vision.loading import face_embedder_file


def faces():
    """Return a face, its mirror image, noise and black, as the network is given them."""
    face = np.ascontiguousarray(package_picture("zidane.jpg")[120 : 120 + SIDE, 930 : 930 + SIDE])
    noise = np.random.default_rng(0).integers(0, 256, face.shape, np.uint8)
    return np.stack([face, face[:, ::-1], noise, np.zeros_like(face)])


def test_it_gives_the_numbers_that_dlib_gives():
    path = face_embedder_file()
    own = FaceNetwork(path).forward(faces())
    model = dlib.face_recognition_model_v1(str(path))
    theirs = np.array([np.array(model.compute_face_descriptor(np.ascontiguousarray(one))) for one in faces()])
    assert own.shape == (4, 128) and own.dtype == np.float64
    assert np.abs(own - theirs).max() < 1e-5


@pytest.mark.parametrize("cut", [0, 1000, -3000])
def test_it_refuses_weights_that_are_damaged(tmp_path, cut):
    path = tmp_path / "weights.dat"
    path.write_bytes(face_embedder_file().read_bytes()[:cut])
    with pytest.raises(ValueError, match=r"network|buffer"):
        FaceNetwork(path)


def test_weights_that_cannot_be_loaded_are_tried_and_told_once_and_nobody_is_compared(tmp_path, monkeypatch, caplog):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / loading.FACE_EMBEDDER).write_bytes(face_embedder_file().read_bytes()[:1000])
    monkeypatch.setattr(loading, "_file_in", lambda _package, name: tmp_path / name)
    monkeypatch.setattr(loading, "_unloadable", {})
    own = loading.Models()
    for _ in range(3):
        with pytest.raises(loading.ModelError):
            _ = own.face_embedder
    assert caplog.text.count("cannot be loaded") == 1
    told = loading.identity_availability()
    assert (told.available, told.reason) == (False, f"The weights {loading.FACE_EMBEDDER} cannot be loaded.")
