"""What forecasts in a folder depend on, as a name: other code, libraries or files make another folder."""

from collections.abc import Iterable
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from infra.settings import Settings

ROOT = Path(__file__).parents[1]
SOURCES = (
    "tasks/core/**/*.py",
    "tasks/core/**/*.toml",
    "tasks/reading.py",
    "infra/inputs.py",
    "bench/skill_fold.py",
    "bench/skill_rows.py",
    "bench/ourside.py",
)
"""What reads, computes, learns and forecasts; what only measures and tells is done anew each time."""
LIBRARIES = ("scikit-learn", "numpy", "pandas", "scipy", "pyarrow")


def basis(*, last_test: bool, root: Path = ROOT, data: Path | None = None) -> str:
    """Name all that forecasts depend on, the exchange's files by size and time of change.

    Args:
        last_test: whether the daily files are read, too.
        root: of the code.
        data: folder of the exchange's files, that of NEPSE_DATA without it.
    """
    folder = data or Path(Settings().data or "nowhere")
    sources = sorted({file for pattern in SOURCES for file in root.glob(pattern)})
    found = sha256(f"{last_test}".encode())
    for file in sources:
        found.update(f"\n{file.relative_to(root)} {sha256(file.read_bytes()).hexdigest()}".encode())
    for line in (*(f"{name} {version(name)}" for name in LIBRARIES), *_files(folder, last_test=last_test)):
        found.update(f"\n{line}".encode())
    return found.hexdigest()[:16]


def _files(folder: Path, *, last_test: bool) -> Iterable[str]:
    paths = [folder / "history.parquet", *(sorted((folder / "daily").glob("*.csv")) if last_test else [])]
    for path in (one for one in paths if one.is_file()):
        at = path.stat()
        yield f"{path.name} {at.st_size} {at.st_mtime_ns}"
