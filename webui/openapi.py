"""The HTTP API in OpenAPI 3.1: what each door takes, and what it answers; a token's scope is what OpenAPI calls a role.

Knows: the forms of questions (from the types that read them) and of answers.
Does not know: who may ask, how anything is answered.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from backupmx import __version__
from backupmx.control.accounts import Scope
from backupmx.core.books import Line
from webui import acting, api, recipients

Schema = dict[str, Any]
REF = "#/components/schemas/{name}"
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
JSON = "application/json"
BODIES = (acting.OnIds, acting.OnFilter)


def _maybe(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _array(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _whole(**properties: Schema) -> Schema:
    """An object that has all of these, and nothing else."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _some(**properties: Schema) -> Schema:
    """An object that always has the first of these, and others by what it tells."""
    return {"type": "object", "properties": properties, "required": [next(iter(properties))], "additionalProperties": False}


PRIMARY = _whole(state={"enum": ["up", "down", "unknown"]}, since=_maybe(MOMENT), last_error=_maybe(TEXT))
DOMAIN = _whole(
    domain=TEXT,
    primary=PRIMARY,
    messages=NUMBER,
    bytes=NUMBER,
    oldest=_maybe(MOMENT),
    next_attempt=_maybe(MOMENT),
    holding_window_s=NUMBER,
)
STATUS = _whole(
    version=TEXT,
    hostname=TEXT,
    time=MOMENT,
    queue=_whole(messages=NUMBER, bytes=NUMBER, oldest=_maybe(MOMENT), held=NUMBER, quarantined=NUMBER),
    domains=_array(DOMAIN),
)
MESSAGE = _whole(
    queue_name=TEXT,
    queue_id=TEXT,
    arrival_time={**NUMBER, "description": "Seconds since 1970, as postqueue(1) has it."},
    message_size=NUMBER,
    sender=TEXT,
    recipients=_array(_whole(address=TEXT, delay_reason=TEXT)),
    state={"enum": ["waiting", "leased", "held", "quarantined", "damaged"]},
    attempts=NUMBER,
    next_attempt=_maybe(MOMENT),
    expires=_maybe(MOMENT),
    last_reply=_maybe(TEXT),
    tls=_maybe(TEXT),
    subject=TEXT,
)
FARED = _whole(address=TEXT, outcome=TEXT, reply=_maybe(TEXT), host=_maybe(TEXT), tls=_maybe(TEXT), time=_maybe(MOMENT))
EVENT = {"type": "object", "properties": {"time": MOMENT, "event": TEXT}, "required": ["time", "event"]}
LIFE = _whole(
    queue_id=TEXT,
    arrival_time=NUMBER,
    message_size=NUMBER,
    sender=TEXT,
    recipients=_array(FARED),
    state=TEXT,
    ended=_maybe(MOMENT),
    client=_whole(address=TEXT, name=TEXT, tls=_maybe(TEXT)),
    events=_array(EVENT),
    events_left_out=NUMBER,
)
MONTH = _whole(
    month=TEXT,
    domain={**_maybe(TEXT), "description": "null: all together."},
    outages=NUMBER,
    away_s=NUMBER,
    kept=NUMBER,
    lost=NUMBER,
    longest_wait_s=NUMBER,
    books=_whole(**dict.fromkeys(Line.__struct_fields__, NUMBER)),
)
RECIPIENT = _whole(address=TEXT, word={"enum": ["known", "gone", None]}, said=TEXT, since_s={**_maybe(NUMBER)}, listed=YES_NO)
LISTED = _whole(entries=NUMBER, waiting=YES_NO, lost=NUMBER, problems=_array(TEXT))
TROUBLE = _some(error=TEXT, problems=_array(TEXT))


def document() -> bytes:
    """All of it, as JSON."""
    _, structs = msgspec.json.schema_components((*BODIES, acting.Did), ref_template=REF)
    named = {
        "Status": STATUS,
        "Message": MESSAGE,
        "Life": LIFE,
        "Month": MONTH,
        "Recipient": RECIPIENT,
        "ListTaken": LISTED,
        "Error": TROUBLE,
    }
    told = {
        "openapi": "3.1.0",
        "info": {
            "title": "Backup MX",
            "version": __version__,
            "description": "What a secondary MX holds, and what may be done with it. Times are RFC 3339 in UTC.",
        },
        "paths": _paths(),
        "components": {
            "schemas": {**structs, **named},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "From `backupmx token create NAME --scope SCOPE`."}
            },
        },
    }
    return msgspec.json.encode(told)


def _paths() -> Schema:
    domain: Schema = {"name": "domain", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    id: Schema = {"name": "id", "in": "path", "required": True, "schema": _inline(api.ID)}
    nobody = "There is no such domain, or no such message."
    list_body = {"required": True, "content": {"text/plain": {"schema": TEXT}}, "description": "A list in any of its forms."}
    return {
        "/healthz": {"get": {**_reads("Whether the server answers", _whole(status=TEXT)), "security": []}},
        "/metrics": {"get": _answers("Prometheus' exposition", {"200": ("text/plain", TEXT)}, Scope.READ)},
        "/api/v1/status": {"get": _reads("The status document", _ref("Status"))},
        "/api/v1/queue": {
            "get": _reads("Messages, newest first", _array(_ref("Message")), parameters=_query(api.Parameters)),
            "post": {
                **_answers(
                    "Retry, hold, release, bounce or delete messages", {"200": (JSON, _ref("Did"))}, Scope.ACT, "400", "404"
                ),
                "requestBody": {
                    "required": True,
                    "content": {JSON: {"schema": {"oneOf": [_ref(body.__name__) for body in BODIES]}}},
                },
            },
        },
        "/api/v1/queue/{id}": {"get": _reads("One message", _ref("Message"), "404", parameters=[id])},
        "/api/v1/track": {"get": _reads("What became of messages", _array(_ref("Life")), parameters=_query(api.TrackParameters))},
        "/api/v1/report": {
            "get": _reads("How a month went", _array(_ref("Month")), "404", parameters=_query(api.MonthParameters))
        },
        "/api/v1/openapi.json": {"get": _reads("This document", {"type": "object"})},
        "/api/v1/domains/{domain}/resume": {
            "post": _answers(
                "Believe a primary again", {"200": (JSON, _whole(resumed=YES_NO))}, Scope.ACT, "404", parameters=[domain]
            )
        },
        "/api/v1/domains/{domain}/recipients": {
            "get": _reads(
                "What is known of a domain's recipients",
                _array(_ref("Recipient")),
                "404",
                parameters=[domain, *_query(recipients.Parameters)],
            ),
            "put": {
                **_answers(
                    f"Put a list of recipients in place. {nobody}",
                    {"200": (JSON, _ref("ListTaken")), "202": (JSON, _ref("ListTaken"))},
                    Scope.RECIPIENTS,
                    *("400", "404", "413"),
                    parameters=[domain],
                ),
                "requestBody": list_body,
            },
        },
    }


def _reads(summary: str, schema: Schema, *more: str, parameters: list[Schema] | None = None) -> Schema:
    troubles = ("400", *more) if parameters and any(each["in"] == "query" for each in parameters) else more
    return _answers(summary, {"200": (JSON, schema)}, Scope.READ, *troubles, parameters=parameters)


def _answers(
    summary: str,
    good: Mapping[str, tuple[str, Schema]],
    scope: Scope,
    *troubles: str,
    parameters: list[Schema] | None = None,
) -> Schema:
    """One operation; whatever it is, the token may be missing or of another scope, and the server may be away."""
    told = {status: {"description": "Done.", "content": {kind: {"schema": schema}}} for status, (kind, schema) in good.items()}
    for status in sorted({*troubles, "401", "403", "503"}):
        told[status] = {"description": _WHY[status], "content": {JSON: {"schema": _ref("Error")}}}
    found: Schema = {"summary": summary, "security": [{"token": [each]} for each in _OPENS[scope]], "responses": told}
    return {**found, "parameters": parameters} if parameters else found


_OPENS = {Scope.READ: (Scope.READ, Scope.ACT), Scope.ACT: (Scope.ACT,), Scope.RECIPIENTS: (Scope.RECIPIENTS,)}
_WHY = {
    "400": "The question makes no sense.",
    "401": "A token is needed.",
    "403": "This token is not for that.",
    "404": "There is no such thing.",
    "413": "That is too much.",
    "503": "The server is not running or cannot be asked.",
}


def _query(kind: type[msgspec.Struct]) -> list[Schema]:
    """A struct's fields as parameters in the address."""
    _, components = msgspec.json.schema_components((kind,), ref_template=REF)
    fields: Mapping[str, Schema] = components[kind.__name__]["properties"]
    needed = components[kind.__name__].get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": _said(schema, components)}
        for name, schema in fields.items()
    ]


def _said(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    """Without references, and without what the default is called here."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    return {key: value for key, value in schema.items() if key not in ("default", "title")}


def _inline(kind: Any) -> Schema:
    found: Schema = msgspec.json.schema(kind)
    return found


def _ref(name: str) -> Schema:
    return {"$ref": REF.format(name=name)}
