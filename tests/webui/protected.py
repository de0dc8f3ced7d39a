"""What the configuration file says of the domains in `samples`, and what a look at their DNS found."""

from backupmx.core.amendment import Amended, Outline, Setting, Sheet
from backupmx.core.finding import About, InDns
from backupmx.core.roll import Adopted, Lists

OUTLINES = (
    Outline("club.example", (), "any"),
    Outline("example.com", ("mail.example.com:25", "[2001:db8::25]:25"), "callout"),
    Outline("example.org", ("mx.example.org:25",), "list"),
)
LISTS = Lists(last=4, adopted=Adopted(3, 1180), waiting=Adopted(4, 640, 551))
AMENDED = Amended(
    (
        "--- backupmx.toml",
        "+++ backupmx.toml (changed)",
        '[domain."example.com"]',
        '-holding_window = "5d"',
        '+holding_window = "21d"',
    )
)
_MX = tuple(
    f"example.com. IN MX {preference} {host}." for preference, host in ((10, "mail.example.com"), (20, "mx2.example.net"))
)
_LEADS, _PTR = "mx2.example.net. IN A 192.0.2.9", "9.2.0.192.in-addr.arpa. IN PTR mx2.example.net."
_SPF, _OTHER = ('mx2.example.net. IN TXT "v=spf1 a -all"', 'mx2.example.net. IN TXT "v=spf1 ip4:192.0.2.77 -all"')
_STS = 'mx2.example.net. IN TXT "v=STSv1; id=20260401"'
_TLSA = "_25._tcp.mx2.example.net. IN TLSA 3 1 1 0d6fce3b6b0c8a3d3a0a0f5f4f6a4a1d24c6a8a8a2b9ae5e0a3a5c0b7f1e2d3c"
ZONE = (
    About("mx", "example.com").bad(
        "this machine (5) is not behind mail.example.com (10): senders come here also while the primary is up",
        f"Set in DNS: `{_MX[1]}` (instead of 5 mx2.example.net.)",
        InDns(_MX, (_MX[0], "example.com. IN MX 5 mx2.example.net.")),
    ),
    About("addresses", "mx2.example.net").good("leads here: 192.0.2.9", InDns((_LEADS,), (_LEADS,))),
    About("ptr", "192.0.2.9").odd(
        "leads back to no name", f"Have whoever gave you the address set this: `{_PTR}`", InDns((_PTR,))
    ),
    About("spf", "mx2.example.net").bad(
        "the SPF record does not let 192.0.2.9 send in this name", f"Set in DNS: `{_SPF}`", InDns((_SPF,), (_OTHER,))
    ),
    About("tlsa", "mx2.example.net").good("no TLSA record: none is needed", InDns((_TLSA,))),
    About("mta-sts", "example.com").good("the policy admits mx2.example.net", InDns((_STS,), (_STS,))),
    About("primary", "example.com").bad("does not answer", "Is it running? Look there first."),
)
_KEYS = (
    Setting("primary", "mail.example.com:25, [2001:db8::25]:25", ""),
    Setting("tls", None, "opportunistic", ("opportunistic", "required", "verify")),
    Setting("tls_ca_file", None, "", by_hand=True),
    Setting("primary_password_file", "/etc/backupmx/password", "", by_hand=True),
    Setting("holding_window", "5d", "14d"),
    Setting("recipients", None, "callout", ("callout", "list", "any")),
    Setting("recipient_delimiter", '""', "+"),
    Setting("ldap.url", "ldaps://directory.example.com", "", by_hand=True),
)


def sheet(domain: str, hindrance: str = "") -> Sheet:
    """Of a domain in `OUTLINES`, or of one that could be."""
    there = domain in {outline.domain for outline in OUTLINES}
    return Sheet(domain, there, applied=True, settings=_KEYS, digest="0" * 64, hindrance=hindrance)
