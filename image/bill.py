"""What is in an image, for who has to know: python bill.py ROOT NAME, after which NAME.manifest and NAME.cdx.json are there.

Knows: dpkg's list of packages, the Python packages in ours.
Does not know: how the image is made.
"""

import datetime
import email
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

MODULES = "opt/backupmx/lib/modules"
"""Where our package has what it brings along of Python."""
Document = dict[str, Any]


def manifest(root: Path) -> str:
    """Package, version and architecture, one a line."""
    wanted = "--showformat=${Package}\t${Version}\t${Architecture}\n"
    asked = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", wanted]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout  # noqa: S603 - our own words


def debian(root: Path, name: str) -> Document:
    """All packages as a CycloneDX document, the same each time."""
    time = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC).isoformat()
    command = [
        str(Path(sys.executable).with_name("debsbom")),
        "generate",
        "--root",
        str(root),
        "--sbom-type",
        "cdx",
        "--out",
        "-",
    ]
    command += ["--timestamp", time, "--cdx-serialnumber", str(uuid.uuid5(uuid.NAMESPACE_URL, f"backupmx:{name}:{time}"))]
    command += ["--distro-name", "Backup MX appliance", "--distro-version", name]
    # on standard error it regrets, package after package, that Debian names no supplier
    done = subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own words
    found: Document = json.loads(done.stdout)
    return found


def python(root: Path) -> list[Document]:
    """The Python packages that ours brings along."""
    components = []
    for path in sorted((root / MODULES).glob("*.dist-info/METADATA"), key=lambda path: path.parent.name.lower()):
        said = email.message_from_bytes(path.read_bytes())
        name, version = said["Name"].lower().replace("_", "-"), said["Version"]
        component = {"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}"}
        component["bom-ref"] = component["purl"]
        if said["License-Expression"]:
            components.append({**component, "licenses": [{"expression": said["License-Expression"]}]})
        else:
            components.append(component)
    return components


def bill(root: Path, name: str) -> Document:
    """Both in one document: ours depends on what it brings along."""
    document, brought = debian(root, name), python(root)
    ours = next(
        each["bom-ref"] for each in document["components"] if each["name"] == "backupmx" and "arch=source" not in each["purl"]
    )
    document["components"] += brought
    known = document.setdefault("dependencies", [])
    entry = next((each for each in known if each["ref"] == ours), None)
    if entry is None:
        known.append(entry := {"ref": ours})
    entry["dependsOn"] = sorted({*entry.get("dependsOn", ()), *(each["bom-ref"] for each in brought)})
    return document


def main() -> None:
    """Write both beside each other."""
    root, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.with_name(f"{target.name}.manifest").write_text(manifest(root))
    text = json.dumps(bill(root, target.name), indent=1, sort_keys=True, ensure_ascii=False)
    target.with_name(f"{target.name}.cdx.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
