"""Tables as CSV: no cell becomes a formula, and what was written is read again."""

import csv
import io

import pytest
import tablib
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.csv_files import FORMULA_STARTS, SafeCSV, as_text, from_text

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


@pytest.mark.parametrize(
    "cell", ["=1+1", "+49 30", "-2", "@SUM(A1)", "\t=1", "\r=1", "'=1", "=HYPERLINK(1)", "\n=1", "\uff1d1"]
)
def test_no_text_is_left_as_a_formula(cell):
    assert as_text(cell) == f"'{cell}"
    assert from_text(as_text(cell)) == cell


@pytest.mark.parametrize("cell", [-2, -2.5, 0, None, "a=1", "it's", ""])
def test_numbers_and_plain_text_stay(cell):
    assert as_text(cell) == cell


@given(TEXT)
def test_every_text_comes_back(cell):
    assert not as_text(cell).startswith(FORMULA_STARTS)
    assert from_text(as_text(cell)) == cell


@given(st.lists(st.tuples(TEXT.filter(lambda text: text == text.strip() != ""), TEXT), min_size=1, max_size=4))
def test_a_file_is_read_as_it_was_written(rows):
    written = SafeCSV().export_data(tablib.Dataset(*rows, headers=["a", "b"]))
    assert written.startswith(b"\xef\xbb\xbf")
    assert [(first, second) for first, second in SafeCSV().create_dataset(written)] == [
        (first, second.strip() if second == as_text(second) else from_text(as_text(second).strip()))
        for first, second in rows
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_it_reads_what_spreadsheets_of_other_countries_write(delimiter):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([["Exam", " Email "], ["algebra", "a@example.com"], ["", ""]])
    dataset = SafeCSV().create_dataset(file.getvalue().encode())
    assert dataset.headers == ["exam", "email"]
    assert list(dataset) == [("algebra", "a@example.com")]


def test_short_lines_are_filled_up_and_empty_cells_at_the_end_do_not_matter():
    assert list(SafeCSV().create_dataset(b"a,b\n1\n1,2,,\n")) == [("1", ""), ("1", "2")]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "no line below its headings"),
        (b"exam,email\n\n,\n", "no line below its headings"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"PK\x03\x04\x00\x00", "not a text file"),
        (b"a,b\n1,2,3\n", "Line 2 has 3 cells under 2 headings"),
        (b"a,b\n\n\n1,2,3\n", "Line 4 has 3 cells under 2 headings"),
    ],
)
def test_it_says_what_is_wrong_with_a_file(file, message):
    with pytest.raises(ValidationError, match=message):
        SafeCSV().create_dataset(file)
