"""Files from buckets of others and from public repositories: who is asked, with which keys, what comes."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fsspec.implementations.github import GithubFileSystem

from infra import addresses
from infra.errors import RejectError
from infra.inputs import list_files, read_inputs, read_listed
from infra.settings import Settings, load_settings

OBJECTS = {"daily/2024_01_01.csv": b"one", "daily/2024_01_02.csv": b"two", "daily/readme.txt": b"no"}
CHANGED = "2024-01-03T10:00:00.000Z"


class Answers(BaseHTTPRequestHandler):
    """A bucket `open` as S3 shows it, and a repository as GitHub does; notes who asked."""

    asked: list[tuple[str, str | None]]

    def do_HEAD(self) -> None:
        """Tell of an object."""
        self._answer(b"", OBJECTS.get(urlsplit(self.path).path.removeprefix("/open/")))

    def do_GET(self) -> None:
        """Give a listing or a file."""
        self.asked.append((self.path, self.headers.get("Authorization")))
        where = urlsplit(self.path)
        if where.path.startswith("/open"):
            self._bucket(where.path.removeprefix("/open").strip("/"), parse_qs(where.query))
        elif where.path.startswith("/trees/"):
            self._answer(json.dumps({"tree": TREES[where.path.rpartition("/")[2]]}).encode())
        else:
            self._answer(OBJECTS.get(where.path.removeprefix("/someone/prices/main/")))

    def _bucket(self, key: str, query: dict[str, list[str]]) -> None:
        if "list-type" not in query:
            self._answer(OBJECTS.get(key))
            return
        prefix = query.get("prefix", [""])[0]
        entries = "".join(
            f"<Contents><Key>{name}</Key><Size>{len(content)}</Size>"
            f'<ETag>"e"</ETag><LastModified>{CHANGED}</LastModified></Contents>'
            for name, content in OBJECTS.items()
            if name.startswith(prefix)
        )
        self._answer(f"<ListBucketResult><Name>open</Name>{entries}</ListBucketResult>".encode())

    def _answer(self, body: bytes | None, size: bytes | None = b"") -> None:
        found = body is not None and size is not None
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(size or body or b"")))
        self.send_header("Last-Modified", "Wed, 03 Jan 2024 10:00:00 GMT")
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


TREES = {
    "main": [{"path": "daily", "mode": "040000", "type": "tree", "sha": "abc"}],
    "abc": [
        {"path": name.removeprefix("daily/"), "mode": "100644", "type": "blob", "sha": "f", "size": 3}
        for name in OBJECTS
    ],
}


@pytest.fixture
def server() -> Iterator[str]:
    """Address of the server."""
    Answers.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with keys of our own store, which are in the environment as well."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ours")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return load_settings(tmp_path, s3_access_key="ours", s3_secret_key="secret")  # noqa: S106


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile as people have them in ~/.aws/credentials."""
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = theirs\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    return "work"


@contextmanager
def github_at(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have GitHub's two addresses at our server."""
    monkeypatch.setattr(GithubFileSystem, "url", server + "/trees/{sha}")
    monkeypatch.setattr(addresses, "GITHUB_FILES", server)
    GithubFileSystem.clear_instance_cache()
    yield
    GithubFileSystem.clear_instance_cache()


def test_a_public_bucket_is_read_without_any_key(server: str, settings: Settings) -> None:
    """A folder of somebody else's bucket; our keys are not shown to its server."""
    files = read_inputs(settings, [f"s3://open/daily?anon&endpoint={server}&region=eu-west-1"])
    assert [(file.name, file.content) for file in files] == [
        ("2024_01_01.csv", b"one"),
        ("2024_01_02.csv", b"two"),
    ]
    assert Answers.asked
    assert all(key is None for _, key in Answers.asked)


def test_a_bucket_of_others_is_read_with_a_profile(server: str, settings: Settings, profile: str) -> None:
    """The profile's keys sign, not those that the environment has for our own store."""
    files = read_inputs(settings, [f"s3://open/daily/2024_01_02.csv?profile={profile}&endpoint={server}"])
    assert [file.content for file in files] == [b"two"]
    assert all("Credential=theirs/" in (key or "") for _, key in Answers.asked)


def test_a_listing_tells_when_files_changed(server: str, settings: Settings) -> None:
    """Without reading one; what was listed is read from the same place."""
    place = f"s3://open/daily?anon&endpoint={server}"
    listed = list_files(settings, place)
    assert [(file.name, str(file.modified)) for file in listed] == [
        ("2024_01_01.csv", "2024-01-03 10:00:00+00:00"),
        ("2024_01_02.csv", "2024-01-03 10:00:00+00:00"),
    ]
    assert not any(path.endswith(".csv") for path, _ in Answers.asked)
    read, unreadable = read_listed(settings, place, listed[1:])
    assert ([file.content for file in read], unreadable) == ([b"two"], [])


def test_a_pattern_in_a_bucket_of_others(server: str, settings: Settings) -> None:
    """A question mark is a pattern's where no option follows."""
    files = read_inputs(settings, [f"s3://open/daily/2024_01_0?.csv?anon&endpoint={server}"])
    assert [file.content for file in files] == [b"one", b"two"]


@pytest.mark.parametrize(
    "said", ["region=x", "anon&profile=work", "endpoint=http://h", "anon&key=ours", "anon&secret"]
)
def test_a_bucket_of_others_says_how_to_sign(said: str, settings: Settings) -> None:
    """No key goes into an address, and none is chosen silently."""
    with pytest.raises(RejectError, match=r"needs \?anon or \?profile=NAME"):
        read_inputs(settings, [f"s3://open/daily?{said}"])


def test_our_own_store_gets_our_keys(settings: Settings) -> None:
    """An s3:// address without options is ours, also as a pattern."""
    for place in ("s3://nepse-raw/daily", "s3://nepse-raw/2024_01_0?.csv"):
        fs, path = addresses.opened(settings, place)
        assert (fs.endpoint_url, fs.key) == (settings.s3_url, "ours")
        assert f"s3://{path}" == place


def test_a_public_repository(server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder at a branch: one question for each folder to GitHub's API, files from where it serves them."""
    with github_at(server, monkeypatch):
        place = "github://someone:prices@main/daily"
        files = read_inputs(settings, [place])
        listed = list_files(settings, place)
    assert [(file.name, file.content) for file in files] == [
        ("2024_01_01.csv", b"one"),
        ("2024_01_02.csv", b"two"),
    ]
    assert [(file.name, file.modified) for file in listed] == [
        ("2024_01_01.csv", None),
        ("2024_01_02.csv", None),
    ]


def test_a_repository_that_is_not_there(
    server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence that names the place."""
    with github_at(server, monkeypatch), pytest.raises(RejectError, match="can't read github://someone"):
        read_inputs(settings, ["github://someone:prices@main/nowhere"])
