"""The documentation is true where a machine can tell: commands, links, deployments, topics, settings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from events.topics import TOPICS
from infra.cli.main import app
from infra.settings_reference import text
from infra.wiring import deployments, full_name, routes
from tasks.core.calendar import EXCHANGE_TZ

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
COMMANDS = typer.main.get_command(app)
README = (ROOT / "README.md").read_text("utf-8")

_FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\((?P<target>[^)\s]+)\)", re.DOTALL)
_SHELL = {"sh", "bash", "console"}
_SEPARATORS = {"|", "||", "&&", ";", ">", ">>", "<"}


def _commands(page: Path, program: str) -> Iterator[list[str]]:
    """Arguments of each call of a program in the page's shell blocks."""
    for fence in _FENCE.finditer(page.read_text("utf-8")):
        if fence["kind"] in _SHELL:
            for line in fence["body"].splitlines():
                yield from _calls(line.removeprefix("$ "), program)


def _calls(line: str, program: str) -> Iterator[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _SEPARATORS:
            words.append(word)
            continue
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words and words[0].rsplit("/", 1)[-1] == program:
            yield words[1:]
        words = []


def _anchors(page: Path) -> set[str]:
    """Names of the page's headings as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def _named_pages() -> list[str]:
    """Pages of docs/ that are named anywhere, by their path from the project's folder."""
    texts = [page.read_text("utf-8") for page in (*PAGES, ROOT / "Makefile")]
    return sorted({name for text in texts for name in re.findall(r"(?<![\w/(.])docs/[\w/-]+\.md", text)})


def _first_cells(section: str) -> set[str]:
    """Names in code style in the first column of the table in a section of the README."""
    body = README.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([^`]+)` \|", body, re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_line_would_be_accepted(page: Path) -> None:
    """Each `nepse` line names a command and gives it options and arguments that it takes."""
    for name, *arguments in filter(None, _commands(page, "nepse")):
        assert name in COMMANDS.commands, f"{page.name}: nepse {name}"
        COMMANDS.commands[name].make_context(name, arguments)


def test_a_wrong_command_line_would_be_noticed(tmp_path: Path) -> None:
    """The check above sees options, pipes and variables, and not only the command's name."""
    page = tmp_path / "page.md"
    page.write_text("```sh\nA=1 .venv/bin/nepse lag --sideways | cat  # note\necho x | nepse down; ls\n```\n")
    calls = list(_commands(page, "nepse"))
    assert calls == [["lag", "--sideways"], ["down"]]
    with pytest.raises(Exception, match="--sideways"):
        COMMANDS.commands["lag"].make_context("lag", calls[0][1:])


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_make_target_exists(page: Path) -> None:
    """`make WORD` in a shell block is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    asked = {word for words in _commands(page, "make") for word in words if "=" not in word}
    assert asked <= targets


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_prefect_deployment_that_is_run_exists(page: Path) -> None:
    """`prefect deployment run NAME` names a deployment of prefect.yaml."""
    known = {full_name(deployment["name"]) for deployment in deployments()}
    runs = [words[2] for words in _commands(page, "prefect") if words[:2] == ["deployment", "run"]]
    assert set(runs) <= known


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_relative_link_resolves(page: Path) -> None:
    """A link leads to a file of the project, and its fragment to a heading there."""
    for link in _LINK.finditer(_FENCE.sub("", page.read_text("utf-8"))):
        place, _, fragment = link["target"].partition("#")
        if "://" in place:
            continue
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{page.name}: {link['target']}"
        assert not fragment or fragment in _anchors(target), f"{page.name}: {link['target']}"


@pytest.mark.parametrize("page", _named_pages())
def test_a_page_that_is_named_without_a_link_exists(page: str) -> None:
    """In shell blocks, code spans and the Makefile."""
    assert (ROOT / page).is_file()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_quotes_of_a_shell_are_left_over(page: Path) -> None:
    """As where a page was written by a command."""
    assert "\\'" not in page.read_text("utf-8")


def test_the_index_names_every_page() -> None:
    """No page of docs/ is left for readers to find by chance."""
    docs = ROOT / "docs"
    linked = {m["target"].split("#")[0] for m in _LINK.finditer((docs / "index.md").read_text("utf-8"))}
    assert {str(page.relative_to(docs)) for page in docs.glob("*/**/*.md")} <= linked


def test_the_deployments_table_is_the_wiring() -> None:
    """The README lists the deployments of prefect.yaml, all of them and no other."""
    assert _first_cells("Deployments") == {deployment["name"] for deployment in deployments()}


def test_the_deployments_table_says_what_each_sensor_reads() -> None:
    """Before the arrow all topics of the sensor and no other, behind it the flow that it starts."""
    for route in routes():
        row = next(line for line in README.splitlines() if line.startswith(f"| `{route.name}` |"))
        read, started = row.rsplit("|", 2)[1].split("→")
        assert set(re.findall(r"`([^`]+)`", read)) == set(route.topics), row
        assert started.strip().removeprefix("runs of ") == route.flow


def test_the_deployments_table_tells_when_what_is_scheduled_starts() -> None:
    """Each schedule that is on, in words, in the exchange's time; those of the landing place have a range."""
    for deployment in deployments():
        times = [_words(one["cron"]) for one in deployment.get("schedules", []) if one["active"]]
        times += ["every 10 minutes from 15:30 to 19:00"] if deployment["name"] == "ingest" else []
        row = next(line for line in README.splitlines() if line.startswith(f"| `{deployment['name']}` |"))
        assert all(f"{time} in Kathmandu" in row for time in times), row
        assert row.count("in Kathmandu") == len(times)
        assert {one["timezone"] for one in deployment.get("schedules", [])} <= {str(EXCHANGE_TZ)}


def _words(cron: str) -> str:
    """Say `minute hour * * day` as people do."""
    minute, hour, *_, day = cron.split()
    week = ("Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays")
    return f"{week[int(day)] if day != '*' else 'daily'} {hour}:{int(minute):02d}"


def test_the_event_table_is_the_contract() -> None:
    """The README lists every topic and no other, each with its events."""
    assert _first_cells("Topics and events") == set(TOPICS)
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    for topic in TOPICS.values():
        row = next(line for line in rows if line.startswith(f"| `{topic.name}` |"))
        assert all(event in row for event in topic.events), row


def test_the_settings_page_is_what_the_code_says() -> None:
    """A setting that is added or changed reaches its page by `python -m infra.settings_reference --write`."""
    assert (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8") == text()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_output_is_left_to_measure(page: Path) -> None:
    """Every output in the documentation was printed by a run."""
    assert "TO-BE-MEASURED" not in page.read_text("utf-8")
