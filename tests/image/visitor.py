"""Somebody with a browser who sets the machine up: follows the forms as they stand on the page."""

import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http import HTTPStatus

PATIENCE_S = 120.0


class Form(HTMLParser):
    """The first form of a page that goes to a certain place, with what its fields hold."""

    def __init__(self, page: str, action: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.found = False
        self._wanted = action
        self._inside = False
        self.feed(page)
        assert self.found, f"no form that goes to {action}:\n{page}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "form" and not self.found and (has.get("action") or "") == self._wanted:
            self._inside = self.found = True
        if tag == "input" and self._inside and has.get("name"):
            self.fields[has["name"] or ""] = has.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Visitor:
    """A browser without its window."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))

    def get(self, path: str) -> str:
        """The page, after all redirections."""
        with self._opener.open(self._base + path, timeout=PATIENCE_S) as answer:
            return str(answer.read().decode())

    def where(self, path: str) -> str:
        """Where it leads to."""
        with self._opener.open(self._base + path, timeout=PATIENCE_S) as answer:
            return urllib.parse.urlsplit(answer.url).path

    def send(self, page: str, action: str, **typed: str) -> str:
        """The page that comes after a form of this page was filled in and sent."""
        form = Form(page, action)
        unknown = typed.keys() - form.fields.keys()
        assert not unknown, f"the form has no {unknown}: {form.fields}"
        data = urllib.parse.urlencode(form.fields | typed).encode()
        try:
            with self._opener.open(self._base + action, data, timeout=PATIENCE_S) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.SERVICE_UNAVAILABLE:
                raise  # the server is not there yet: who waits for it tries again
            raise AssertionError(f"{action}: {error.code}\n{error.read().decode()}") from error


def claim(port: int, code: str, domain: str, primary: str, password: str) -> None:
    """All steps of the set-up."""
    visitor = Visitor(port)
    page = visitor.send(visitor.get("/"), "/setup", code=code)
    answers = {"domain": domain, "primary": primary, "hostname": "mx2.example.net", "name": "admin"}
    visitor.send(page, "/setup/answers", **answers, password=password, again=password)
    # what is found of DNS takes its time, and does not matter here
    visitor.send(visitor.get("/setup/check"), "/setup/claim")


def can_log_in(port: int, password: str) -> bool:
    """Does the page know its admin?"""
    visitor = Visitor(port)
    page = visitor.send(visitor.get("/login"), "/login", name="admin", password=password)
    return 'action="/login"' not in page
