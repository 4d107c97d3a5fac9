"""The keys of the secret store: lines of a file outside the database, the newest first."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gennaker.model.problems import Problem, Refused
from gennaker.transport import sealing
from gennaker.transport.permissions import open_private


class Keyring:
    """Reads its file whenever it is asked: other servers and other processes may have changed it."""

    def __init__(self, file: Path, new_secret: Callable[[], str]) -> None:
        """The file is made when the first key is needed."""
        self._file = file
        self._new_secret = new_secret

    def keys(self) -> dict[str, bytes]:
        """By their ids, the newest first; none: nothing was ever kept. Raises Refused."""
        try:
            lines = self._file.read_text(encoding="ascii").split()
            found = [bytes.fromhex(line) for line in lines]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise Refused(self._broken(type(error).__name__)) from error
        if any(len(key) != sealing.KEY_BYTES for key in found):
            raise Refused(self._broken("a line isn't 64 digits of 0 to 9 and a to f"))
        return {_id(key): key for key in found}

    def newest(self) -> tuple[str, bytes]:
        """The key that seals; made where there is none. Raises Refused."""
        known = self.keys()
        if not known:
            with self._locked():  # of two servers only one makes the first key
                known = self.keys() or self._with_another()
        return next(iter(known.items()))

    def added(self) -> dict[str, bytes]:
        """Makes a new key, in front of the others. Raises Refused."""
        with self._locked():
            return self._with_another()

    def _with_another(self) -> dict[str, bytes]:
        fresh = hashlib.sha256(self._new_secret().encode()).digest()
        keys = {_id(fresh): fresh, **self.keys()}
        self._write(keys)
        return keys

    def keep_newest(self) -> int:
        """Drops all others, which nothing is sealed with any more; returns how many."""
        with self._locked():
            known = self.keys()
            self._write(dict([next(iter(known.items()))]))
        return len(known) - 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else, in whichever process, changes the file meanwhile."""
        try:
            lock = os.open(self._file.with_name(f"{self._file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Refused(self._unwritable(error), status=507) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, keys: dict[str, bytes]) -> None:
        fresh = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        try:
            with open(fresh, "w", encoding="ascii", opener=open_private) as file:
                file.writelines(f"{key.hex()}\n" for key in keys.values())
                file.flush()
                os.fsync(file.fileno())
            fresh.rename(self._file)
        except OSError as error:
            raise Refused(self._unwritable(error), status=507) from error

    def _unwritable(self, error: OSError) -> Problem:
        return Problem(
            code="secret.key_file",
            message=f"The keys of the secrets can't be written to {self._file}: {error.strerror}.",
            remedy="Make its folder writable, or set store.secret-key-file to another place.",
        )

    def _broken(self, why: str) -> Problem:
        return Problem(
            code="secret.key_file",
            message=f"The keys of the secrets in {self._file} can't be read: {why}.",
            remedy="Put the file back from its backup; without it the secrets have to be set anew.",
        )


def _id(key: bytes) -> str:
    return hashlib.sha256(b"gennaker secret key " + key).hexdigest()[:16]
