"""What a browser would take from an answer."""

from html.parser import HTMLParser

from werkzeug.test import TestResponse


class Elements(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.text += " " if tag == "dd" else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def words_of(response: TestResponse) -> str:
    """The text that a person reads, with single spaces."""
    return " ".join(Elements(response.text).text.split())


def token_in(response: TestResponse) -> str:
    """The token against forged requests in a form."""
    fields = Elements(response.text).all("input")
    return next(field["value"] or "" for field in fields if field.get("name") == "csrf_token")
