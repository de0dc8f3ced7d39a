"""A corner of the DNS of its own: nsd has the zones, ldns signs them, unbound resolves and validates, all on loopback ports."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from backupmx.config import Endpoint
from tests.serve.instance import eventually, free_port

HEAD = """\
$ORIGIN {zone}.
$TTL 300
@ IN SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 300
@ IN NS ns.{zone}.
ns IN A 127.0.0.1
"""
NSD = """\
server:
  ip-address: 127.0.0.1@{port}
  zonesdir: "{place}"
  zonelistfile: "{place}/zone.list"
  xfrdfile: "{place}/xfrd.state"
  xfrdir: "{place}"
  pidfile: "{place}/nsd.pid"
  logfile: "{place}/nsd.log"
  database: ""
  username: ""
  chroot: ""
remote-control:
  control-enable: no
"""
UNBOUND = """\
server:
  interface: 127.0.0.1
  port: {port}
  do-ip6: no
  do-not-query-localhost: no
  access-control: 127.0.0.0/8 allow
  directory: "{place}"
  pidfile: "{place}/unbound.pid"
  logfile: "{place}/unbound.log"
  use-syslog: no
  username: ""
  chroot: ""
  module-config: "validator iterator"
  local-zone: "test." nodefault
  local-zone: "localhost." nodefault
"""


@dataclass(frozen=True, slots=True)
class Zone:
    """Records without what every zone has, and how it is signed."""

    name: str
    records: str
    signed: bool = True
    forged: tuple[tuple[str, str], ...] = ()
    """Replaced after signing: what was said, what is said instead."""
    expired: bool = False


@contextmanager
def laboratory(*zones: Zone) -> Iterator[Endpoint]:
    """The validating resolver for these zones."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        for zone in zones:
            _write(zone, place)
        authority, resolver = free_port(), free_port()
        of_zones = (f'zone:\n  name: {zone.name}\n  zonefile: "{zone.name}.zone"\n' for zone in zones)
        (place / "nsd.conf").write_text(NSD.format(port=authority, place=place) + "".join(of_zones))
        anchors = (f'  trust-anchor-file: "{place}/{zone.name}.key"\n' for zone in zones if zone.signed)
        stubs = (f"stub-zone:\n  name: {zone.name}\n  stub-addr: 127.0.0.1@{authority}\n" for zone in zones)
        conf = UNBOUND.format(port=resolver, place=place) + "".join(anchors) + "".join(stubs)
        (place / "unbound.conf").write_text(conf)
        servers = [
            subprocess.Popen(["/usr/sbin/nsd", "-d", "-c", place / "nsd.conf"], stderr=subprocess.DEVNULL),
            subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", place / "unbound.conf"], stderr=subprocess.DEVNULL),
        ]
        try:
            for port in (authority, resolver):
                eventually(lambda port=port: _answers(zones[0].name, port), "nsd and unbound answer")
            yield Endpoint("127.0.0.1", resolver)
        finally:
            for server in servers:
                server.terminate()
            for server in servers:
                server.wait(10)


def _write(zone: Zone, place: Path) -> None:
    file = place / f"{zone.name}.zone"
    file.write_text(HEAD.format(zone=zone.name) + zone.records + "\n")
    if not zone.signed:
        return
    key = subprocess.run(
        ["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone.name], cwd=place, check=True, capture_output=True, text=True
    ).stdout.strip()
    times = ["-i", "20200101000000", "-e", "20200201000000"] if zone.expired else []
    subprocess.run(["ldns-signzone", *times, "-f", file, file, key], cwd=place, check=True)
    (place / f"{key}.key").rename(place / f"{zone.name}.key")
    text = file.read_text()
    for said, forged in zone.forged:
        text, times_ = re.subn(rf"(?m)^({said})$", forged, text)
        assert times_ == 1, (said, text)
    file.write_text(text)


def _answers(name: str, port: int) -> bool:
    try:
        answer = dns.query.udp(dns.message.make_query(name, "SOA"), "127.0.0.1", timeout=0.5, port=port)
    except (OSError, dns.exception.DNSException):
        return False
    return bool(answer.answer)
