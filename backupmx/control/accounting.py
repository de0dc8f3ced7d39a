"""What may be asked and done about users of the page and tokens of the API.

Knows: the accounts file's door; who did what to them, for the log.
Does not know: who may ask, sessions, sockets.

Whoever changes something says who it is: the page lets in, and asks, only whom it may.
"""

import asyncio

from msgspec.structs import replace

from backupmx.control import second
from backupmx.control.accounts import TAKEN, UNKNOWN, Accounts, User
from backupmx.control.answers import Account, AccountsAnswer, AnyAnswer, Done, Key, Label, Made, Person, Refused
from backupmx.control.requests import (
    AccountChange,
    AccountRequest,
    AddUser,
    CheckToken,
    CreateToken,
    DropSecond,
    GetAccount,
    GetAccounts,
    RemoveUser,
    RevokeToken,
    SetPassword,
    SetRole,
    SetSecond,
    SpendCode,
)
from backupmx.ports import Clock
from backupmx.watch import log

HASH_BEGINS = "$argon2id$"
UNPROVEN = "that is not the code of an app that has this secret"


class AccountsDesk:
    """An admin's view of the accounts, and what the page's login asks.

    The file is written in a thread: a slow card holds up no mail.
    """

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    async def answer(self, request: AccountRequest) -> AnyAnswer:
        """Each question has one answer."""
        match request:
            case GetAccount():
                return self._account(request.name)
            case CheckToken():
                token = self._accounts.check_token(request.token)
                return Key(token.name, token.scope) if token else Refused(("no such token",))
            case SpendCode():
                return await self._spend(request)
            case GetAccounts():
                return self._all()
            case _:
                return await self._change(request)

    def _account(self, name: str) -> AnyAnswer:
        user = self._accounts.find(name)
        if user is None:
            return Refused(("no such user",))
        return Account(user.name, user.role, user.password_hash, user.second is not None)

    async def _spend(self, request: SpendCode) -> AnyAnswer:
        if await asyncio.to_thread(self._accounts.spend_code, request.name, request.code, self._clock()):
            return Done()
        log.code_refused(request.name)
        return Refused(("that code does not count",))

    def _all(self) -> AnyAnswer:
        tokens = self._accounts.tokens()
        return AccountsAnswer(
            tuple(_person(user) for user in self._accounts.users()),
            tuple(Label(token.name, token.scope, token.created) for token in tokens),
        )

    async def _change(self, request: AccountChange) -> AnyAnswer:
        if not request.by:
            return Refused(("who asks is not said",))
        if isinstance(request, AddUser | SetPassword) and not request.password_hash.startswith(HASH_BEGINS):
            return Refused(("that is no hash of a password",))
        try:
            answer = await asyncio.to_thread(self._changed, request)
        except ValueError as error:
            return Refused((str(error),))
        if not isinstance(answer, Refused):
            log.account_changed(str(request.__struct_config__.tag), request.by, request.name, _what(request))
        return answer

    def _changed(self, request: AccountChange) -> AnyAnswer:
        accounts = self._accounts
        match request:
            case AddUser():
                problem = accounts.add_user(request.name, request.role, request.password_hash)
            case SetRole(role=role):
                problem = accounts.change_user(request.name, lambda user: replace(user, role=role))
            case SetPassword(password_hash=hash):
                problem = accounts.change_user(request.name, lambda user: replace(user, password_hash=hash))
            case RemoveUser():
                problem = accounts.change_user(request.name, lambda _: None)
            case DropSecond():
                problem = accounts.change_user(request.name, lambda user: replace(user, second=None))
            case RevokeToken():
                problem = "" if accounts.revoke_token(request.name) else UNKNOWN
            case SetSecond():
                return self._begin(request)
            case CreateToken():
                token = accounts.create_token(request.name, self._clock(), request.scope)
                return Made((token,)) if token else Refused((TAKEN,))
        return Refused((problem,)) if problem else Done()

    def _begin(self, request: SetSecond) -> AnyAnswer:
        begun = second.begin(request.secret, request.code, self._clock())
        if begun is None:
            return Refused((UNPROVEN,))
        new, codes = begun
        problem = self._accounts.change_user(request.name, lambda user: replace(user, second=new))
        return Refused((problem,)) if problem else Made(codes)


def _person(user: User) -> Person:
    factor = user.second
    return Person(user.name, user.role, factor.since if factor else None, len(factor.recovery) if factor else 0)


def _what(request: AccountChange) -> str:
    if isinstance(request, AddUser | SetRole):
        return request.role
    return request.scope if isinstance(request, CreateToken) else ""
