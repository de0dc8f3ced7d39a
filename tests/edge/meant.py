"""What a client's octets mean, in the simplest words: the model that the edge is measured by. It knows nothing of the edge."""

import re

BDAT = re.compile(rb"(?i)BDAT +([0-9]{1,15})( +LAST)? *\r\n")
DATA = re.compile(rb"(?i)DATA *\r\n")


def mended(content: bytes) -> bytes:
    """I6: a bare LF is a line end, a bare CR and a NUL are spaces."""
    return b"\r\n".join(line.replace(b"\r", b" ").replace(b"\0", b" ") for line in re.split(rb"\r\n|\n", content))


def data(octets: bytes) -> tuple[bytes, bytes] | None:
    """What follows DATA → its content, and the octets behind it; None without an end, or when others may see it elsewhere."""
    end = (b"\r\n" + octets).find(b"\r\n.\r\n")
    if end < 0:
        return None
    wire, rest = octets[:end], octets[end + 3 :]
    if b"." in re.split(rb"[\r\n]", wire)[:-1]:
        return None
    lines = re.split(rb"\r\n|\n", wire)
    return mended(b"\r\n".join(line.removeprefix(b".") for line in lines)), rest


def kept(content: bytes) -> bytes:
    """I7: what would go on with the field that is put in front begins behind an empty line."""
    return b"\r\n" + content if content.startswith((b" ", b"\t")) else content


def comes_of(content: bytes, octets: bytes) -> bool:
    """Whether some DATA, or some chunks one after another, of what a client sent mean this content, as it is kept."""
    if content.startswith((b"\r\n ", b"\r\n\t")) and comes_of_itself(content[2:], octets):
        return True
    return comes_of_itself(content, octets)


def comes_of_itself(content: bytes, octets: bytes) -> bool:
    """The same, but for the empty line."""
    return any((data(octets[match.end() :]) or (None,))[0] == content for match in DATA.finditer(octets)) or _of_chunks(
        content, octets
    )


def _of_chunks(content: bytes, octets: bytes) -> bool:
    seen = set()
    waiting = [(0, b"")]
    while waiting:
        start, before = waiting.pop()
        for match in BDAT.finditer(octets, start):
            end = match.end() + int(match[1])
            chunk = before + octets[match.end() : end]
            if end > len(octets) or (end, chunk) in seen:
                continue
            seen.add((end, chunk))
            if match[2] and mended(chunk) == content:
                return True
            if len(chunk) <= len(content) + chunk.count(b"\n") + 1:
                waiting.append((end, chunk))
    return False
