"""Pages on the CRM's contacts."""

from uuid import UUID

from crm_core import Session
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .models import Member


def session_of(request: HttpRequest) -> Session:
    """The CRM as whoever asks may use it."""
    member = Member.objects.filter(user_id=request.user.pk).first()
    if member is None:
        raise PermissionDenied("no user of the CRM")
    session: Session = member.session()
    return session


@login_required
def search(request: HttpRequest) -> HttpResponse:
    """Contacts that fit what is looked for; typing mistakes are forgiven."""
    q = request.GET.get("q", "")
    hits = session_of(request).contacts.search(q, limit=20, cursor=request.GET.get("cursor"))
    return render(request, "office/search.html", {"q": q, "hits": hits})


@login_required
def timeline(request: HttpRequest, contact_id: UUID) -> HttpResponse:
    """A contact, and what happened with them, the newest first."""
    contacts = session_of(request).contacts
    contact = contacts.get(contact_id)
    page = contacts.timeline(contact_id, limit=20, cursor=request.GET.get("cursor"))
    return render(request, "office/timeline.html", {"contact": contact, "page": page})
