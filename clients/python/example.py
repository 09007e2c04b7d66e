"""Registers an account, logs in, refreshes, starts a conversation session, stores
and reads a file in Nextcloud, and handles a problem document."""

import os
import time
from io import BytesIO

import httpx

# Written by openapi-python-client.
from voiceassist_gateway import AuthenticatedClient, Client
from voiceassist_gateway.api.auth import login, logout, refresh, register
from voiceassist_gateway.api.conversations import create_session
from voiceassist_gateway.api.files import read, store
from voiceassist_gateway.api.nextcloud import my_nextcloud
from voiceassist_gateway.models import Credentials, NewSession, Problem, RefreshRequest, Registration
from voiceassist_gateway.types import File, Response


class GatewayError(Exception):
    """A failed request, with the problem document (RFC 9457) that describes it."""

    def __init__(self, problem: Problem):
        super().__init__(f"{problem.code}: {problem.detail} (correlation ID {problem.correlation_id})")
        self.problem = problem


def ok(response: Response):
    """Returns the body of a successful response, and raises for a failed one."""
    if isinstance(response.parsed, Problem):
        raise GatewayError(response.parsed)
    return response.parsed


def keep_slashes(request: httpx.Request) -> None:
    """Restores the slashes in the path of a file, which has several segments."""
    if request.url.raw_path.startswith(b"/api/files/"):
        request.url = request.url.copy_with(raw_path=request.url.raw_path.replace(b"%2F", b"/"))


url = os.environ.get("GATEWAY", "https://localhost:8443")
anonymous = Client(base_url=url, raise_on_unexpected_status=True)


def logged_in(access_token: str) -> AuthenticatedClient:
    """Returns a client that sends the access token."""
    return AuthenticatedClient(
        base_url=url,
        token=access_token,
        raise_on_unexpected_status=True,
        httpx_args={"event_hooks": {"request": [keep_slashes]}},
    )


email = f"ada-{time.time_ns()}@example.com"
password = "correct horse battery staple"
ok(register.sync_detailed(client=anonymous, body=Registration(email=email, password=password, full_name="Ada Lovelace")))

pair = ok(login.sync_detailed(client=anonymous, body=Credentials(email=email, password=password)))
print("logged in, for", pair.expires_in, "seconds")

# A refresh token works once: keep the new one.
following = ok(refresh.sync_detailed(client=anonymous, body=RefreshRequest(refresh_token=pair.refresh_token)))
print("refreshed:", following.refresh_token != pair.refresh_token)
gateway = logged_in(following.access_token)

session = ok(create_session.sync_detailed(client=gateway, body=NewSession(title="Weather")))
print("started the session", session.title)

# The account in Nextcloud is ready shortly after the registration.
while ok(my_nextcloud.sync_detailed(client=gateway)).status != "active":
    time.sleep(1)

ok(store.sync_detailed("Documents/", client=gateway))
ok(store.sync_detailed("Documents/hello.txt", client=gateway, body=File(payload=BytesIO(b"Hello, Nextcloud!"))))
print("downloaded:", ok(read.sync_detailed("Documents/hello.txt", client=gateway)).payload.read().decode())

# Programs read the code of a problem document, people the detail.
try:
    ok(read.sync_detailed("Documents/missing.txt", client=gateway))
except GatewayError as error:
    if error.problem.code != "file_not_found":
        raise
    print("no such file:", error.problem.detail)

ok(logout.sync_detailed(client=gateway))
print("logged out")
