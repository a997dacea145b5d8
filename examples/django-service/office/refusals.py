"""What the CRM refuses, as Django says it."""

from __future__ import annotations

from collections.abc import Callable

from crm_core import CrmError
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse


class Refusals:
    """Turns the CRM's errors into Django's own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, CrmError):
            return None
        if error.code == "not_found":
            raise Http404(error.message) from error
        if error.code in ("forbidden", "unauthenticated"):
            raise PermissionDenied(error.message) from error
        if error.code in ("invalid", "malformed", "invalid_cursor"):
            raise BadRequest(error.message) from error
        if error.code == "unavailable":
            return HttpResponse("The CRM cannot be reached; try again.", status=503)
        return None
