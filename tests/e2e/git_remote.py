# SPDX-License-Identifier: Apache-2.0
"""Remotes for tests of the git steps: bare repositories, and a smart HTTP server that can misbehave."""
import base64
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading

import lib

USER, TOKEN = "bot", "canary-Zu4Lk9Qm2Xw7Rt5Vb8Np"
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
       "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@a.example", "GIT_COMMITTER_NAME": "a",
       "GIT_COMMITTER_EMAIL": "a@a.example"}


def need_git():
    if shutil.which("git") is None:
        print("skipped: there is no git")
        sys.exit(lib.SKIP)


def git(*words, cwd=None, stdin=None, check=True):
    done = subprocess.run(["git", *words], cwd=cwd, input=stdin, capture_output=True, env=ENV, check=False)
    assert not check or done.returncode == 0, (words, done.stderr)
    return done.stdout.decode(errors="replace").strip()


def make_bare(path, files=None):
    """A bare repository with one commit of {name: bytes} on main; without files, an empty one."""
    git("init", "-q", "--bare", "-b", "main", path)
    git("-C", path, "config", "http.receivepack", "true")
    if files is not None:
        work = path + ".work"
        git("init", "-q", "-b", "main", work)
        for name, content in files.items():
            where = os.path.join(work, name)
            os.makedirs(os.path.dirname(where), exist_ok=True)
            with open(where, "wb") as file:
                file.write(content)
        git("add", "-A", cwd=work)
        git("commit", "-q", "-m", "first", cwd=work)
        git("push", "-q", path, "main", cwd=work)
        shutil.rmtree(work)
    return path


def plant(path, entries, ref="refs/heads/main"):
    """A commit of tree entries [(mode, name bytes, content bytes, or nested entries)], as they are:
    nothing of git's own checks looks at them."""
    def tree_of(items):
        made = b""
        for mode, name, content in items:
            if mode == "160000":
                oid = content
            elif isinstance(content, list):
                oid = tree_of(content)
            else:
                oid = git("-C", path, "hash-object", "-w", "--stdin", stdin=content)
            made += mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid)
        return git("-C", path, "hash-object", "-w", "-t", "tree", "--stdin", "--literally", stdin=made)
    commit = git("-C", path, "commit-tree", tree_of(entries), "-m", "planted")
    git("-C", path, "update-ref", ref, commit)
    return commit


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            got = b""
            while size := int(self.rfile.readline(), 16):
                got += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return got
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def backend(self):
        path, _, query = self.path.partition("?")
        body = self.body()
        owner = self.server.owner
        owner.seen.append((self.command, self.path, len(body)))
        given = self.headers.get("Authorization", "")
        wanted = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if owner.locked and given != wanted:
            self.send_error(401)
            return
        push = self.command == "POST" and path.endswith("/git-receive-pack")
        if push and owner.before_push is not None:
            owner.before_push(self)
        env = {**ENV, "GIT_PROJECT_ROOT": owner.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "bot",
               "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body))}
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=env, check=False)
        if push and owner.after_push is not None and owner.after_push(self):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((int(value[:3]) for name, value in lines if name == "Status"), 200)
        self.send_response(status)
        for name, value in lines:
            if name not in ("Status", "Content-Length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self):  # pylint: disable=invalid-name
        self.guarded()

    def do_POST(self):  # pylint: disable=invalid-name
        self.guarded()

    def guarded(self):
        try:
            self.backend()
        except OSError:
            self.close_connection = True


class Server:
    """git http-backend on a free port of this machine. after_push may say that the answer is lost."""

    def __init__(self, root, locked=True):
        self.root, self.locked = root, locked
        self.seen, self.before_push, self.after_push = [], None, None
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda request, address: None  # clients are killed on purpose
        self.server.owner = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.allow = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.server.shutdown()
        self.server.server_close()
