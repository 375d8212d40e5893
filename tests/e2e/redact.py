# SPDX-License-Identifier: Apache-2.0
"""Does `stint redact` take every secret out and leave everything else as it was?

Secrets, encodings and contexts are made here, with Python's own encoders. REDACT_DUMP=1 prints each miss.
"""
import base64
import hashlib
import html
import json
import os
import random
import shlex
import string
import subprocess
import sys
import tempfile
import urllib.parse
import uuid

import lib

STINT = lib.binary()
chance = random.Random(20261122)


def redact(texts, secrets=(), arguments=()):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.write("".join(json.dumps(secret) + "\n" for secret in secrets))
        file.flush()
        done = subprocess.run([STINT, "redact", "--lines", "--secrets", file.name, *arguments],
                              input="".join(json.dumps(text) + "\n" for text in texts),
                              capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(out) == len(texts), (len(out), len(texts))
    return out


def body(alphabet, n):
    return "".join(chance.choice(alphabet) for _ in range(n))


ALNUM = string.ascii_letters + string.digits
SIGNS = ALNUM + "!#%&*+-./:;<=>?@^_~'\"\\ "


def declared():
    return [body(ALNUM, 20), body(ALNUM, 40), body("0123456789abcdef", 32), body(SIGNS, 24).strip() + "x9",
            "pä55wörd-" + body(ALNUM, 8), body(ALNUM + "+/", 43) + "=", str(uuid.UUID(int=chance.getrandbits(128))),
            body(SIGNS, 16).strip() + "Q7", "two words " + body(ALNUM, 12)]


def in_base64(secret, shift, encode=base64.b64encode):
    return encode((body(ALNUM, shift) + secret + body(ALNUM, 5)).encode()).decode()


def wrapped(text, n, end="\n"):
    return end.join(text[i:i + n] for i in range(0, len(text), n))


ENCODINGS = {
    "raw": lambda s: s,
    "base64 0": lambda s: in_base64(s, 0),
    "base64 1": lambda s: in_base64(s, 1),
    "base64 2": lambda s: in_base64(s, 2),
    "base64 alone": lambda s: base64.b64encode(s.encode()).decode(),
    "base64url": lambda s: in_base64(s, 4, base64.urlsafe_b64encode),
    "base64 wrapped": lambda s: wrapped(in_base64(body(ALNUM, 57) + s, 1), 76),
    "base64 wrapped crlf": lambda s: wrapped(in_base64(body(ALNUM, 40) + s, 1), 64, "\r\n"),
    "base64 wrapped indented": lambda s: wrapped(in_base64(body(ALNUM, 40) + s, 2), 64, "\n    "),
    "base64 wrapped in json": lambda s: json.dumps(wrapped(in_base64(body(ALNUM, 40) + s, 2), 64)),
    "base64 twice": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    "basic": lambda s: "Basic " + base64.b64encode(("user:" + s).encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "hex colons": lambda s: s.encode().hex(":"),
    "hex wrapped": lambda s: wrapped((body(ALNUM, 20) + s).encode().hex(), 60),
    "percent": lambda s: urllib.parse.quote(s, safe=""),
    "percent path": urllib.parse.quote,
    "percent form": urllib.parse.quote_plus,
    "percent twice": lambda s: urllib.parse.quote(urllib.parse.quote(s, safe=""), safe=""),
    "json": json.dumps,
    "json utf-8": lambda s: json.dumps(s, ensure_ascii=False),
    "json twice": lambda s: json.dumps(json.dumps({"a": s})),
    "html": html.escape,
    "shell": shlex.quote,
    "repr": repr,
    "unicode": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "coloured": lambda s: "\x1b[32m" + s[:5] + "\x1b[1;31m" + s[5:] + "\x1b[0m",
    "every letter coloured": lambda s: "".join(f"\x1b[3{i % 8}m{c}" for i, c in enumerate(s)),
    "broken by crlf": lambda s: wrapped(s.replace(" ", "_"), 9, "\r\n") if " " not in s else s,
}
AROUND = ["@", "password is @ and more", "\n@\n", "{\"log\": \"@\"}", "x@y", "a=@&b=c", "(@)", "\x1b[1m@\x1b[0m", "@,@"]


def declared_secrets_are_found_in_every_form():
    misses, tried = [], 0
    for secret in declared():
        cases = [(name, around, around.replace("@", encode(secret)))
                 for name, encode in ENCODINGS.items() for around in AROUND
                 # Two layers of base64 are undone where they begin and end, not within a third.
                 if name != "base64 twice" or around != "x@y"]
        outs = redact([text for _, _, text in cases], [secret])
        again = redact(outs, [secret])
        for (name, around, text), out, twice in zip(cases, outs, again):
            tried += 1
            assert out == twice, (out, twice)
            if "[redacted:" not in out or secret in out or ENCODINGS["base64 alone"](secret)[:-4] in out:
                misses.append((name, around, secret, out))
    return misses, tried


def repeated(kind, count=3):
    return [kind() for _ in range(count)]


HEX = "0123456789abcdef"
LOOK_ALIKES = {
    "git log": lambda: f"commit {body(HEX, 40)}\nAuthor: A <a@example.com>\nDate:   Mon Nov 2\n\n    fix token refresh\n",
    "git short": lambda: f"{body(HEX, 7)} (HEAD -> main) secrets: rotate the keys of staging",
    "git index": lambda: f"index {body(HEX, 7)}..{body(HEX, 7)} 100644",
    "uuid": lambda: str(uuid.UUID(int=chance.getrandbits(128))),
    "uuid keyed": lambda: f"session_id={uuid.UUID(int=chance.getrandbits(128))} request_id={body(HEX, 16)}",
    "ulid": lambda: "01" + body("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24),
    "run": lambda: f"r_{uuid.UUID(int=chance.getrandbits(128))} c_{uuid.UUID(int=chance.getrandbits(128))}",
    "sha256sum": lambda: f"{hashlib.sha256(body(HEX, 4).encode()).hexdigest()}  dist/stint_0.1.0.deb",
    "digest": lambda: f"docker.io/library/debian@sha256:{body(HEX, 64)}",
    "integrity": lambda: '"integrity": "sha512-' + base64.b64encode(chance.randbytes(64)).decode() + '"',
    "go.sum": lambda: f"example.com/a/b v1.2.3 h1:{base64.b64encode(chance.randbytes(32)).decode()}",
    "cargo": lambda: f'checksum = "{body(HEX, 64)}"',
    "image": lambda: "data:image/png;base64," + base64.b64encode(chance.randbytes(300)).decode(),
    "openai id": lambda: f'{{"id":"chatcmpl-{body(ALNUM, 29)}","system_fingerprint":"fp_{body(HEX, 10)}"}}',
    "anthropic id": lambda: f'{{"id":"msg_01{body(ALNUM, 22)}","type":"message"}} toolu_01{body(ALNUM, 22)}',
    "stripe id": lambda: f"cus_{body(ALNUM, 14)} pi_{body(ALNUM, 24)} evt_{body(ALNUM, 24)} pk_live_{body(ALNUM, 24)}",
    "deployment": lambda: f"dpl_{body(ALNUM, 24)} prj_{body(ALNUM, 24)} https://web-{body(HEX, 9)}-acme.vercel.app",
    "arn": lambda: f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-{body(ALNUM, 6)}",
    "trace": lambda: f"traceparent: 00-{body(HEX, 32)}-{body(HEX, 16)}-01",
    "etag": lambda: f'ETag: W/"{body(HEX, 32)}"',
    "usage": lambda: '{"usage":{"input_tokens":12345,"output_tokens":678901,"total_tokens":691246},"max_tokens":4096}',
    "path": lambda: "PWD=/srv/app/current\nHOME=/srv/app\nOLDPWD=/srv/releases/20261122\n",
    "reference": lambda: "password: ${DB_PASSWORD}\ntoken: ${{ secrets.DEPLOY_TOKEN }}\napi_key=$API_KEY",
    "code": lambda: "const token = await getToken(user.id);\nif (password !== confirmPassword) throw new Error('no match');",
    "types": lambda: "def login(user: str, password: str, token: Optional[str] = None) -> Session:",
    "empty": lambda: "password=\nTOKEN=\"\"\nsecret: null\napi_key: ''",
    "placeholder": lambda: "export API_KEY=<your-api-key>\nOPENAI_API_KEY=sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "prose": lambda: "The token budget is spent; the secret to good logs is structure. Password reset mails were sent.",
    "certificate": lambda: "-----BEGIN CERTIFICATE-----\n" + wrapped(base64.b64encode(chance.randbytes(300)).decode(), 64)
                           + "\n-----END CERTIFICATE-----\n",
    "public key": lambda: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{body(ALNUM, 43)} ci@example",
    "public key of": lambda: '"public_key": "' + base64.b64encode(chance.randbytes(32)).decode() + '"',
    "mail": lambda: "git@github.com:acme/web.git ssh://git@host.example/a.git https://example.com/@scope/pkg",
    "css": lambda: f".btn-{body(ALNUM, 8)}{{color:#{body(HEX, 6)};background:url(/img/{body(HEX, 20)}.png)}}",
    "bundle": lambda: f"dist/assets/index-{body(ALNUM, 8)}.js   1,204.11 kB | gzip: 401.02 kB",
    "kube": lambda: f"pod/web-{body(HEX, 10)}-{body(ALNUM.lower(), 5)} 1/1 Running secret/db-credentials created",
    "page token": lambda: f'"nextPageToken": "CAUQAA", "next_cursor": "{base64.b64encode(chance.randbytes(18)).decode()}"',
    "marker": lambda: "[redacted:password] and [redacted:github-token:01234567]",
    "idempotency": lambda: f"Idempotency-Key: c_{uuid.UUID(int=chance.getrandbits(128))}-1",
    "cache key": lambda: f"cache key: node-modules-linux-{body(HEX, 64)}",
    "cookie word": lambda: "the cookie: chocolate chip; authorization: required by law",
    "x-request-id": lambda: f"x-request-id: {body(HEX, 32)}\nx-amz-request-id: {body(ALNUM.upper(), 16)}",
    "key id": lambda: f"kid={body(ALNUM, 16)} key_id: {body(HEX, 16)} primary_key=customer_number partition_key: tenant",
    "tls": lambda: f"SHA256 Fingerprint={':'.join(body('0123456789ABCDEF', 2) for _ in range(32))}",
    "ssh host": lambda: f"ED25519 key fingerprint is SHA256:{body(ALNUM, 43)}.",
    "lockfile": lambda: f'  resolved "https://example.com/lodash/-/lodash-4.17.21.tgz#{body(HEX, 40)}"',
    "csrf": lambda: f"csrf_token: {body(HEX, 16)}",
    "counts": lambda: "secrets found: 0, tokens used: 1234567, keys rotated: 12, passwords checked: 100000",
}


def look_alikes_survive():
    texts = [(name, text) for name, make in LOOK_ALIKES.items() for text in repeated(make, 6)]
    outs = redact([text for _, text in texts])
    return [(name, "", text, out) for (name, text), out in zip(texts, outs) if text != out], len(texts)


SECRET_CONTEXTS = {
    "env": "export DB_PASSWORD=@\n",
    "env quoted": 'API_SECRET="@"',
    "yaml": "database:\n  password: @\n  host: db\n",
    "yaml quoted": "  client_secret: '@'\n",
    "json": '{"host": "db", "password": "@", "n": 1}',
    "json twice": '{"body": "{\\"api_key\\": \\"@\\"}"}',
    "toml": 'auth_token = "@"',
    "ini": "[db]\npassword = @\n",
    "properties": "spring.datasource.password=@",
    "header": "X-Api-Key: @\r\n",
    "authorization": "Authorization: Bearer @",
    "curl header": "curl -H 'Authorization: token @' https://api.example.com",
    "curl user": "curl -u admin:@ https://example.com/",
    "curl user long": "curl --user admin:@ https://example.com/",
    "flag": "deploy --api-token @ --env prod",
    "flag =": "deploy --password=@ --env prod",
    "mysql -p": "mysql -u root -p@ -h db app",
    "sshpass": "sshpass -p @ ssh deploy@host",
    "docker login": "docker login -u bot -p @ registry.example.com",
    "redis-cli": "redis-cli -h cache -a @ ping",
    "userinfo": "git clone https://oauth2:@@git.example.com/a/b.git",
    "postgres": "postgresql://app:@@db.internal:5432/app?sslmode=require",
    "amqp": "amqp://guest:@@mq:5672/%2f",
    "jdbc": "jdbc:postgresql://db/app?user=app&password=@&ssl=true",
    "ado": "Server=db;Database=app;User Id=sa;Password=@;Encrypt=true",
    "azure": "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=@;EndpointSuffix=core.windows.net",
    "dsn": "host=db user=app password=@ dbname=app",
    "cookie": "Cookie: theme=dark; session=@; lang=en",
    "set-cookie": "Set-Cookie: sid=@; Path=/; HttpOnly",
    "signed aws": "https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=@&x=1",
    "signed azure": "https://a.blob.core.windows.net/c/b?sv=2022&sr=b&sig=@&se=2026",
    "signed gcs": "https://storage.googleapis.com/b/o?X-Goog-Signature=@",
    "query": "GET /v1/items?limit=5&access_token=@ HTTP/1.1",
    "sql": "CREATE USER app WITH PASSWORD '@';",
    "sql identified": "CREATE USER 'app'@'%' IDENTIFIED BY '@';".replace("'app'@'%'", "'app'"),
    "netrc": "machine git.example.com login bot password @",
    "pgpass": "db.internal:5432:app:app:@",
    "k8s env": "        - name: DB_PASSWORD\n          value: @\n",
    "k8s env json": '{"env": [{"name": "API_TOKEN", "value": "@"}]}',
    "k8s secret": "kind: Secret\napiVersion: v1\ndata:\n  token: @\n",
    "terraform": 'variable "db_password" {\n  default = "@"\n}',
    "xml": "<Password>@</Password>",
    "npmrc": "//registry.example.com/:_authToken=@",
    "dockerfile": "ENV SECRET_KEY_BASE=@",
    "python": 'client = Client(api_key="@", timeout=5)',
    "js": "const apiKey = '@';",
    "go": 'os.Setenv("GITHUB_TOKEN", "@")',
    "ruby hash": ":secret_key => '@'",
    "php": "define('DB_PASSWORD', '@');",
    "powershell": '$env:CLIENT_SECRET = "@"',
    "prose": "the password is: @",
    "json pair": '{"key":"client_secret","value":"@","type":"text"}',
    "form": "grant_type=client_credentials&client_secret=@&scope=all",
    "percent form": "grant_type%3Dx%26client_secret%3D@%26scope%3Dall",
    "coloured": "\x1b[36mPASSWORD\x1b[0m=\x1b[33m@\x1b[0m",
    "escaped": "env: \\\"API_TOKEN=@\\\"",
    "log": "2026-11-22T10:00:00Z INFO connecting with password=@ to db",
    "htpasswd": "htpasswd -b users.txt alice @",
    "openssl": "openssl rsa -in k.pem -passin pass:@",
    "basic": "proxy-authorization: Basic @",
}


def values_in_context_are_found():
    cases = []
    for name, around in SECRET_CONTEXTS.items():
        for alphabet, n in ((ALNUM, 24), (ALNUM + "_-", 32), (HEX, 40), (ALNUM, 12)):
            secret = body(string.ascii_letters, 1) + body(string.digits, 1) + body(alphabet, n - 3) + "z"
            if name.startswith("signed") and n < 20:
                continue
            at = around.rindex("@") if name not in ("userinfo", "postgres", "amqp") else around.index("@")
            if name == "sshpass":
                at = around.index("@")
            cases.append((name, around, secret, around[:at] + secret + around[at + 1:]))
    outs = redact([text for *_, text in cases])
    again = redact(outs)
    for out, twice in zip(outs, again):
        assert out == twice, (out, twice)
    return [(name, around, secret, out) for (name, around, secret, _), out in zip(cases, outs) if secret in out], len(cases)


def report(what, misses, tried, share):
    print(f"{what}: {len(misses)} of {tried}")
    if os.environ.get("REDACT_DUMP"):
        seen = set()
        for name, around, secret, out in misses:
            if name not in seen:
                print("   ", name, repr(around), repr(secret), "->", repr(out)[:300])
            seen.add(name)
    assert len(misses) <= share * tried, misses[:3]


def main():
    report("declared secrets missed", *declared_secrets_are_found_in_every_form(), 0)
    report("look-alikes changed", *look_alikes_survive(), 0)
    report("values in context missed", *values_in_context_are_found(), 0.02)


if __name__ == "__main__":
    sys.exit(main())
