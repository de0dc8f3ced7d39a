"""A primary that wants a user and a password is told them: within TLS, and never else."""

import base64
from pathlib import Path

import pytest
import trustme

from backupmx.courier.client import Connection, Unreachable
from tests.courier.house import house, put, until
from tests.courier.papers import demanding, dialled, server
from tests.courier.primary import EXTENSIONS, ScriptedPrimary

PLAIN, LOGIN = (*EXTENSIONS, "AUTH PLAIN LOGIN"), (*EXTENSIONS, "AUTH LOGIN")


def password(place: Path, text: str = "s3crét\n") -> Path:
    path = place / "password"
    path.write_text(text)
    return path


def primary(extensions: tuple[str, ...], **more: bool) -> ScriptedPrimary:
    return ScriptedPrimary(extensions, server(trustme.CA().issue_cert("primary.test")), **more)


@pytest.mark.parametrize("implicit", [False, True])
async def test_plain_where_it_is_offered(tmp_path: Path, implicit: bool) -> None:
    """RFC 4616; mail follows."""
    async with primary(PLAIN, implicit=implicit) as wary:
        place = f"{'smtps://' if implicit else ''}127.0.0.1:{wary.port}"
        async with house(demanding([place], primary_user="backup", primary_password_file=password(tmp_path))) as at:
            await put(at.spool)
            at.courier.wake()
            await until(at.empty)
        said = next(line for line in wary.commands if line.startswith("AUTH PLAIN "))
        assert base64.b64decode(said.split()[2]).decode() == "\0backup\0s3crét"
        assert wary.commands.index(said) > (0 if implicit else wary.commands.index("STARTTLS"))


async def test_else_login(tmp_path: Path) -> None:
    """Two questions, two answers."""
    async with primary(LOGIN).on("AUTH", "334 VXNlcm5hbWU6") as wary:
        found = await dialled(
            demanding([f"127.0.0.1:{wary.port}"], primary_user="backup", primary_password_file=password(tmp_path))
        )
        assert isinstance(found, Connection), found
        start = wary.commands.index("AUTH LOGIN")
        words = wary.commands[start + 1 : start + 3]
        assert [base64.b64decode(word).decode() for word in words] == ["backup", "s3crét"]
        await found.quit()


@pytest.mark.parametrize("tls", [False, True])
async def test_never_in_plain_text(tmp_path: Path, tls: bool) -> None:
    """Also where the policy alone would let mail go; neither the password nor mail does."""
    wary = ScriptedPrimary(PLAIN) if not tls else primary(PLAIN).on("STARTTLS", "454 4.7.0 not now")
    async with wary:
        found = await dialled(
            demanding([f"127.0.0.1:{wary.port}"], primary_user="backup", primary_password_file=password(tmp_path))
        )
        assert isinstance(found, Unreachable)
        assert "STARTTLS" in str(found)
        assert not wary.verbs["AUTH"]


@pytest.mark.parametrize(
    ("extensions", "reply", "file", "why"),
    [
        (PLAIN, "535 5.7.8 who?", "password", "refuses our user and password: 535 5.7.8 who?"),
        (EXTENSIONS, "", "password", "offers neither AUTH PLAIN nor AUTH LOGIN"),
        ((*EXTENSIONS, "AUTH CRAM-MD5"), "", "password", "offers neither AUTH PLAIN nor AUTH LOGIN"),
        (PLAIN, "", "absent", "password cannot be read: No such file"),
    ],
)
async def test_who_is_not_let_in_says_why(tmp_path: Path, extensions: tuple[str, ...], reply: str, file: str, why: str) -> None:
    """I9: a deferral; the page tells the admin what is wrong."""
    password(tmp_path)
    wary = primary(extensions)
    if reply:
        wary.on("AUTH", reply)
    async with wary:
        found = await dialled(demanding([f"127.0.0.1:{wary.port}"], primary_user="backup", primary_password_file=tmp_path / file))
        assert isinstance(found, Unreachable)
        assert why in str(found)
        assert not wary.verbs["MAIL"]
