"""Who calls: read from the CRM's access token, by its public keys and without asking it."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt

ISSUER = "crm"
"""The CRM's `public_url`, where it was opened with one."""


@dataclass(frozen=True)
class Caller:
    """Who signed in."""

    tenant_id: UUID
    user_id: UUID


class Refused(Exception):
    """No token, or none that is good."""


class Tokens:
    """Reads access tokens. Any service that has the key set can."""

    def __init__(self, key_set: dict[str, Any]) -> None:
        self._keys = jwt.PyJWKSet.from_dict(key_set)

    def caller(self, token: str) -> Caller:
        """Whom the token was given to."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "at+jwt":
                raise Refused("not an access token")
            # The key decides the algorithm, never the token.
            key = self._keys[header.get("kid", "")]
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience="crm",
                issuer=ISSUER,
                options={"require": ["exp", "sub", "tenant_id"]},
            )
            return Caller(UUID(claims["tenant_id"]), UUID(claims["sub"]))
        except (jwt.PyJWTError, KeyError, ValueError) as error:
            raise Refused(str(error)) from error
