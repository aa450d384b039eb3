"""Starts accountd on what a crash has left and holds the accounts that are there against those that were acknowledged."""

import base64
import ctypes
import functools
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from disk import run
import load

PASSWORD = "the administrator's"
#: Seconds until what goes on behind a start, such as the move of a home, has ended.
PATIENCE = 30
FILES = {"passwd": "passwd", "shadow": "shadow", "group": "group", "gshadow": "gshadow", "samba": "samba/smbpasswd"}
USERS, GROUPS = ("passwd", "shadow", "samba"), ("group", "gshadow")


def programs_of(path, directory):
    """Where the programs are: `path` is a directory of them or a package, which is unpacked in `directory`."""
    if path.is_dir():
        return path
    run("dpkg-deb", "-x", path, directory / "package")
    together = directory / "programs"
    together.mkdir(exist_ok=True)
    for place in ("usr/sbin", "usr/bin", "usr/libexec/accountd"):
        for program in (directory / "package" / place).iterdir():
            program.rename(together / program.name)
    return together


def may_run():
    """Ends this program where the host can't do it: with a failure where somebody relies on it."""
    missing = [what for what in ("/dev/fuse", "/dev/loop-control") if not os.path.exists(what)]
    if os.geteuid() != 0:
        missing.append("root")
    if missing:
        print(f"skipped: {sys.argv[0]} needs {' and '.join(missing)}")
        sys.exit(1 if os.environ.get("CI") else 0)


class Wrong(Exception):
    """What is on the disk is not what may be there."""


class Nas:
    """The programs on the root directory `mounted/nas`, as they come up after a boot."""

    def __init__(self, programs, mounted, first=False):
        self.accountd, self.root, self.process = Path(programs) / "accountd", mounted / "nas", None
        self.log = mounted.parent / (mounted.name + ".log")
        self.password = mounted.parent / "password"
        self.password.write_text(PASSWORD)
        self.password.chmod(0o600)
        if first:
            self.root.mkdir(mode=0o700)
            (self.root / ".accountd-sandbox").touch(0o600)
        # Of a machine, these are in memory.
        for name in ("run", "tmp"):
            (self.root / name).mkdir(exist_ok=True)
            run("mount", "-t", "tmpfs", "-o", "mode=1777" if name == "tmp" else "mode=755", "none", self.root / name)

    def start(self):
        command = [self.accountd, "sandbox", "--root", self.root, "--admin-password-file", self.password]
        command += ["--api-listen", "127.0.0.1:0", "--ssh-listen", "127.0.0.1:0"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("ready api=http://"):
            raise Wrong(f"accountd does not start: {self.log.read_text()[-2000:]}")
        host, port = line.split()[1].removeprefix("api=http://").split(":")
        self.address = host, int(port)

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process.stdout.close()
        for name in ("run", "tmp"):
            subprocess.run(["umount", self.root / name], check=False)

    def inside(self, *command):
        whole = [self.accountd, "sandbox", "--root", self.root, "--exec", *command]
        done = subprocess.run(whole, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def get(self, path):
        return get(self.address, path)


def get(address, path):
    connection = http.client.HTTPConnection(*address, timeout=120)
    login = base64.b64encode(f"root:{PASSWORD}".encode()).decode()
    connection.request("GET", "/api/v2" + path, headers={"Authorization": f"Basic {login}"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    if answer.status != 200:
        raise Wrong(f"GET {path}: {answer.status} {said.decode()}")
    return json.loads(said)


@functools.lru_cache(maxsize=None)
def has_password(shadow_hash, password):
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    return library.crypt(password.encode(), shadow_hash.encode()) == shadow_hash.encode()


@functools.lru_cache(maxsize=None)
def nt_hash(password):
    command = ["openssl", "dgst", "-md4", "-provider", "legacy", "-provider", "default", "-r"]
    said = subprocess.run(command, input=password.encode("utf-16-le"), capture_output=True, check=True).stdout
    return said.decode().split()[0].upper()


class Disk:
    """The account files as they are now."""

    def __init__(self, root):
        self.root = root
        self.lines = {name: self.read(path) for name, path in FILES.items()}

    def read(self, path):
        try:
            text = (self.root / "etc" / path).read_text()
        except FileNotFoundError:
            return {}
        lines = text.split("\n")
        if lines.pop():
            raise Wrong(f"the last line of /etc/{path} is not whole")
        rows = [line.split(":") for line in lines if line and not line.startswith("#")]
        found = {row[0]: row for row in rows}
        if len(found) != len(rows):
            raise Wrong(f"/etc/{path} has a name twice")
        return found

    def members(self, kind, name):
        return set(filter(None, self.lines[kind][name][3].split(",")))

    def trace(self, name):
        """Where a user's name is said."""
        places = [f"/etc/{FILES[kind]}" for kind in USERS if name in self.lines[kind]]
        places += [f"member of {group} in {kind}" for kind in GROUPS for group in self.lines[kind]
                   if name in self.members(kind, group)]
        return places

    def trace_group(self, name):
        return [f"/etc/{FILES[kind]}" for kind in GROUPS if name in self.lines[kind]]

    def differs(self, state, user):
        """In what an account is not what it should be; `user` is how REST shows it."""
        name, found = state["name"], []
        missing = [FILES[kind] for kind in USERS if name not in self.lines[kind]]
        missing += [FILES[kind] for kind in GROUPS if state["group"] not in self.lines[kind]]
        if missing or user is None:
            return [f"{name} is not in {', '.join(missing) or 'REST'}"]
        passwd, shadow, samba = (self.lines[kind][name] for kind in ("passwd", "shadow", "samba"))

        def compare(what, there, wanted):
            if there != wanted:
                found.append(f"{name}: {what} is {there!r} and not {wanted!r}")

        compare("passwd", [passwd[2], passwd[4], passwd[5], passwd[6]],
                [str(state["uid"]), state["full_name"], state["home"], state["shell"]])
        compare("gid", passwd[3], self.lines["group"][state["group"]][2])
        compare("locked", shadow[1].startswith("!"), state["locked"])
        compare("password", has_password(shadow[1].lstrip("!"), state["password"]), True)
        compare("uid of Samba", samba[1], str(state["uid"]))
        compare("NT hash", samba[3], nt_hash(state["password"]))
        compare("Samba's flag", "D" in samba[4], state["locked"])
        for kind in GROUPS:
            compare(kind, sorted(group for group in load.GROUPS if name in self.members(kind, group)), state["groups"])
        compare("drop-in", (self.root / f"etc/sudoers.d/accountd-user-{user['id']}").exists(), state["sudo"])
        compare("REST", [user["uid"], user["full_name"], user["home"], user["shell"], user["locked"], user["sudo"] is not None],
                [state[key] for key in ("uid", "full_name", "home", "shell", "locked", "sudo")])
        compare("groups of REST", sorted(set(user["groups"]) & set(load.GROUPS)), state["groups"])
        self.compare_home(compare, state)
        return found

    def compare_home(self, compare, state):
        home = self.root / state["home"].lstrip("/")
        status = os.lstat(home) if os.path.lexists(home) else None
        compare("owner of the home", status and status.st_uid, state["uid"])
        keys = home / ".ssh/authorized_keys"
        compare("keys", keys.read_text().splitlines() if keys.exists() else [], state["keys"])
        if keys.exists():
            compare("owner of keys", keys.stat().st_uid, state["uid"])
            compare("files beside the keys", sorted(os.listdir(keys.parent)), ["authorized_keys"])

    def leftovers(self):
        """What only a change that is under way has."""
        for directory in ("etc", "etc/samba", "etc/sudoers.d", "mnt/tank/home"):
            if not (self.root / directory).is_dir():
                continue
            for name in os.listdir(self.root / directory):
                if name != ".pwd.lock" and (".accountd" in name or name.startswith(".") or name.endswith((".lock", "+"))):
                    yield f"/{directory}/{name} is left over"
        homes = self.homes()
        for parent in ("home", "moved*"):
            for place in (self.root / "mnt/tank").glob(f"{parent}/*"):
                if place.name not in homes:
                    yield f"{place} is nobody's home"

    def homes(self):
        return {row[5].rsplit("/", 1)[1] for row in self.lines["passwd"].values()}


def differences(root, address, known):
    disk = Disk(root)
    users = {user["username"]: user for user in get(address, "/users?limit=1000")["items"]}
    begun = {before["name"]: (before, after) for before, after in known.begun.values() if before}
    found = list(disk.leftovers())
    for name, state in known.accounts.items():
        options = begun.get(name, (state,))
        found += neither(disk, users, options)
    for before, after in known.begun.values():
        if before is None:
            found += neither(disk, users, (None, after))
    for name in known.gone:
        found += [f"{name} was deleted or renamed, and there is {place}" for place in disk.trace(name)]
    for name in known.gone_groups:
        found += [f"the group {name} was deleted, and there is {place}" for place in disk.trace_group(name)]
    return found


def neither(disk, users, options):
    """Nothing if the account is as one of the options has it, and there is nothing of the others."""
    why = []
    names = {state["name"] for state in options if state}
    groups = {state["group"] for state in options if state}
    for state in options:
        strange = names - {state["name"]} if state else names
        found = [f"there is {place} of {name}" for name in strange for place in disk.trace(name)]
        found += [f"there is {place} of the group {group}" for group in groups if not state for place in disk.trace_group(group)]
        if state:
            found += disk.differs(state, users.get(state["name"]))
        if not found:
            return []
        why.append("; ".join(found))
    return [" / ".join(why)]


def look(nas, known):
    """All that has to hold on a root on which the programs run again; raises what does not."""
    until = time.monotonic() + PATIENCE
    while found := differences(nas.root, nas.address, known):
        if time.monotonic() > until:
            raise Wrong("\n".join(found))
        time.sleep(0.05)
    check_programs(nas)


def check_programs(nas):
    said = nas.get("/checks?homes=true")
    findings = [finding for finding in said["items"] if finding["severity"] != "note"]
    if findings:
        raise Wrong(f"the check finds {json.dumps(findings, indent=1)}")
    # pwck says 2 where homes of users of the system are missing, and does not name them with -q.
    for command, good in ((("pwck", "-r", "-q"), (0, 2)), (("grpck", "-r"), (0,))):
        status, text = nas.inside(*command)
        if status not in good or text.strip():
            raise Wrong(f"{' '.join(command)}: {status} {text}")
    if not nas.get("/audit/verification")["whole"]:
        raise Wrong("the audit trail is not whole")
