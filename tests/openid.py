"""A small OpenID provider over a real socket, with people, groups and the lies that a test asks for."""

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "holdfast", "a secret between the two"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Claims = dict[str, Any]


class Provider:
    """People sign in here. `people`: name -> claims; `twist` changes an ID token's claims, `sign` signs it."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        self.people: dict[str, Claims] = {}
        self.who = ""  # who is signed in at the provider; empty: it shows its own login page
        self.twist: Callable[[Claims], Claims] = lambda claims: claims
        self.sign: Callable[[Claims], str] = self.signed
        self.away = False
        self.refreshes = True  # whether it gives refresh tokens
        self.codes: dict[str, Claims] = {}
        self.tokens: dict[str, str] = {}  # access and refresh tokens -> name
        self.asked: list[str] = []

    def add(self, name: str, *groups: str, **claims: Any) -> None:
        email = {"email": f"{name}@acme.example", "email_verified": True}
        self.people[name] = {"sub": f"id-{name}", **email, "groups": list(groups), **claims}

    def signed(self, claims: Claims) -> str:
        return jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "one"})

    def standard(self, **claims: Any) -> Claims:
        now = int(time.time())
        return {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **claims}

    # --- what it answers ----------------------------------------------------------------------------------------------

    def describe(self) -> Claims:
        addresses = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return {
            "issuer": self.issuer,
            **{name: f"{self.issuer}/{path}" for name, path in addresses.items()},
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "scopes_supported": ["openid", "email", "profile", "groups", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """The address to go back to, with a code."""
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = {**asked, "who": asked.get("who") or self.who}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        if authorization != "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode():
            return 401, {"error": "invalid_client"}
        if form["grant_type"] == "refresh_token":
            name = self.tokens.pop(form["refresh_token"], "")  # each serves once
            return (200, self.grant(name, {})) if name in self.people else (400, {"error": "invalid_grant"})
        begun = self.codes.pop(form["code"], None)
        digest = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if begun is None or digest.rstrip(b"=").decode() != begun["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        return 200, self.grant(begun["who"], {"nonce": begun["nonce"]})

    def grant(self, name: str, more: Claims) -> Claims:
        claims = self.twist(self.standard(sub=self.people[name]["sub"], sid=f"session-{name}", **more))
        access, refresh = secrets.token_urlsafe(8), secrets.token_urlsafe(8)
        self.tokens |= {access: name, refresh: name}
        kept = {"refresh_token": refresh} if self.refreshes else {}
        return {"access_token": access, "token_type": "Bearer", "id_token": self.sign(claims), **kept}


class Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        path, asked = urlsplit(self.path).path, self.fields(urlsplit(self.path).query)
        self.provider.asked.append(path)
        if path == "/authorize" and not (self.provider.who or asked.get("who")):
            hidden = "".join(
                f'<input type=hidden name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in asked.items()
            )
            page = f"<title>Acme login</title><form action=/authorize>{hidden}<label>Name <input name=who></label>"
            return self.answer(200, f"<!doctype html><html lang=en>{page}<button>Enter</button></form>", "text/html")
        if path == "/authorize":
            return self.answer(302, "", Location=self.provider.authorize(asked))
        if path == "/keys":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
            return self.answer(200, {"keys": [{**key, "kid": "one", "use": "sig"}]})
        if path == "/userinfo":
            name = self.provider.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "), "")
            found = self.provider.people.get(name)
            return self.answer(200, found) if found else self.answer(401, {"error": "invalid_token"})
        return self.answer(200, self.provider.describe())

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        form = self.fields(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.answer(*self.provider.token(form, self.headers.get("Authorization", "")))

    @staticmethod
    def fields(text: str) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(text).items()}

    def answer(self, code: int, body: Any, kind: str = "application/json", **headers: str) -> None:
        if self.provider.away:
            code, body, headers = 503, {}, {}
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(text)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        """Nothing: the tests ask `asked`."""


@contextmanager
def running() -> Iterator[Provider]:
    """A provider on a free port of this machine."""

    class OneHandler(Handler):
        """Of this provider alone."""

    with ThreadingHTTPServer(("127.0.0.1", 0), OneHandler) as server:
        OneHandler.provider = provider = Provider(server)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield provider
        server.shutdown()
        thread.join()
