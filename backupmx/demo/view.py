"""How the story is shown: a live view on a terminal, plain lines elsewhere.

Knows: rich, and the words for the numbers.
Does not know: what happens next.
"""

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from backupmx.core.status import PrimaryState, Status
from backupmx.core.words import messages, sentence, size
from backupmx.demo.ledger import Balance

COLOURS = {PrimaryState.UP: "green", PrimaryState.DOWN: "bold red", PrimaryState.UNKNOWN: "yellow"}
LEAST = 2
"""Lines of the story that stay in sight, however low the terminal is."""


class View(Protocol):
    """Who listens to the story."""

    def scene(self, title: str) -> None:
        """A new scene begins."""

    def tell(self, line: str) -> None:
        """Something happened, or was seen to be true."""

    def pulse(self, status: Status, balance: Balance) -> None:
        """How things stand at this moment."""

    def end(self, balance: Balance, good: bool) -> None:
        """The story is over; the books."""


class Lines:
    """One line for each thing told."""

    def scene(self, title: str) -> None:
        """As a heading."""
        print(f"\n== {title}", flush=True)

    def tell(self, line: str) -> None:
        """As it is."""
        print(f"   {line}", flush=True)

    def pulse(self, status: Status, balance: Balance) -> None:
        """Lines do not move."""

    def end(self, balance: Balance, good: bool) -> None:
        """The books, and the verdict."""
        print("\n== Ledger")
        for name, value in books(balance):
            print(f"   {name:<42}{value:>8}")
        print(f"\n{verdict(good)}", flush=True)


class Screen:
    """A picture of the house that is drawn anew all the time, and the story below it."""

    def __init__(self, console: Console, invitation: str) -> None:
        self._console = console
        self._invitation = Text(invitation)
        self._story: list[Text] = []
        self._standing: RenderableType = Text()
        self._books: RenderableType = Text()
        self._live = Live(console=console, get_renderable=self._draw, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def scene(self, title: str) -> None:
        """In bold."""
        self._story.append(Text(title, style="bold", no_wrap=True, overflow="ellipsis"))

    def tell(self, line: str) -> None:
        """With a mark."""
        self._story.append(Text.assemble(("  ✓ ", "green"), line, no_wrap=True, overflow="ellipsis"))

    def pulse(self, status: Status, balance: Balance) -> None:
        """Draw how things stand."""
        drawn = Table.grid(padding=(0, 3))
        for domain in status.domains:
            drawn.add_row(domain.domain, "primary", Text(domain.primary.state, style=COLOURS[domain.primary.state]))
        drawn.add_row("accepted", "", f"{messages(balance.messages)}, {balance.copies} copies")
        drawn.add_row("waiting", "", f"{messages(status.queue.messages)}, {size(status.queue.bytes)}")
        drawn.add_row("delivered", "", f"{balance.delivered} of {balance.copies} copies")
        self._standing = Panel(Group(Text(sentence(status)), "", drawn), title="Backup MX", border_style="blue")

    def end(self, balance: Balance, good: bool) -> None:
        """Draw the books."""
        drawn = Table.grid(padding=(0, 3))
        for name, value in books(balance):
            drawn.add_row(name, Text(str(value), justify="right"))
        style = "green" if good else "bold red"
        self._books = Panel(Group(drawn, "", Text(verdict(good), style=style)), title="Ledger", border_style=style)

    def _draw(self) -> RenderableType:
        """The end of the story fills what the rest leaves of the terminal."""
        rest = (self._standing, self._books, self._invitation)
        taken = sum(len(self._console.render_lines(part, pad=False)) for part in rest)
        room = max(LEAST, self._console.height - taken - 1)
        return Group(self._standing, *self._story[-room:], self._books, self._invitation)


def books(balance: Balance) -> Iterator[tuple[str, int]]:
    """The ledger's lines, in words."""
    yield "messages accepted", balance.messages
    yield "copies accepted, one for each recipient", balance.copies
    yield "copies delivered, the same byte for byte", balance.delivered
    yield "lost", balance.lost
    yield "delivered twice", balance.duplicates
    yield "altered, or not ours", balance.foreign


def verdict(good: bool) -> str:
    """The last line."""
    return "Nothing was lost, nothing was altered." if good else "This is not as it should be."
