"""What schemathesis must know: how to sign in, again where a fuzzed request has ended it, and JSON lines."""

import itertools
import json
import os
import time
import urllib.error
import urllib.request

import schemathesis

URL = os.environ["CRM_URL"]
cases = itertools.count()


def call(path, body=None, token=None):
    request = urllib.request.Request(URL + path, json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request) as reply:
        return json.load(reply)


@schemathesis.auth(refresh_interval=20)
class SignIn:
    token, until = None, 0.0

    def get(self, case, context):
        try:
            if self.token is None or time.monotonic() > self.until:
                raise LookupError
            call("/auth/me", token=self.token)
        except (LookupError, urllib.error.HTTPError):
            reply = call(
                "/auth/login", {"email": os.environ["CRM_EMAIL"], "password": os.environ["CRM_PASSWORD"]}
            )
            self.token, self.until = reply["access_token"], time.monotonic() + reply["expires_in"] / 2
        return self.token

    def set(self, case, data, context):
        # Each case comes from an address of its own: the limits of wrong attempts have tests of their own.
        number = next(cases)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        case.headers = {
            **(case.headers or {}), "Authorization": f"Bearer {data}", "X-Forwarded-For": address,
        }


@schemathesis.serializer("application/jsonl")
def json_lines(context, value):
    return value if isinstance(value, bytes) else str(value).encode()
