"""What a browser would take from an answer."""

from html.parser import HTMLParser

from werkzeug.datastructures import MultiDict
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
        self.text += " " if tag in ("dd", "td", "th", "li", "option", "button") else ""

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


def fields_of(response: TestResponse, form: str = "") -> MultiDict[str, str]:
    """What a form sends that nobody has touched, its button included: the first form of that class, or the first of all."""
    fields: MultiDict[str, str] = MultiDict()
    inside, chosen = False, ""
    for tag, attributes in Elements(response.text).found:
        if tag == "form":
            if inside:
                break
            inside = form in (attributes.get("class") or "").split() if form else True
        elif inside and tag == "select":
            chosen = attributes["name"] or ""
        elif inside and tag == "option" and "selected" in attributes:
            fields.add(chosen, attributes["value"] or "")
        elif inside and attributes.get("name") and (tag == "button" or attributes.get("type") != "checkbox"):
            fields.add(attributes["name"] or "", attributes.get("value") or "")
    return fields
