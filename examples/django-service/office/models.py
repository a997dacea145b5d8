"""Django's own table: which user of the CRM a user of Django is."""

from crm_core import Session
from django.conf import settings
from django.db import models

from .crm import crm


class Member(models.Model):
    """A user of Django who works in a tenant of the CRM."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    tenant_id = models.UUIDField()
    crm_user_id = models.UUIDField()

    def session(self) -> Session:
        """The member at work, with the rights of their role in the CRM."""
        return crm().session(self.tenant_id, self.crm_user_id)
