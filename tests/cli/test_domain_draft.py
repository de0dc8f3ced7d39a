"""However a configuration file is written: what is meant changes, and nothing else."""

import tomllib

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from backupmx.core import notation
from backupmx.draft import Draft
from backupmx.errors import ConfigurationUnchanged

ODD = {
    "inline": (
        'domain = {"one.example" = {primary = ["a"], holding_window = "3d"}, "two.example" = {}}  # all\n',
        'domain = {"one.example" = {primary = ["b"], tls = "required"}, "two.example" = {}}  # all\n',
    ),
    "dotted at the top": (
        'domain."one.example".primary = ["a"]  # here\ndomain."one.example".holding_window = "3d"\n\n[web]\n',
        'domain."one.example".primary = ["b"]  # here\ndomain."one.example".tls = "required"\n\n[web]\n',
    ),
    "dotted in the table": (
        '[domain]\n# them\n"one.example".primary = ["a"]\n"two.example" = {}\n"one.example".holding_window = "3d"\n[web]\n',
        '[domain]\n# them\n"one.example".primary = ["b"]\n"one.example".tls = "required"\n"two.example" = {}\n[web]\n',
    ),
    "lines that look like others": (
        '[domain."one.example"]\nrecipient_list = """\n[domain.two]\n# no comment"""\nprimary = [ # of\n  "a",\n]\n# end\n',
        '[domain."one.example"]\nrecipient_list = """\n[domain.two]\n# no comment"""\nprimary = ["b"]\ntls = "required"\n# end\n',
    ),
    "carriage returns": (
        '# \u2028[x]\r\n[domain."one.example"]\r\nprimary = ["a"]\r\nholding_window = "3d"\r\n\r\n# web\r\n[web]\r\n',
        '# \u2028[x]\r\n[domain."one.example"]\r\nprimary = ["b"]\r\ntls = "required"\n\r\n# web\r\n[web]\r\n',
    ),
    "no header of its own": (
        '[web]\n[domain."one.example".ldap] # who\nurl = "ldap://x"',
        '[web]\n[domain."one.example"]\nprimary = ["b"]\ntls = "required"\n\n[domain."one.example".ldap] # who\nurl = "ldap://x"',
    ),
    "comments on what follows": (
        '[domain."one.example"]\nprimary = ["a"]\nholding_window = "3d"\n\n# who\n[domain."one.example".ldap]\n# page\n[web]\n',
        '[domain."one.example"]\nprimary = ["b"]\ntls = "required"\n\n# who\n[domain."one.example".ldap]\n# page\n[web]\n',
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_ways_to_write_a_file_are_kept(name: str) -> None:
    """Where TOML allows several, each stays as it is."""
    before, after = ODD[name]
    draft = Draft(before)
    if "primary" in before:
        draft.put("one.example", ("primary",), ["a"])
        assert draft.text == before
    draft.drop("one.example", ("holding_window",))
    draft.put("one.example", ("primary",), ["b"])
    draft.put("one.example", ("tls",), "required")
    assert draft.text == after
    draft.drop("one.example")
    assert "one.example" not in draft.text


UNKEPT = {
    "not understood": "[domain]\n[domain.one.ldap.a]\n[domain.one.ldap]\n[web]\n[domain.one.ldap.b]\n",
    "put in another order": '[[a]]\nb.c = "x"\n[web]\n[a.b.d]\n[domain.one]\n',
}


@pytest.mark.parametrize("name", UNKEPT)
def test_a_file_that_would_not_stay_as_it_is_is_refused(name: str) -> None:
    """TOML allows it, tomlkit does not keep it."""
    with pytest.raises(ConfigurationUnchanged):
        Draft(UNKEPT[name])


COMMENT = st.sampled_from(["", "\n", "# note {0}\n", "\n# note {0}\n", "# note {0}\n\n", "\n# note {0}\n\n# note {0}b\n"])
TABLES = ["web", "control", "smtp", 'domain."a.example"', 'domain."b.example"', 'domain."b.example".ldap', 'domain."ü.example"']


@st.composite
def files(draw: st.DrawFn) -> str:
    """Sections in any order, with comments anywhere."""
    text = ""
    for number, table in enumerate(draw(st.permutations(TABLES))[: draw(st.integers(1, len(TABLES)))]):
        text += draw(COMMENT).format(number) + f"[{table}]" + draw(st.sampled_from(["\n", "  # head\n"]))
        for key in draw(st.lists(st.sampled_from("pqr"), unique=True)):
            text += draw(COMMENT).format(f"{number}{key}") + f'{key} = ["x", "[y]"]\n'
    return text + draw(st.sampled_from(["", "# the end", "\n\n"]))


def comments(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("#")]


@settings(max_examples=100, deadline=None)
@given(files(), st.sampled_from(["a.example", "b.example", "xn--tda.example"]), st.sampled_from([("p",), ("s",), ("ldap", "p")]))
def test_whatever_the_file_is_only_what_is_meant_changes(text: str, domain: str, key: tuple[str, ...]) -> None:
    """Or it is refused; a domain that was added and goes again leaves nothing behind."""
    draft = Draft(text)
    if not draft.has(domain):
        draft.add(domain)
        added = draft.text
        draft.drop(domain)
        assert draft.text.split() == text.split()
        draft = Draft(added)
    draft.put(domain, key, "new")
    put = draft.text
    there = next(table for name, table in tomllib.loads(put)["domain"].items() if notation.domain(name) == domain)
    assert (there[key[0]] if len(key) == 1 else there[key[0]][key[1]]) == "new"
    lines = iter(put.splitlines())
    for line in text.splitlines():
        assert not line or line.startswith(f"{key[-1]} = ") or line in lines  # in their order
    draft.drop(domain, key)
    try:
        dropped = draft.text
    except ConfigurationUnchanged:
        reject()
    if dropped.count("[domain.") == put.count("[domain."):  # with a header goes what touches it
        assert [line for line in dropped.splitlines() if line[:1] == "#"] == [
            line for line in put.splitlines() if line[:1] == "#"
        ]
    draft.drop(domain)
    assert not draft.has(domain)
    tomllib.loads(draft.text)
