"""A client of SFTPGo's REST API as its users have one: the ten commands, over requests with Basic."""

import argparse
import json
import sys
from urllib.parse import urljoin

import requests

PERMISSIONS = ["*", "list", "download", "upload", "delete", "rename", "create_dirs", "create_symlinks"]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("-b", "--base-url", default="http://127.0.0.1:8080")
    parser.add_argument("-u", "--auth-user", required=True)
    parser.add_argument("-p", "--auth-password", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ["add-user", "update-user", "start-quota-scan"]:
        command = commands.add_parser(name)
        if name == "update-user":
            command.add_argument("id", type=int)
        command.add_argument("username")
        user_flags(command)
    for name in ["delete-user", "get-user-by-id"]:
        commands.add_parser(name).add_argument("id", type=int)
    listing = commands.add_parser("get-users")
    listing.add_argument("-L", "--limit", type=int, default=100)
    listing.add_argument("-O", "--offset", type=int, default=0)
    listing.add_argument("-U", "--username", default="")
    listing.add_argument("-S", "--order", choices=["ASC", "DESC"], default="ASC")
    commands.add_parser("close-connection").add_argument("connection")
    for name in ["get-connections", "get-quota-scans", "get-version"]:
        commands.add_parser(name)
    return parser.parse_args()


def user_flags(command):
    command.add_argument("-P", "--password", default="")
    command.add_argument("-K", "--public-keys", nargs="+", default=[])
    command.add_argument("-H", "--home-dir", default="")
    command.add_argument("-G", "--permissions", nargs="+", choices=PERMISSIONS, default=[])
    for short, name in [("", "uid"), ("", "gid"), ("C", "max-sessions"), ("S", "quota-size"), ("F", "quota-files"),
                        ("U", "upload-bandwidth"), ("D", "download-bandwidth")]:
        flags = [f"-{short}"] if short else []
        command.add_argument(*flags, f"--{name}", type=int, default=0)


def user_of(given, number):
    """Numbers always, the rest only where there is something to say."""
    user = {"id": number, "username": given.username}
    for name in ["uid", "gid", "max_sessions", "quota_size", "quota_files", "upload_bandwidth", "download_bandwidth"]:
        user[name] = getattr(given, name)
    for name in ["password", "public_keys", "home_dir", "permissions"]:
        if getattr(given, name):
            user[name] = getattr(given, name)
    return user


def main():
    given = arguments()

    def send(method, path, **more):
        url = urljoin(given.base_url, "/api/v1/" + path)
        return requests.request(method, url, auth=(given.auth_user, given.auth_password), timeout=60, **more)

    def listed():
        names = ["limit", "offset", "order", "username"]
        return send("GET", "user", params={name: getattr(given, name) for name in names})

    commands = {
        "add-user": lambda: send("POST", "user", json=user_of(given, 0)),
        "update-user": lambda: send("PUT", f"user/{given.id}", json=user_of(given, given.id)),
        "delete-user": lambda: send("DELETE", f"user/{given.id}"),
        "get-users": listed,
        "get-user-by-id": lambda: send("GET", f"user/{given.id}"),
        "get-connections": lambda: send("GET", "connection"),
        "close-connection": lambda: send("DELETE", f"connection/{given.connection}"),
        "get-quota-scans": lambda: send("GET", "quota_scan"),
        "start-quota-scan": lambda: send("POST", "quota_scan", json=user_of(argparse.Namespace(
            **{**vars(given), "password": "", "public_keys": [], "home_dir": "", "permissions": []}), 0)),
        "get-version": lambda: send("GET", "version"),
    }
    answer = commands[given.command]()
    if "application/json" in answer.headers.get("content-type", ""):
        print(json.dumps(answer.json(), sort_keys=True, indent=2))
    else:
        print(answer.text)
    return 0


sys.exit(main())
