"""Makes a tenant of the CRM, and its owner a user of Django."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from office.crm import crm
from office.models import Member


class Command(BaseCommand):
    help = "Makes a tenant of the CRM, and its owner a user of Django; `changepassword` lets them in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the office's name")
        parser.add_argument("email", help="its owner")
        parser.add_argument("--region", default="DE", help="of phone numbers without a country code")

    def handle(self, *args: Any, **options: Any) -> None:
        made = crm().tenants.create(options["name"], options["region"], options["email"])
        user = get_user_model().objects.create_user(options["email"])
        Member.objects.create(user=user, tenant_id=made.tenant.id, crm_user_id=made.owner.id)
        self.stdout.write(made.tenant.slug)
