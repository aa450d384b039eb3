"""Sends well-framed SSH payloads whose content is made up, and logs in again when the server has had enough.

payloads.py PORT KEY COUNT SEED: says how many were sent and how often it had to log in.
"""
import random
import socket
import struct
import sys

import paramiko

PORT, KEY, COUNT, SEED = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
pick = random.Random(SEED)
key = paramiko.Ed25519Key.from_private_key_file(KEY)
REQUESTS = [b"subsystem", b"exec", b"shell", b"pty-req", b"env", b"window-change", b"signal", b"x11-req",
            b"auth-agent-req@openssh.com", b"exit-status", b"break", b"eow@openssh.com", b"\xff\xfe", b""]
CHANNELS = [b"session", b"direct-tcpip", b"forwarded-tcpip", b"x11", b"direct-streamlocal@openssh.com", b"auth-agent@openssh.com", b""]
GLOBALS = [b"tcpip-forward", b"cancel-tcpip-forward", b"streamlocal-forward@openssh.com", b"keepalive@openssh.com",
           b"hostkeys-prove-00@openssh.com", b"no-more-sessions@openssh.com", b""]
# Messages that are about a connection that has been made (RFC 4254), and some that are not.
NUMBERS = [2, 3, 4, 5, 6, 7, 20, 21, 30, 31, 50, 51, 52, 60, 61, 80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 192, 255]


def string(text):
    length = len(text)
    if pick.random() < 0.1:
        length = pick.choice([0, 1, length + 1, 0x7FFFFFFF, 0xFFFFFFFF])
    return struct.pack(">I", length & 0xFFFFFFFF) + text


def number():
    return struct.pack(">I", pick.choice([0, 1, 2, 7, 0x7FFFFFFF, 0xFFFFFFFF, pick.getrandbits(32)]))


def noise(most=40):
    return pick.randbytes(pick.randrange(most))


def request(channel):
    name = pick.choice(REQUESTS)
    body = string(name) + bytes([pick.getrandbits(1)])
    if name in (b"subsystem", b"exec", b"signal"):
        body += string(pick.choice([b"sftp", b"true", b"TERM", b"", noise()]))
    elif name == b"pty-req":
        body += string(b"xterm") + number() * 4 + string(noise())
    elif name == b"window-change":
        body += number() * 4
    elif name == b"env":
        body += string(noise(10)) + string(noise())
    else:
        body += noise()
    return b"\x62" + struct.pack(">I", channel) + body


def payload(channel):
    kind = pick.randrange(7)
    if kind == 0:
        made = request(channel)
    elif kind == 1:
        made = b"\x5e" + struct.pack(">I", channel) + string(noise(2000))
    elif kind == 2:
        made = b"\x5d" + struct.pack(">I", channel) + number()
    elif kind == 3:
        name = pick.choice(CHANNELS)
        made = b"\x5a" + string(name) + number() * 3 + (string(b"127.0.0.1") + number() + string(b"h") + number() if pick.getrandbits(1) else noise())
    elif kind == 4:
        made = b"\x50" + string(pick.choice(GLOBALS)) + bytes([pick.getrandbits(1)]) + noise()
    elif kind == 5:
        made = bytes([pick.choice([96, 97, 95])]) + struct.pack(">I", channel) + noise()
    else:
        made = bytes([pick.choice(NUMBERS)]) + noise(200)
    # Short ones are what servers forget.
    return made[: pick.randrange(1, len(made) + 1)] if pick.random() < 0.2 else made


def connect():
    transport = paramiko.Transport(socket.create_connection(("127.0.0.1", PORT)))
    transport.daemon = True
    transport.connect(username="anna", pkey=key)
    return transport, transport.open_session()


paramiko.util.logging.disable(50)
sent, logins, transport = 0, 0, None
while sent < COUNT:
    try:
        if transport is None or not transport.is_active():
            transport, session = connect()
            logins += 1
        channel = session.remote_chanid if pick.random() < 0.8 else pick.randrange(5)
        transport._send_message(paramiko.Message(payload(channel)))
        sent += 1
        if sent % 500 == 0:
            transport.close()
    except (paramiko.SSHException, EOFError, OSError):
        if transport is not None:
            transport.close()
        transport = None
print(sent, logins)
