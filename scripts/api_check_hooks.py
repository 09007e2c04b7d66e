"""Accounts for schemathesis, which loads this file as its hooks (scripts/api-check).

API_CHECK_ROLE is the role of the callers: user or admin. Operations that end the
caller's login or change its credentials get an account of their own for each call.
"""

import json
import os
import ssl
import urllib.request
import uuid

import schemathesis

URL = os.environ["API_CHECK_URL"]
ROLE = os.environ["API_CHECK_ROLE"]
ROOT = os.environ["API_CHECK_ROOT"]  # the address of the administrator that makes the others
PASSWORD = "correct horse battery staple"  # as in the examples of the document
TLS = ssl.create_default_context(cafile=os.environ["API_CHECK_CERTIFICATE"])

# What ends the caller's login, or changes its address, password, role or state.
DESTRUCTIVE = {
    "logout", "replaceMe", "changeMe", "deleteMe", "changePassword", "changeMyPassword",
    "replaceMyPassword", "endMyLogin", "changeUser", "deleteUser",
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
    """Makes an account with the role and returns an access token of it."""
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
    """Puts the slashes of the path of a file back, which OpenAPI cannot describe:
    the gateway rejects an encoded slash, since some proxies decode it."""
    parameters = case.path_parameters or {}
    if isinstance(parameters.get("path"), str):
        parameters["path"] = parameters["path"].replace("%2F", "/")


@schemathesis.hook
def after_call(context, case, response):
    """Forgets the shared token when the gateway rejects it: an administrator of
    another call may have deleted or disabled its account."""
    if response.status_code == 401 and Shared.token:
        sent = response.request.headers.get("Authorization", "")
        if sent in ("Bearer " + Shared.token, b"Bearer " + Shared.token.encode()):
            Shared.token = None


# What no schema can say: rejections of requests that docs/openapi.json allows, by
# the code of the problem or of the field, each with the reason. Everything else
# that schemathesis finds is a deviation.
BEYOND_SCHEMA = {
    "incorrect_password": "depends on the account",
    "precondition_failed": "depends on the stored file",
    "invalid_cursor": "a cursor is opaque",
    "invalid_quota": "the largest quota is a number of bytes, in either unit",
    "password_too_short": "limits of bytes, a schema counts characters",
    "password_too_long": "limits of bytes, a schema counts characters",
    "password_common": "a long list",
    "invalid_email": "the rules of IDNA and of invisible characters",
    "invalid_name": "which characters are visible is Unicode's to say",
    "name_reserved": "in any case of letters",
    "name_too_long": "limits of bytes, a schema counts characters",
    "invalid_destination": "compares the path and the body",
    "whole_folder": "depends on how the path ends",
    "unexpected_body": "depends on how the path ends",
}

# Fields with a code that is beyond the schema for them only.
BEYOND_SCHEMA_FIELDS = {
    ("current_password", "required"): "only a new address needs it",
}

# Second names of one value, which have to be alike.
ALIKE = {
    "username", "email", "password", "current_password", "old_password", "currentPassword",
    "new_password", "newPassword",
}


def beyond(field, code):
    return code in BEYOND_SCHEMA or (field, code) in BEYOND_SCHEMA_FIELDS or (code == "not_allowed" and field in ALIKE)


# Requests that schemathesis takes for invalid, and that are valid, by the operation
# and its words.
VALID = {
    ("login", "Missing required property: username"): "email is enough",
    ("login", "Missing required property: email"): "username is enough",
    ("read", "`limit` in query"): "only a folder has pages",
    ("read", "`cursor` in query"): "only a folder has pages",
    ("register", "/properties/full_name"): "white space around a name does not count",
    ("changeMe", "/properties/full_name"): "white space around a name does not count",
    ("replaceMe", "/properties/full_name"): "white space around a name does not count",
    ("createUser", "/properties/full_name"): "white space around a name does not count",
    ("changeUser", "/properties/full_name"): "white space around a name does not count",
}


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps what is a deviation."""
    if type(failure).__name__ == "AcceptedNegativeData":
        operation = case.operation.definition.raw["operationId"]
        return not any(operation == o and words in failure.message for o, words in VALID)
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    problem = response.json()
    if problem.get("code") != "validation_failed":
        return not beyond("", problem.get("code"))
    return not all(beyond(e["field"], e["code"]) for e in problem["errors"])
