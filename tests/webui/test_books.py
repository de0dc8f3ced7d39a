"""The books as the page shows them."""

from backupmx.core.books import Line
from webui import books

TODAY = 20_000


def test_what_waits_stands_in_the_column_of_its_day() -> None:
    """The fuller row first; no column behind the oldest; darker where more waits, and never white where something does."""
    grid = books.ages(
        {
            "a.example": {TODAY: Line(9, 8, waiting=1), TODAY - 5: Line(3, waiting=3)},
            "b.example": {TODAY: Line(1000, waiting=1000)},
            "c.example": {TODAY - 30: Line(7, 7)},
            ".": {TODAY: Line(1, waiting=1)},
        },
        TODAY,
    )
    assert grid.columns == ("today", "yesterday", "2 days ago", "3 days ago", "4 to 6 days")
    assert list(grid.rows) == ["b.example", "a.example", "."]
    assert [cell.count for cell in grid.rows["a.example"]] == [1, 0, 0, 0, 3]
    assert [cell.shade for cell in grid.rows["a.example"]] == [1, 0, 0, 0, 1]
    assert grid.rows["b.example"][0].shade == books.SHADES
    assert books.ages({}, TODAY).rows == {}


def test_what_we_wrote_ourselves_is_nobodys_mail() -> None:
    """The line for all is the sum over our domains."""
    found = books.total({"a.example": {1: Line(2, 1, waiting=1), 2: Line(1, 1)}, ".": {1: Line(5, 5)}})
    assert found == Line(3, 2, waiting=1)
    assert found.difference == 0
