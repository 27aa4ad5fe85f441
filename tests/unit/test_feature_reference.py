"""The list of features in the documentation is the table's, and says when it is not."""

from pathlib import Path

import pytest

from tasks.core.catalogue import FEATURE_TABLE, LEARNED
from tasks.core.dataset import RETURN
from tasks.core.feature_reference import main, text
from tasks.core.features import FEATURES
from tasks.core.training import SCALES


def test_the_page_is_that_of_the_code() -> None:
    """As `make lint` asks."""
    assert main(["--check"]) == 0


def test_a_page_that_differs_is_refused_until_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Missing and old ones alike, with the command that renews them."""
    page = tmp_path / "reference" / "features.md"
    assert main(["--check", "--page", str(page)]) == 1
    assert "tasks.core.feature_reference --write" in capsys.readouterr().err
    assert main(["--write", "--page", str(page)]) == 0
    assert main(["--check", "--page", str(page)]) == 0
    page.write_text(page.read_text("utf-8") + "more", "utf-8")
    assert main(["--check", "--page", str(page)]) == 1


def test_every_feature_has_a_row_of_its_own() -> None:
    """With window, minimum history and unit, in the table's order."""
    rows = [line for line in text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [entry.name for entry in FEATURE_TABLE]
    for row, entry in zip(rows, FEATURE_TABLE, strict=True):
        assert f"| {entry.window} | {entry.minimum} | {entry.unit} |" in row


def test_what_models_learn_from_is_in_the_set() -> None:
    """In the table's order, with the target's return and what scales the intervals, and without rupees."""
    assert list(LEARNED) == [name for name in FEATURES if name in set(LEARNED)]
    assert RETURN in LEARNED
    assert set(SCALES) & set(LEARNED)
    assert not [entry.name for entry in FEATURE_TABLE if entry.unit == "rupees" and entry.name in LEARNED]
