"""Configurations as people write them: good ones load complete, bad ones are told whole and at once.

`bad/NAME.toml` must give exactly the lines of `bad/NAME.expect`, where FILE stands for the path.
"""

import pickle
from datetime import timedelta
from pathlib import Path

import pytest

from backupmx import config
from backupmx.config import Endpoint
from backupmx.core.notation import Mailhost
from backupmx.errors import ConfigurationError

HERE = Path(__file__).parent


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "backupmx.toml"
    path.write_text(text)
    return path


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        config.load(path)
    return caught.value.problems


@pytest.mark.parametrize("path", sorted((HERE / "bad").glob("*.toml")), ids=lambda path: path.stem)
def test_a_bad_file_is_told_whole_with_key_value_and_what_is_allowed(path: Path) -> None:
    """Every problem is told at once, one line each, and nothing else is."""
    expected = path.with_suffix(".expect").read_text().replace("FILE", str(path)).splitlines()
    assert list(problems(path)) == expected


@pytest.mark.parametrize("path", sorted((HERE / "good").glob("*.toml")), ids=lambda path: path.stem)
def test_a_good_file_loads_and_travels_to_another_process(path: Path) -> None:
    """Settings are plain: they can be pickled, and they cannot be changed."""
    settings = config.load(path)
    assert pickle.loads(pickle.dumps(settings)) == settings
    with pytest.raises(ValueError, match="frozen"):
        settings.hostname = "other.example.net"


def test_five_lines_are_enough() -> None:
    """Every key but a domain's name has a sound default."""
    settings = config.load(HERE / "good" / "five_lines.toml")
    domain = settings.domains["example.com"]
    assert settings.hostname == "mx2.example.net"
    assert settings.smtp.listen == (Endpoint("0.0.0.0", 25), Endpoint("::", 25))
    assert settings.delivery.retry_max == timedelta(hours=4)
    assert domain.primary == (Mailhost("mail.example.com", 25),)
    assert domain.holding_window == timedelta(days=10)


def test_the_contract_s_own_example_loads(tmp_path: Path) -> None:
    """The file in the design is a valid one, but for certificates that are not there."""
    path = HERE / "good" / "contract.toml"
    settings = config.load(path)
    assert settings.smtp.max_message_size == 50 * 2**20
    assert settings.domains["example.com"].holding_window == timedelta(days=10)


def test_defaults_reach_every_domain_that_does_not_say_otherwise() -> None:
    """`settings.domains[name]` is complete."""
    settings = config.load(HERE / "good" / "defaults.toml")
    windows = {name: domain.holding_window for name, domain in settings.domains.items()}
    assert windows == {"one.example": timedelta(days=3), "two.example": timedelta(hours=36)}
    assert settings.domains["one.example"].recipients == "list"
    assert settings.domains["two.example"].recipients == "any"
    assert settings.domains["two.example"].recipient_list == "/etc/backupmx/two"
    assert settings.domains["one.example"].recipient_list == ""
    assert settings.domains["one.example"].max_messages_per_minute == 600
    assert settings.domains["two.example"].max_messages_per_minute == 0


@pytest.mark.parametrize("spelling", ["münchen.example", "MÜNCHEN.Example.", "xn--mnchen-3ya.example", "XN--MNCHEN-3YA.EXAMPLE"])
def test_a_domain_s_name_is_known_by_its_lower_case_a_labels(tmp_path: Path, spelling: str) -> None:
    """However it is spelt, a domain is one domain."""
    assert list(config.load(write(tmp_path, f'[domain."{spelling}"]')).domains) == ["xn--mnchen-3ya.example"]


def test_a_syntax_error_is_told_with_its_line(tmp_path: Path) -> None:
    """TOML that cannot be read is one problem, with the place."""
    path = write(tmp_path, '[domain."example.com"]\nprimary = mail.example.com\n')
    (problem,) = problems(path)
    assert problem.startswith(f"{path}: line 2, column 11: ")


def test_a_file_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    """Octets that are no text are a problem, not a traceback."""
    path = tmp_path / "backupmx.toml"
    path.write_bytes(b"# one\n# \xe9\xe9\n")
    assert problems(path) == (f"{path}: line 2: must be UTF-8",)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A missing file and a directory are problems, with the system's reason."""
    missing = tmp_path / "none.toml"
    assert problems(missing) == (f"{missing}: cannot be read: No such file or directory",)
    assert problems(tmp_path) == (f"{tmp_path}: cannot be read: Is a directory",)


def test_certificates_are_read_by_who_serves_alone(tmp_path: Path) -> None:
    """An operator who may not read the key can still use the command line."""
    absent = tmp_path / "key.pem"
    path = write(tmp_path, f'[smtp]\ntls_certificate = "{absent}"\ntls_key = "{absent}"\n[domain."example.com"]\n')
    assert config.load(path, serving=False).smtp.tls_key == absent
    assert problems(path) == (
        f'{path}: smtp.tls_certificate = "{absent}": cannot be read: No such file or directory',
        f'{path}: smtp.tls_key = "{absent}": cannot be read: No such file or directory',
    )


def test_the_file_is_the_one_asked_for_then_the_environment_s_then_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--config` wins over BACKUPMX_CONFIG, which wins over the default place."""
    monkeypatch.delenv("BACKUPMX_CONFIG", raising=False)
    assert config.locate(None) == Path("/etc/backupmx/backupmx.toml")
    monkeypatch.setenv("BACKUPMX_CONFIG", "/elsewhere.toml")
    assert config.locate(None) == Path("/elsewhere.toml")
    assert config.locate(Path("/asked.toml")) == Path("/asked.toml")
