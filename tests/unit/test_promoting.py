"""People promote and roll back: what is refused, what is published, and what a repeat does."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from events.envelope import decode
from events.payloads import ModelPromoted, ModelTrained
from flows import promote as flow
from infra.errors import RejectError, UsageError
from infra.kafka.records import Outgoing, Place
from infra.settings import Settings
from tasks import loaded, promoting
from tasks.core.calendar import learned
from tasks.core.features import FEATURE_SET
from tasks.promoting import Decision, decide
from tests.model_books import Shop, a_model, promoted, received, trained

NEWEST, NEXT = date(2023, 6, 1), date(2023, 6, 4)
"""A Thursday and the Sunday after it."""


class Desk:
    """A shop, and a person at a terminal; what is published comes onto the shop's topic."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *payloads: ModelTrained | ModelPromoted) -> None:
        """Open the shop."""
        self.shop, self._monkeypatch = Shop(), monkeypatch
        for payload in payloads:
            self.shop.say(payload, a_model(FEATURE_SET))
        self.ids: list[str] = []
        self.open, self.runs = False, 0
        self.shop.pool = None  # type: ignore[attr-defined]
        self.shop.settings = Settings(model_name="nepse")  # type: ignore[attr-defined]
        self.days = [NEWEST]
        monkeypatch.setattr(loaded, "unpack", self.shop.unpack)
        monkeypatch.setattr(promoting, "Source", lambda _pool, _name: self.source())
        monkeypatch.setattr(promoting, "held_until", self.held_until)
        monkeypatch.setattr(promoting, "targets", lambda _loop: learned([]))

    def held_until(self, _loop: object, today: date) -> list[date]:
        """Name the sessions up to a day."""
        return [day for day in self.days if day <= today]

    def source(self) -> Any:
        """Give the one who publishes."""

        def begin() -> None:
            self.open = True

        def end() -> None:
            self.open = False

        return SimpleNamespace(open=begin, close=end, publish=self.publish)

    def publish(self, records: list[Outgoing]) -> None:
        """Put events on the topic."""
        assert self.open
        for record in records:
            assert (record.topic, record.key) == ("models", b"nepse")
            event = decode(record.value)
            self.ids.append(event.id)
            assert isinstance(event.payload, ModelPromoted)
            place = Place("models", 0, len(self.shop.entries))
            self.shop.entries.append(received(event.payload, place, event.id))

    def decide(
        self,
        version: str | None,
        reason: str = "by hand",
        *,
        run: str | None = None,
        instead_of: str | None = None,
    ) -> Decision:
        """Promote, or roll back without a version; by a run of its own where none is named."""
        loop: Any = self.shop
        self.runs += 1
        try:
            return decide(loop, version, reason, asked_by=run or f"run {self.runs}", instead_of=instead_of)
        finally:
            assert not self.open

    def while_loading(self, payload: ModelTrained) -> None:
        """Have a training told as soon as a version is loaded next."""

        def unpack(data: bytes, sha256: str) -> Any:
            self._monkeypatch.setattr(loaded, "unpack", self.shop.unpack)
            self.shop.say(payload, a_model(FEATURE_SET))
            return self.shop.unpack(data, sha256)

        self._monkeypatch.setattr(loaded, "unpack", unpack)

    @property
    def champion(self) -> str:
        """Who serves."""
        return self.shop.book().offices.champion.version


TRAINED = (
    trained("v1", date(2023, 1, 1)),
    trained("v2", date(2023, 2, 1)),
    trained("v3", date(2023, 3, 1), promoted=False),
)


def test_a_promotion_is_told_with_who_served_before_and_from_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first session that was not held yet: earlier ones stay who they were."""
    desk = Desk(monkeypatch, *TRAINED)
    decision = desk.decide("v3", "better in shadow")
    assert decision.as_dict() == {
        "version": "v3",
        "previous": "v2",
        "valid_from": "2023-06-04",
        "published": True,
        "message": "v3 serves for sessions from 2023-06-04 on, before it v2: better in shadow",
    }
    said = desk.shop.entries[-1].payload
    assert said == ModelPromoted(
        model_version="v3", previous_version="v2", reason="better in shadow", valid_from=NEXT
    )
    book = desk.shop.book()
    assert (book.version_for(NEWEST), book.version_for(NEXT)) == ("v2", "v3")


@pytest.mark.parametrize("version", ["v3", None])
def test_a_run_that_is_started_again_changes_nothing(
    version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where what came after the commit failed: a rollback would else go two versions back."""
    desk = Desk(monkeypatch, *TRAINED, promoted("v3"), trained("v4", date(2023, 4, 1)))
    first = desk.decide(version, run="one")
    desk.decide("v1", run="another")
    again = desk.decide(version, run="one")
    assert (again.version, again.previous, again.valid_from) == ("v3", "v4", first.valid_from)
    assert (again.published, again.message) == (False, f"this run has decided before: {first.message}")
    assert (len(desk.ids), desk.champion) == (2, "v1")


def test_who_serves_is_named_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a training under way leaves it in office, and every process tries again to load it."""
    desk = Desk(monkeypatch, *TRAINED)
    seen = len(desk.shop.entries)
    for _ in range(2):
        decision = desk.decide("v2")
        assert (decision.published, decision.previous) == (True, "v2")
        assert decision.message == "v2 serves for sessions from 2023-06-04 on, as it did: by hand"
    assert len(set(desk.ids)) == 2
    desk.shop.say(trained("v4", date(2023, 4, 1), models_seen=seen))
    assert desk.champion == "v2"
    assert desk.decide(None).version == "v1"


def test_a_rollback_is_from_the_version_that_the_person_saw(monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that ended meanwhile has put another into office: that one is not what was complained of."""
    desk = Desk(monkeypatch, *TRAINED, trained("v4", date(2023, 4, 1), why="better"))
    with pytest.raises(RejectError, match=r"v4 serves by now, not v2 \(better\): nothing was changed"):
        desk.decide(None, instead_of="v2")
    assert (desk.ids, desk.shop.loads, desk.champion) == ([], [], "v4")
    assert desk.decide(None, instead_of="v4").version == "v2"


@pytest.mark.parametrize("instead_of", [None, "v2"])
def test_who_takes_office_while_a_version_is_loaded_is_not_rolled_back_from(
    instead_of: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the person named who serves, or the run found it."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.while_loading(trained("v4", date(2023, 4, 1)))
    with pytest.raises(RejectError, match="v4 serves by now, not v2"):
        desk.decide(None, instead_of=instead_of)
    assert (desk.ids, desk.champion) == ([], "v4")


def test_a_promotion_follows_whoever_took_office_while_it_was_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where the version served before that: the person's word is the newer one."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.while_loading(trained("v4", date(2023, 4, 1)))
    decision = desk.decide("v2")
    assert (decision.previous, decision.published, desk.champion) == ("v4", True, "v2")


def test_rollbacks_go_back_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never to the version that was rolled back from; behind the first one there is none."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.decide("v3")
    assert [desk.decide(None).version for _ in range(2)] == ["v2", "v1"]
    with pytest.raises(UsageError, match="nothing served before v1: 'nepse models promote v0'"):
        desk.decide(None)
    assert desk.decide("v0").version == desk.champion == "v0"
    assert desk.decide(None).version == "v1"


def test_where_nobody_serves_there_is_nothing_to_roll_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Persistence has nobody before it."""
    with pytest.raises(UsageError, match="nothing to roll back"):
        Desk(monkeypatch).decide(None)


@pytest.mark.parametrize(
    ("version", "says"),
    [("v33", "did you mean v3"), ("V3", "did you mean v3"), ("best", "no model version 'best'")],
)
def test_an_unknown_version_is_refused_with_names_that_look_alike(
    version: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is published."""
    desk = Desk(monkeypatch, *TRAINED)
    with pytest.raises(RejectError, match=says):
        desk.decide(version)
    assert desk.ids == []


def test_a_version_that_does_not_load_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also as the one to roll back to: a person has to choose another."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.shop.spoil("v3")
    with pytest.raises(RejectError, match="v3 can't serve: the model file has sha256"):
        desk.decide("v3")
    desk.shop.spoil("v1", b"and this one")
    with pytest.raises(RejectError, match="v1 can't serve"):
        desk.decide(None)
    assert (desk.ids, desk.champion) == ([], "v2")


def test_a_version_of_another_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would predict nothing: persistence would, without anybody having asked for it."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.shop.say(trained("v4", date(2023, 4, 1), promoted=False), a_model("of old"))
    with pytest.raises(RejectError, match="v4 can't serve: it was trained on feature set of old, this code"):
        desk.decide("v4")


def test_a_version_of_which_nobody_knows_what_it_saw_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could never serve: it might have seen any session."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.shop.say(trained("v4", None, promoted=False), a_model(FEATURE_SET))
    with pytest.raises(RejectError, match="nobody knows what it was trained on"):
        desk.decide("v4")


def test_before_the_first_session_a_promotion_counts_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no session that it could leave to others."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.days = []
    decision = desk.decide("v3")
    assert (decision.valid_from, decision.as_dict()["valid_from"]) == (None, None)
    assert decision.message == "v3 serves, before it v2: by hand"


def test_a_session_that_is_dated_after_today_was_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """The version would serve from then on, and none before."""
    desk = Desk(monkeypatch, *TRAINED)
    desk.days = [NEWEST, date(9999, 1, 3)]
    assert desk.decide("v3").valid_from == NEXT


def test_the_run_lets_the_aliases_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    """After it was published; a repeat mends them where MLflow was away the first time."""
    desk, aligned = Desk(monkeypatch, *TRAINED), []
    monkeypatch.setattr(flow, "connect", lambda: desk.shop)
    monkeypatch.setattr(flow, "align", lambda _loop: aligned.append(desk.champion))
    monkeypatch.setattr(flow, "create_markdown_artifact", lambda *_, **__: None)
    for _ in range(2):
        assert flow.promote.fn("v3", "better")["version"] == "v3"
    assert aligned == ["v3", "v3"]
