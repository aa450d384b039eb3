"""Speaks to a Unix socket as it is told to, a line of JSON for each order."""
import ctypes
import json
import os
import socket
import struct
import sys

PATH = sys.argv[1]
PATIENCE = 100
# So long nothing is taken by a peer that takes nothing.
STUCK = 2
held = []
# The streams of sessions: one that is closed ends its session.
kept = []


def part(peer, length):
    got = b""
    while len(got) < length:
        more, descriptors, *_ = socket.recv_fds(peer, length - len(got), 8)
        kept.extend(descriptors)
        if not more:
            return None
        got += more
    return got


def frame(peer):
    try:
        head = part(peer, 4)
        body = head and part(peer, struct.unpack(">I", head)[0])
    except ConnectionResetError:
        body = None
    return None if body is None else json.loads(body)


def of_process(process, descriptor):
    """The connection that another process has (pidfd_getfd(2))."""
    pidfd_getfd = 438
    of = os.pidfd_open(int(process))
    got = ctypes.CDLL(None, use_errno=True).syscall(pidfd_getfd, of, int(descriptor), 0)
    if got < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return socket.socket(fileno=got)


def connect():
    if not PATH.startswith("/"):
        peer = of_process(*PATH.split(":"))
    else:
        peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(PATIENCE)
    try:
        if PATH.startswith("/"):
            peer.connect(PATH)
    except PermissionError:
        return None
    held.append(peer)
    return len(held) - 1


def send(on, start, filler, descriptors):
    data = bytes.fromhex(start) + b"x" * filler
    try:
        if descriptors:
            socket.send_fds(held[on], [data], [0] * descriptors)
        else:
            held[on].sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        # What was said before that can be read still.
        return "ended"
    return "sent"


def pour(on, start, filler):
    """As much as is taken; says how much that was."""
    data = memoryview(bytes.fromhex(start) + b"x" * filler)
    taken = 0
    held[on].settimeout(STUCK)
    try:
        while taken < len(data):
            taken += held[on].send(data[taken:taken + 65536])
    except TimeoutError:
        pass
    held[on].settimeout(PATIENCE)
    return taken


def close(on):
    held[on].close()


ORDERS = {"connect": connect, "send": send, "pour": pour, "frame": lambda on: frame(held[on]), "close": close}
for line in sys.stdin:
    order = json.loads(line)
    print(json.dumps(ORDERS[order[0]](*order[1:])), flush=True)
