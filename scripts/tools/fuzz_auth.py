"""Signs in for schemathesis, and again before the token ends or after a fuzzed request has ended it."""

import json
import os
import time
import urllib.error
import urllib.request

import schemathesis

URL = os.environ["CRM_URL"]


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
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
