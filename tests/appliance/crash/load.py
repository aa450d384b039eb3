"""Clients of REST that change accounts, each those of its own, and note what they have begun and what was acknowledged.

A note says what the account is to be like, whole (`State`), so that whoever looks at a disk needs nothing else: a change
that was acknowledged is there, and of one that has only begun all is there or nothing.
"""

import base64
import http.client
import json
import random
import threading

POOL = "/mnt/tank"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} {}"
#: Groups that there are already.
GROUPS = ["games", "staff", "adm"]
SUDO = {"commands": ["/usr/bin/id"]}


def key(random_bytes, comment):
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + random_bytes
    return f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}"


class Refused(Exception):
    """An answer that no client here expects."""


class Client(threading.Thread):
    """Changes accounts until it is told to stop, or nobody answers any more."""

    #: What it may ask for beside the rest.
    grants = True

    def __init__(self, number, seed, address, password, note):
        super().__init__(daemon=True)
        self.number, self.address, self.note = number, address, note
        self.random = random.Random(f"{seed} {number}")
        self.login = base64.b64encode(f"root:{password}".encode()).decode()
        self.connection = None
        self.accounts = {}
        self.made = self.changes = 0
        self.stopped = threading.Event()
        self.error = None

    def run(self):
        try:
            while not self.stopped.is_set():
                self.step()
        except Exception as error:  # shown by whoever waits for it
            self.error = error

    def step(self):
        if len(self.accounts) < 3 or (len(self.accounts) < 8 and self.random.random() < 0.3):
            return self.create()
        name = self.random.choice(sorted(self.accounts))
        ways = [self.rename, self.describe, self.describe, self.set_password, self.set_password, self.set_groups]
        ways += [self.set_groups, self.set_keys, self.set_keys, self.lock, self.move_home, self.renumber]
        ways += [self.delete, self.delete] + ([self.grant] if self.grants else [])
        return self.random.choice(ways)(name)

    def create(self):
        self.made += 1
        name = f"c{self.number}n{self.made}"
        state = {
            "name": name, "group": name, "uid": 10000 + 1000 * self.number + self.made, "full_name": "New", "shell": "/bin/bash",
            "home": f"{POOL}/home/{name}", "password": self.word(), "groups": self.some_groups(),
            "keys": [self.a_key()], "locked": False, "sudo": self.grants and self.random.random() < 0.5,
        }
        body = {key: value for key, value in state.items() if key not in ("name", "group", "sudo", "locked")}
        self.change(name, state, "POST", "/users", body | {"username": name, "sudo": SUDO if state["sudo"] else None})

    def rename(self, name):
        self.made += 1
        self.patch(name, {"name": f"c{self.number}r{self.made}"}, lambda new: {"username": new["name"]})

    def describe(self, name):
        new = {"full_name": f"Somebody {self.random.randrange(10**6)}", "shell": self.random.choice(["/bin/bash", "/bin/sh"])}
        self.patch(name, new, lambda _: new)

    def set_password(self, name):
        self.patch(name, {"password": self.word()}, lambda new: {"password": new["password"]})

    def set_groups(self, name):
        groups = {"groups": self.some_groups()}
        self.patch(name, groups, lambda _: groups)

    def lock(self, name):
        locked = {"locked": not self.accounts[name]["locked"]}
        self.patch(name, locked, lambda _: locked)

    def grant(self, name):
        granted = not self.accounts[name]["sudo"]
        self.patch(name, {"sudo": granted}, lambda _: {"sudo": SUDO if granted else None})

    def move_home(self, name):
        self.made += 1
        home = {"home": f"{POOL}/moved{self.number}/{self.made}"}
        self.patch(name, home, lambda _: home | {"home_transfer": "move"})

    def renumber(self, name):
        self.made += 1
        uid = {"uid": 10000 + 1000 * self.number + self.made}
        self.patch(name, uid, lambda _: uid)

    def set_keys(self, name):
        keys = {"keys": [self.a_key() for _ in range(self.random.randrange(3))]}
        self.change(name, self.accounts[name] | keys, "PUT", f"/users/{name}/keys", keys)

    def delete(self, name):
        self.change(name, None, "DELETE", f"/users/{name}?delete_home=true")

    def patch(self, name, new, body):
        state = self.accounts[name] | new
        self.change(name, state, "PATCH", f"/users/{name}", body(state))

    def change(self, name, state, method, path, body=None):
        """Notes what is asked for, asks, and notes that it was done."""
        before = self.accounts.get(name)
        self.note({"client": self.number, "begun": [before, state]})
        self.ask(method, path, body)
        self.note({"client": self.number, "done": [before, state]})
        self.accounts.pop(name, None)
        if state:
            self.accounts[state["name"]] = state
        self.changes += 1

    def ask(self, method, path, body):
        self.connection = self.connection or http.client.HTTPConnection(*self.address, timeout=120)
        headers = {"Authorization": f"Basic {self.login}", "Content-Type": "application/json"}
        self.connection.request(method, "/api/v2" + path, json.dumps(body) if body is not None else None, headers)
        answer = self.connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise Refused(f"{method} {path} {body}: {answer.status} {said.decode()}")

    def word(self):
        return f"Pw-{self.random.randrange(10**12):012}"

    def a_key(self):
        return key(self.random.randbytes(32), f"c{self.number}@client")

    def some_groups(self):
        return sorted(self.random.sample(GROUPS, self.random.randrange(len(GROUPS) + 1)))


class Known:
    """What notes say: the accounts that have to be there, and what may have become of one of each client."""

    def __init__(self, notes):
        self.accounts, self.begun, self.gone, self.gone_groups = {}, {}, set(), set()
        self.acknowledged = 0
        for note in notes:
            if "begun" in note:
                self.begun[note["client"]] = note["begun"]
            elif "done" in note:
                before, after = self.begun.pop(note["client"])
                self.acknowledged += 1
                if before:
                    del self.accounts[before["name"]]
                    self.gone.add(before["name"])
                    self.gone_groups |= set() if after else {before["group"]}
                if after:
                    self.accounts[after["name"]] = after
        self.gone -= self.accounts.keys()
