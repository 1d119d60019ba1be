"""Child processes that do not outlive us, and the user they run as."""

import ctypes
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522

_AUTOGROUP = "/proc/self/autogroup"
_AUTOGROUP_ATTEMPTS = 5  # who is not root may change one every tenth of a second
_AUTOGROUP_SECONDS = 0.11

_IS_LINUX = sys.platform == "linux"
# Loaded here and not after the fork, where little is allowed.
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A user without privileges, for a server that refuses to run as root."""

    uid: int
    gid: int
    keeps_reach: bool  # may pass folders that are closed to this user


def stranger_for(folders: Sequence[Path]) -> Stranger | None:
    """Return the user to run a server as that works in `folders`; None: as ourselves.

    Somebody else only for root. Folders on the way that are closed to others (a clone under
    `/root`, say) are not opened: the process gets the one capability to pass them.
    """
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Stranger(
        uid=nobody.pw_uid,
        gid=nobody.pw_gid,
        keeps_reach=any(
            not place.stat().st_mode & stat.S_IXOTH
            for folder in folders
            for place in [*folder.resolve().parents]
        ),
    )


def start(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int,
    death_signal: signal.Signals = signal.SIGTERM,
    run_as: Stranger | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    niceness: int = 0,
) -> subprocess.Popen[bytes]:
    """Start a program in its own session, out of the reach of the terminal's Ctrl-C.

    With a `niceness` it steps back behind others where the processor is short.

    On Linux the kernel sends it `death_signal` when the thread that called this ends, even by
    SIGKILL; so call it from the main thread. Raises OSError and subprocess.SubprocessError.
    """
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=dict(environment) if environment is not None else None,
        cwd=folder,
        start_new_session=True,
        preexec_fn=_before_exec(os.getpid(), death_signal, run_as, niceness),
    )


def _before_exec(
    parent: int, death_signal: signal.Signals, run_as: Stranger | None, niceness: int
) -> Callable[[], None]:
    def prepare() -> None:
        if niceness:
            _step_back(niceness)
        if run_as is not None:
            _become(run_as)
        if _IS_LINUX:
            # After the change of user, which clears it.
            _call("prctl", _PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # it died before we had asked to be told
                os._exit(1)

    return prepare


def _step_back(niceness: int) -> None:
    """Let others go first, also those of other sessions.

    Where Linux schedules sessions as groups, `nice` counts within a session alone and each program
    here has one of its own: it is the group that has to step back (sched(7), "The autogroup
    feature").
    """
    os.nice(niceness)
    for _ in range(_AUTOGROUP_ATTEMPTS):
        try:
            group = os.open(_AUTOGROUP, os.O_WRONLY)
            try:
                os.write(group, str(niceness).encode())
            finally:
                os.close(group)
        except BlockingIOError:  # somebody else has changed one a moment ago
            time.sleep(_AUTOGROUP_SECONDS)
        except OSError:
            return  # no Linux, or one that does not schedule so
        else:
            return


def _become(stranger: Stranger) -> None:
    if stranger.keeps_reach:
        _call("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(stranger.gid)
    os.setuid(stranger.uid)
    if stranger.keeps_reach:
        bit = 1 << _CAP_DAC_OVERRIDE
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        # effective, permitted and inheritable, for the lower and the upper 32 capabilities
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        _call("capset", header, sets)
        _call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def ask(process: subprocess.Popen[bytes] | None, asking: signal.Signals) -> None:
    """Ask the program to end, if it runs, and do not wait until it has."""
    if process is not None and process.poll() is None:
        process.send_signal(asking)


def stop(process: subprocess.Popen[bytes], *, asking: signal.Signals, seconds: float) -> None:
    """Ask the program to end, and after `seconds` kill all that it left in its session."""
    if process.poll() is None:
        process.send_signal(asking)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    kill_group(process.pid)


def kill_group(group: int) -> None:
    """Kill what is left of the process group, if anything is."""
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # Gone; or, on macOS, only zombies are left.
        return


def is_running(pid: int, *, words: Sequence[str]) -> bool:
    """Tell whether `pid` is alive and has all `words` in its command line.

    A number alone proves nothing: another process may have got it since.
    """
    try:
        process = psutil.Process(pid)
        line = "\0".join(process.cmdline())
        return process.status() != psutil.STATUS_ZOMBIE and all(word in line for word in words)
    except psutil.Error:
        return False


def stop_leftover(pid: int, *, words: Sequence[str], asking: signal.Signals) -> None:
    """Stop a server that a killed owner left behind, if it still runs."""
    if not is_running(pid, words=words):
        return
    process = psutil.Process(pid)
    try:
        process.send_signal(asking)
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    except psutil.NoSuchProcess:
        return


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
