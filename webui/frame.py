"""What every page has around its content: the layout, its own address, whether only the part that changes is wanted.

Knows: the requests of a page that refreshes itself.
Does not know: what the pages show.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import redirect, request, url_for
from werkzeug.wrappers import Response


def partial() -> bool:
    """Whether only the part that changes is wanted, by the page that is open already.

    Such an answer is 200 also where the page would not be: what is not comes from a proxy, and is kept out of the page.
    """
    return "HX-Request" in request.headers


def frame() -> dict[str, str]:
    """For a page that refreshes itself."""
    if request.blueprint != "pages" or not request.endpoint or request.method != "GET":
        return still()
    here = address(url_for(request.endpoint, **(request.view_args or {})), request.args.to_dict())
    return {"layout": "partial.html" if partial() else "live.html", "here": here}


def address(path: str, args: Mapping[str, str]) -> str:
    """One of our own, whatever the names of its parts are: those of `url_for` mean more than they say."""
    return f"{path}?{urlencode(args)}" if args else path


def tidied() -> Response | None:
    """Where a form filled in the address, without the fields that were left empty; None when there are none."""
    args = request.args.to_dict()
    if all(args.values()):
        return None
    return redirect(address(url_for(request.endpoint or ""), {name: value for name, value in args.items() if value}))


def still() -> dict[str, str]:
    """For a page that stays as it is."""
    return {"layout": "base.html"}
