"""The card, made by the command: of a small folder with real pictures and the real models."""

import json
import re
import shutil
from io import StringIO
from pathlib import Path

import cv2
import pytest
from django.core.management import CommandError, call_command

from monitoring.evaluation.compare import worse_than
from monitoring.evaluation.printed import as_markdown
from vision.demo import package_picture
from vision.tests.media import media_folder
from vision.weights import WEIGHTS, find

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path):
    """Two men, a street, a picture that is none, and a recording that is none."""
    cv2.imwrite(str(tmp_path / "two.jpg"), package_picture("zidane.jpg")[..., ::-1])
    cv2.imwrite(str(tmp_path / "one.jpg"), package_picture("zidane.jpg")[:, 640:, ::-1])
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    rows = [
        {"file": "two.jpg", "kind": "image", "labels": {"faces": 2}, "conditions": ["sport"]},
        {"file": "one.jpg", "kind": "image", "labels": {"faces": 1}},
        {"file": "broken.jpg", "kind": "image", "labels": {"faces": 1}},
        {"file": "broken.mp4", "kind": "video", "labels": {"faces": 1}},
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def evaluate(folder, **options):
    out, err = StringIO(), StringIO()
    call_command("evaluate", folder, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_it_measures_what_the_labels_can_judge_with_each_set_of_weights(folder):
    out, err = evaluate(folder, json=True)
    card = json.loads(out)
    assert (card["format"], card["media"]) == (1, {"image": 3, "video": 1, "audio": 0})
    assert set(card["runs"]) == {"all", "bundled"}
    for run in card["runs"].values():
        rows = {row["kind"]: row for row in run["pictures"]}
        assert set(rows) == {"NO_FACE", "MULTIPLE_FACES", "PRINT_OR_SCREEN"}
        assert (rows["NO_FACE"]["n"], rows["NO_FACE"]["not_examined"]["hits"]) == (3, 1)
        assert (rows["MULTIPLE_FACES"]["recall"]["n"], rows["MULTIPLE_FACES"]["false_alarms"]["hits"]) == (1, 0)
        assert run["counting"]["exact"]["n"] == 2
        assert [row["condition"] for row in run["conditions"]] == ["sport"] * 3
        assert run["unread"] == 2
    assert "broken.jpg: " in err and "broken.mp4: " in err


def test_it_asks_only_what_it_is_told_to(folder):
    out, _ = evaluate(folder, only=["NO_FACE"], weights="bundled", json=True)
    run = json.loads(out)["runs"]["bundled"]
    assert [row["kind"] for row in run["pictures"]] == ["NO_FACE"]
    assert (run["counting"]["exact"]["n"], run["clips"]) == (0, [])


def test_it_prints_tables_that_claim_nothing_from_a_few(folder):
    out, _ = evaluate(folder, weights="bundled")
    assert "Pictures, with bundled models only" in out and "too few to say" in out
    marked, _ = evaluate(folder, weights="bundled", markdown=True)
    assert "## Pictures, with bundled models only" in marked and "| --- |" in marked


def test_its_page_needs_no_other_file_and_shows_what_went_wrong(folder):
    evaluate(folder, weights="bundled", html=folder / "card.html")
    page = (folder / "card.html").read_text()
    assert "NO_FACE: not examined (1)" in page and "data:image/jpeg;base64," in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"only": ["SMELL"]}, "SMELL is not asked"), ({"html": Path("nowhere/card.html")}, "cannot be written")],
)
def test_it_refuses_in_one_sentence(folder, options, complaint):
    with pytest.raises(CommandError, match=complaint):
        evaluate(folder, weights="bundled", **options)


def test_it_refuses_a_folder_without_labels(tmp_path):
    with pytest.raises(CommandError, match="cannot be read"):
        evaluate(tmp_path)


def test_it_listens_and_watches_whole_exams(tmp_path):
    media = media_folder()
    (tmp_path / "exams").mkdir()
    for name in ("exam11.mp4", "exam11.json"):
        shutil.copy(media / "exams" / name, tmp_path / "exams" / name)
    speech = "i1749_inaSpeechSegmenter_media_lamartine.flac"
    shutil.copy(media / "audio" / speech, tmp_path / speech)
    turns = [
        {"start_s": 0, "end_s": 8, "speaker": "one"},
        {"start_s": 8, "end_s": 14.6, "speaker": "other"},
    ]
    row = {"file": speech, "kind": "audio", "labels": {"speech": True, "turns": turns}}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row))
    run = json.loads(evaluate(tmp_path, weights="all", json=True)[0])["runs"]["all"]
    assert run["sounds"][0]["kind"] == "SPEECH" and run["sounds"][0]["recall"]["hits"] == 1
    assert run["diarization"]["error_rate"] < 0.35
    found = {row["kind"]: row["staged"]["hits"] for row in run["exams"]}
    assert (found["NO_FACE"], found["MULTIPLE_FACES"], found["LOOKING_AWAY"]) == (1, 1, 1)


CARD = Path(__file__).resolve().parents[2] / "docs/accuracy.json"


def test_no_figure_of_the_published_card_has_fallen_by_more_than_chance():
    """Only on the media and with the weights that the card was made with."""
    kept = json.loads(CARD.read_text())
    made_with = {model["name"] for model in kept["models"]} & {weight.name for weight in WEIGHTS}
    if made_with != {weight.name for weight in WEIGHTS if find(weight.name) is not None}:
        pytest.skip("other weights are here than the card was made with")
    now = json.loads(evaluate(media_folder(), json=True)[0])
    if now["media"] != kept["media"]:
        pytest.skip("other media are here than the card was made with")
    assert worse_than(kept, now) == []


def test_the_published_tables_are_those_of_the_published_card():
    assert as_markdown(json.loads(CARD.read_text())) in (CARD.parent / "accuracy.md").read_text()


def test_a_figure_that_fell_is_told():
    kept = json.loads(CARD.read_text())
    worse = json.loads(CARD.read_text())
    run = worse["runs"]["all"]
    row = next(row for row in run["pictures"] if row["kind"] == "NO_FACE")
    row["recall"] |= {"hits": 10, "share": 10 / row["recall"]["n"]}
    run["diarization"]["error_rate"] *= 2
    next(row for row in run["exams"] if row["kind"] == "NO_FACE")["false_alarms"] += 2
    told = worse_than(kept, worse)
    assert [line.split(":")[0] for line in told] == [
        "all, NO_FACE recall",
        "all, NO_FACE in exams",
        "all, who spoke when",
    ]
    assert worse_than(kept, kept) == []
