"""Alerts about single errors: the rules of this stack, and which errors are news."""

from collections.abc import Iterable
from datetime import date

from events.payloads import AlertRaised, ErrorComputed
from infra.bootstrap import Loop
from infra.errors import StopError
from infra.settings import Settings
from tasks.core.alert_rules import AlertRule
from tasks.core.alerting import AlertManager
from tasks.core.rule_file import RulesError, defaults, parse
from tasks.sessions import sessions

NEWS_SESSIONS = 3
"""Alerts about the newest sessions are news. A backfill or a history that is loaded raises thousands about
old ones; they are on the topic, and nobody is called for them."""


def alerts_about(loop: Loop, errors: Iterable[ErrorComputed]) -> list[tuple[ErrorComputed, AlertRaised]]:
    """Hold errors against the stack's rules.

    Raises:
        StopError: the file of rules can't be used.
    """
    rules = loop.keep("alert-rules", lambda: rules_of(loop.settings))
    return AlertManager(rules).process(errors, _news_since(loop))


def rules_of(settings: Settings) -> tuple[AlertRule, ...]:
    """Read the rules that the settings name, or those that come with the system.

    Raises:
        StopError: the file can't be read, or something is wrong in it.
    """
    if settings.alert_rules is None:
        return defaults()
    try:
        return parse(settings.alert_rules.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, RulesError) as error:
        message = f"the alert rules in {settings.alert_rules} can't be used: {error}; see 'nepse alerts test'"
        raise StopError(message) from error


def _news_since(loop: Loop) -> date:
    """Name the first session that is news, as this view of raw-data knows them."""
    newest = sessions(loop).days(loop.raw_data.refresh())[-NEWS_SESSIONS:]
    return newest[0] if newest else date.min
