"""A real slapd on loopback ports, with the people of three small firms in it."""

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.serve.instance import eventually, free_port

PEOPLE = 600
"""More than a page, and more than a server gives unless it is told to."""

PASSWORD = "s3cret"
OPEN, CLOSED, LIMITED = "dc=open,dc=test", "dc=closed,dc=test", "dc=limited,dc=test"
READER = f"cn=reader,{CLOSED}"

CONFIGURATION = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.3.6.1.4.1.32473.1.1 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.3.6.1.4.1.32473.1.2 NAME 'mailUser' SUP top AUXILIARY MAY proxyAddresses )
pidfile {place}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile {place}/cert.pem
TLSCertificateKeyFile {place}/key.pem
sizelimit unlimited
"""
DATABASE = """\
database mdb
suffix "{suffix}"
rootdn "cn=root,{suffix}"
directory {place}/{suffix}
access to attrs=userPassword by anonymous auth
"""
ACCESS = {
    OPEN: "access to * by * read\n",
    CLOSED: f'access to * by dn.base="{READER}" read by anonymous auth\n',
    LIMITED: "access to * by * read\nsizelimit 550\n",
}


@dataclass(frozen=True, slots=True)
class Slapd:
    """Where it answers."""

    port: int
    tls_port: int
    ca_file: Path
    stranger: Path
    """Another authority, which has signed nothing here."""

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"


def people(suffix: str) -> Iterator[str]:
    """The entries of one directory, in LDIF."""
    yield f"dn: {suffix}\nobjectClass: organization\nobjectClass: dcObject\no: firm\ndc: {suffix[3:].partition(',')[0]}\n"
    yield (
        f"dn: cn=reader,{suffix}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        f"userPassword: {PASSWORD}\n"
    )
    for number in range(PEOPLE):
        yield (
            f"dn: uid=u{number},{suffix}\nobjectClass: inetOrgPerson\nobjectClass: mailUser\nuid: u{number}\ncn: u{number}\n"
            f"sn: u\nmail: user{number}@example.com\nmail: user{number}@other.test\n"
            + (f"proxyAddresses: SMTP:user{number}@example.com\nproxyAddresses: smtp:alias{number}@Example.com\n" * (number < 5))
            + ("proxyAddresses: x500:/o=Org/cn=x@example.com\nproxyAddresses: sip:u@example.com\n" * (number == 1))
        )
    yield f"dn: uid=printer,{suffix}\nobjectClass: inetOrgPerson\nuid: printer\ncn: printer\nsn: p\n"


@contextmanager
def slapd() -> Iterator[Slapd]:
    """Run it as long as it is needed."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        authority.cert_pem.write_to_path(place / "ca.pem")
        trustme.CA().cert_pem.write_to_path(place / "stranger.pem")
        issued.private_key_pem.write_to_path(place / "key.pem")
        for blob in issued.cert_chain_pems:
            blob.write_to_path(place / "cert.pem", append=True)
        configuration = place / "slapd.conf"
        written = CONFIGURATION.format(place=place)
        for suffix, access in ACCESS.items():
            (place / suffix).mkdir()
            written += DATABASE.format(place=place, suffix=suffix) + access
        configuration.write_text(written)
        for suffix in ACCESS:
            ldif = "\n".join(people(suffix))
            subprocess.run(["/usr/sbin/slapadd", "-q", "-f", configuration, "-b", suffix], input=ldif, text=True, check=True)
        found = Slapd(free_port(), free_port(), place / "ca.pem", place / "stranger.pem")
        urls = f"ldap://127.0.0.1:{found.port} ldaps://127.0.0.1:{found.tls_port}"
        log = (place / "log").open("wb")
        with log, subprocess.Popen(["/usr/sbin/slapd", "-d", "0", "-f", configuration, "-h", urls], stderr=log) as process:
            try:
                eventually(lambda: process.poll() is not None or answers(found.port), "slapd answers")
                assert process.poll() is None, (place / "log").read_text()
                yield found
            finally:
                process.terminate()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
