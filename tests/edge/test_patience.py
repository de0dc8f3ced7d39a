"""How long a client may keep us waiting."""

from backupmx.edge.patience import Patience


def test_silence_between_commands_ends_after_five_minutes() -> None:
    """RFC 5321 section 4.5.3.2.7."""
    patience = Patience(1000.0)
    assert patience.ends(pressed=False) == 1300.0
    patience.command(1100.0)
    assert patience.ends(pressed=False) == 1400.0


def test_commands_without_a_message_end_after_ten() -> None:
    """A NOOP now and then does not hold a slot for ever."""
    patience = Patience(0.0)
    for now in range(0, 600, 60):
        patience.command(float(now))
    assert patience.ends(pressed=False) == 600.0
    patience.message(590.0)
    assert patience.ends(pressed=False) == 890.0


def test_silence_in_content_ends_after_three_minutes() -> None:
    """RFC 5321 section 4.5.3.2.5."""
    patience = Patience(0.0)
    patience.message(100.0)
    patience.content(100.0, 0)
    assert patience.ends(pressed=False) == 280.0


def test_content_that_drips_ends_and_content_that_flows_does_not() -> None:
    """A drop a minute is no progress; a slow line is."""
    drip, slow = Patience(0.0), Patience(0.0)
    for minute in range(1, 200):
        drip.content(minute * 60.0, 2)
        slow.content(minute * 60.0, 60_000)
    assert drip.ends(pressed=False) < 660.0
    assert slow.ends(pressed=False) == 199 * 60.0 + 180.0


def test_patience_is_short_while_places_run_short() -> None:
    """Silence ends after half a minute, and a connection without a message after two; content that flows goes on."""
    silent, busy, flowing = Patience(0.0), Patience(0.0), Patience(0.0)
    assert silent.ends(pressed=True) == 30.0
    for now in range(0, 120, 10):
        busy.command(float(now))
        flowing.content(float(now), 60_000)
    assert busy.ends(pressed=True) == 120.0
    assert flowing.ends(pressed=True) == 140.0
