"""Starting the parts as early as their needs allow, keeping them up, stopping them in reverse order."""

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from infra.errors import LoopError, StackError, TryAgainError
from infra.logs import keep_secrets
from infra.settings import Settings, load_settings
from infra.stack import parts as catalogue
from infra.stack import process, state
from infra.stack.parts import Part

PROBE_SECONDS = 0.1
HOOK_SECONDS = 120.0
LOG_SECONDS = 10.0
BACKOFF_SECONDS = (1, 2, 5, 10)
CALM_SECONDS = 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = logging.getLogger("nepse.stack")
Listener = Callable[[state.StackState], None]


class Supervisor:
    """The life of one stack; `run` returns when it has been told to stop and everything has stopped."""

    def __init__(self, settings: Settings, listener: Listener | None = None) -> None:
        """Plan the parts; nothing starts yet."""
        self.settings = settings
        self.parts = catalogue.local(catalogue.plan(settings))
        self.listener = listener
        self.ready = {part.name: asyncio.Event() for part in self.parts}
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.stopping = asyncio.Event()
        birth = psutil.Process().create_time()
        names = {part.name: state.PartState() for part in self.parts}
        self.state = state.StackState("starting", secrets.token_hex(16), os.getpid(), birth, parts=names)

    async def run(self) -> None:
        """Start everything, keep it up until told otherwise, stop everything.

        Raises:
            LoopError: a part did not start; everything has been stopped again.
        """
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self.stopping.set)
        keepers = [asyncio.create_task(self._keep(part), name=part.name) for part in self.parts]
        everything = asyncio.create_task(self._announce_up())
        told = asyncio.create_task(self.stopping.wait())
        tidying = asyncio.create_task(self._tidy_logs())
        failed: BaseException | None = None
        try:
            done, _ = await asyncio.wait([told, *keepers], return_when=asyncio.FIRST_COMPLETED)
            failed = next((error for task in done if (error := task.exception())), None)
        finally:
            await self._wind_up([*keepers, everything, told, tidying], failed)
        if failed:
            raise failed

    async def _announce_up(self) -> None:
        for event in self.ready.values():
            await event.wait()
        self._note(phase="up")

    async def _tidy_logs(self) -> None:
        """Keep the logs from growing for as long as the stack runs."""
        while True:
            await asyncio.sleep(LOG_SECONDS)
            for part in self.parts:
                try:
                    await asyncio.to_thread(process.shorten, process.log_file(self.settings, part.name))
                except OSError as error:  # a full disk, most likely: what runs goes on
                    log.warning("the log of %s could not be shortened: %s", part.name, error)

    async def _wind_up(self, tasks: list["asyncio.Task[Any]"], failed: BaseException | None) -> None:
        self._note(phase="stopping", error=None if failed is None else str(failed))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for level in reversed(catalogue.levels(self.parts)):
            await asyncio.gather(*(self._stop(part) for part in level if part.name in self.processes))
        await asyncio.to_thread(process.end, state.members(self.state.token))
        self._note(phase="failed" if failed else "stopped")

    async def _stop(self, part: Part) -> None:
        await process.stop(self.processes.pop(part.name), part)
        if part.gone:
            await self._hook(part, part.gone)
        self._note(part, state="stopped", pid=None)

    async def _keep(self, part: Part) -> None:
        """Bring a part up when its needs are, and again whenever it ends, until cancelled."""
        for need in part.needs:
            if need in self.ready:
                await self.ready[need].wait()
        await self._bring_up(part, first=True)
        self.ready[part.name].set()
        if part.once:
            await self.stopping.wait()
        else:
            await self._keep_up(part)

    async def _keep_up(self, part: Part) -> None:
        failures = 0
        while True:
            calm_since = time.monotonic()
            code = await self.processes[part.name].wait()
            failures = 0 if time.monotonic() - calm_since > CALM_SECONDS else failures + 1
            pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
            log.warning("%s ended with code %s; it starts again in %s s", part.name, code, pause)
            await self._restart(part, pause)

    async def _restart(self, part: Part, pause: float) -> None:
        restarts = self.state.parts[part.name].restarts + 1
        self._note(part, state="restarting", pid=None, restarts=restarts)
        await asyncio.sleep(pause)
        try:
            await self._bring_up(part, first=False)
        except (LoopError, OSError) as error:
            log.warning("%s did not come back: %s", part.name, error)
            if part.name in self.processes:
                await process.stop(self.processes[part.name], part)

    async def _bring_up(self, part: Part, *, first: bool) -> None:
        began = time.monotonic()
        self._note(part, state="starting")
        if part.before:
            await self._hook(part, part.before)
        child = self.processes[part.name] = await process.start(self.settings, part, self.state.token)
        self._note(part, pid=child.pid, created=state.birth(child.pid))
        await (self._finish(part, child) if part.once else self._until_ready(part, child))
        if part.after and first:
            await self._hook(part, part.after)
        self._note(part, state="ready", seconds=round(time.monotonic() - began, 1))

    async def _hook(self, part: Part, hook: catalogue.Hook) -> None:
        try:
            await asyncio.wait_for(asyncio.to_thread(hook, self.settings), HOOK_SECONDS)
        except LoopError:
            raise
        except Exception as error:  # a client library's own words: say whose they are
            message = f"{part.name} could not be prepared: {type(error).__name__}: {error}"
            raise StackError(message) from error

    async def _until_ready(self, part: Part, child: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + part.within
        answer = "no answer"
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise self._failure(part, f"ended with code {child.returncode}")
            try:
                return await asyncio.to_thread(part.ready, self.settings)
            except Exception as error:  # noqa: BLE001 - whatever a server says while it starts
                answer = str(error)
            await asyncio.sleep(PROBE_SECONDS)
        raise self._failure(part, f"was not ready within {part.within:.0f} s ({answer})")

    async def _finish(self, part: Part, child: asyncio.subprocess.Process) -> None:
        try:
            code = await asyncio.wait_for(child.wait(), part.within)
        except TimeoutError:
            raise self._failure(part, f"was not done within {part.within:.0f} s") from None
        del self.processes[part.name]
        if code:
            raise self._failure(part, f"ended with code {code}")

    def _failure(self, part: Part, what: str) -> TryAgainError:
        file = process.log_file(self.settings, part.name)
        return TryAgainError(f"{part.name} {what}; the end of {file}:\n{process.tail(file)}")

    def _note(self, part: Part | None = None, **changes: object) -> None:
        target: object = self.state if part is None else self.state.parts[part.name]
        for name, value in changes.items():
            setattr(target, name, value)
        state.write_state(self.settings.home.resolve(), self.state)
        if self.listener:
            self.listener(self.state)


async def _supervise(settings: Settings, listener: Listener | None) -> None:
    await Supervisor(settings, listener).run()


def supervise(settings: Settings, listener: Listener | None = None) -> None:
    """Run a stack until SIGINT, SIGTERM or SIGHUP; nothing of it is left on return.

    Raises:
        LoopError: a part did not start, or another supervisor is at work in this home.
    """
    with state.sole_supervisor(settings.home.resolve()):
        asyncio.run(_supervise(settings, listener))


def main() -> int:
    """Supervise in the background: `python -m infra.stack.supervisor HOME`."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("home", type=Path)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = load_settings(parser.parse_args().home)
    keep_secrets(settings)
    try:
        supervise(settings)
    except LoopError:
        log.exception("the stack did not start")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
