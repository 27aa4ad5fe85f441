"""Who is in a flow's group: the sensors' static members, by the names that they keep over restarts."""

from typing import Any

from kafka import KafkaAdminClient

from infra.kafka import clients
from infra.settings import Settings

ANSWER_SECONDS = 10.0


def member_name(group: str, copy: str) -> str:
    """Name the member of a group that a copy of the sensors is."""
    return f"{group}.{copy}"


def members(settings: Settings, group: str) -> set[str]:
    """Ask the broker for the names of a group's members: those that live, or died just now.

    Raises:
        TryAgainError: the broker did not answer.
    """

    def ask(admin: KafkaAdminClient) -> Any:
        return admin.describe_groups([group])[group]["members"]

    with clients.answering(settings):
        found = clients.asked(settings, ask, ANSWER_SECONDS, f"members of {group}")
    return {str(member["group_instance_id"]) for member in found}
