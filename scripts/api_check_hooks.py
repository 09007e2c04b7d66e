"""The hooks of schemathesis for scripts/api-check: accounts, and what no schema can describe.

API_CHECK_ROLE is the role of the callers: user or admin. Each call of an operation that
ends the caller's login or changes its credentials uses a new account.
"""

import json
import os
import ssl
import urllib.request
import uuid

import schemathesis

URL = os.environ["API_CHECK_URL"]
ROLE = os.environ["API_CHECK_ROLE"]
ROOT = os.environ["API_CHECK_ROOT"]  # e-mail address of the administrator who creates the others
PASSWORD = "correct horse battery staple"  # as in the examples of docs/openapi.json
TLS = ssl.create_default_context(cafile=os.environ["API_CHECK_CERTIFICATE"])

# Operations that end the caller's login, or change its address, password, role or state.
DESTRUCTIVE = {
    "logout", "replaceMe", "changeMe", "deleteMe", "changePassword", "changeMyPassword",
    "replaceMyPassword", "endMyLogin", "changeUser", "deleteUser", "logOutUser",
}


def call(method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with urllib.request.urlopen(request, context=TLS, timeout=30) as response:
        return json.load(response)


def login(email):
    return call("POST", "/api/auth/login", {"email": email, "password": PASSWORD})["access_token"]


def new_account():
    """Creates an account with the role and returns an access token for it."""
    email = f"check-{uuid.uuid4().hex}@example.org"
    account = {"email": email, "password": PASSWORD}
    if ROLE == "admin":
        call("POST", "/api/users", account | {"role": "admin"}, root_token())
    else:
        call("POST", "/api/auth/register", account)
    return login(email)


def root_token():
    return login(ROOT)


class Shared:
    """The token that the other calls share, until the gateway rejects it."""

    token = None


@schemathesis.auth(refresh_interval=None)
class Accounts:
    def get(self, case, context):
        operation = context.operation.definition.raw
        if not any("bearer" in way for way in operation["security"]):
            return None
        if operation["operationId"] in DESTRUCTIVE:
            return new_account()
        Shared.token = Shared.token or new_account()
        return Shared.token

    def set(self, case, data, context):
        if data:
            case.headers = case.headers or {}
            case.headers["Authorization"] = "Bearer " + data


@schemathesis.hook
def before_call(context, case, kwargs):
    """Decodes slashes in the path of a file. OpenAPI cannot describe such a path, and the
    gateway rejects an encoded slash, because some proxies decode it."""
    parameters = case.path_parameters or {}
    if isinstance(parameters.get("path"), str):
        parameters["path"] = parameters["path"].replace("%2F", "/")


@schemathesis.hook
def after_call(context, case, response):
    """Discards the shared token if the gateway rejects it: another call, as an
    administrator, may have deleted or disabled its account."""
    if response.status_code == 401 and Shared.token:
        sent = response.request.headers.get("Authorization", "")
        if sent in ("Bearer " + Shared.token, b"Bearer " + Shared.token.encode()):
            Shared.token = None


# What no schema can describe: rejections of requests that docs/openapi.json allows, by
# the code of the problem or of the field, each with the reason. Everything else that
# schemathesis finds is a deviation.
BEYOND_SCHEMA = {
    "incorrect_password": "depends on the account",
    "bad_token": "only a mail contains a valid token",
    "bad_code": "depends on the time and on the key of the second factor",
    "precondition_failed": "depends on the stored file",
    "invalid_cursor": "a cursor is opaque",
    "not_after_since": "compares two times",
    "invalid_quota": "the largest quota is a number of bytes, whatever the unit",
    "password_too_short": "the limit is in bytes, and a schema counts characters",
    "password_too_long": "the limit is in bytes, and a schema counts characters",
    "password_common": "depends on a long list",
    "password_breached": "depends on another service",
    "invalid_email": "depends on the rules of IDNA and on invisible characters",
    "invalid_name": "depends on Unicode's properties of characters",
    "name_reserved": "compared without regard to case",
    "name_too_long": "the limit is in bytes, and a schema counts characters",
    "invalid_destination": "compares the path and the body",
    "whole_folder": "depends on how the path ends",
    "unexpected_body": "depends on how the path ends",
}

# Codes that are beyond the schema for one field only.
BEYOND_SCHEMA_FIELDS = {
    ("current_password", "required"): "required only with a new address",
}

# Fields that are two names for the same value, so both must be equal.
ALIKE = {
    "username", "email", "password", "current_password", "old_password", "currentPassword",
    "new_password", "newPassword",
}


def beyond(field, code):
    return code in BEYOND_SCHEMA or (field, code) in BEYOND_SCHEMA_FIELDS or (code == "not_allowed" and field in ALIKE)


# Valid requests that schemathesis considers invalid, by the operation and by a part of
# its message, each with the reason.
VALID = {
    ("login", "Missing required property: username"): "email is enough",
    ("login", "Missing required property: email"): "username is enough",
    ("read", "`limit` in query"): "ignored for files, which have no pages",
    ("read", "`cursor` in query"): "ignored for files, which have no pages",
    ("register", "/properties/full_name"): "white space around a name is removed",
    ("changeMe", "/properties/full_name"): "white space around a name is removed",
    ("replaceMe", "/properties/full_name"): "white space around a name is removed",
    ("createUser", "/properties/full_name"): "white space around a name is removed",
    ("changeUser", "/properties/full_name"): "white space around a name is removed",
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Reports whether the failure is a deviation."""
    if type(failure).__name__ == "AcceptedNegativeData":
        operation = case.operation.definition.raw["operationId"]
        return not any(operation == o and words in failure.message for o, words in VALID)
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    problem = response.json()
    if problem.get("code") != "validation_failed":
        return not beyond("", problem.get("code"))
    return not all(beyond(e["field"], e["code"]) for e in problem["errors"])
