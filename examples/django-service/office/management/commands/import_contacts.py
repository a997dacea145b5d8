"""Imports a file of contacts into a tenant."""

from argparse import ArgumentParser
from typing import Any

from crm_core import CrmError, Progress
from django.core.management.base import BaseCommand, CommandError

from office.crm import crm


class Command(BaseCommand):
    help = "Imports contacts from CSV, vCard or JSON lines; rows that are refused are told and left out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file")
        parser.add_argument("--tenant", required=True, help="the slug that make_office says")
        parser.add_argument("--on-conflict", choices=["skip", "update", "error"], default="skip")
        parser.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = crm().tenants.get(options["tenant"])
            # The operator of the machine, who has every right; the audit log says `system`.
            report = crm().operator(tenant.id).contacts.import_from(
                options["file"],
                on_conflict=options["on_conflict"],
                dry_run=options["dry_run"],
                progress=self.progress,
            )
        except (CrmError, OSError) as error:
            raise CommandError(str(error)) from error
        for refused in report.errors:
            self.stderr.write(f"row {refused.row}, {refused.field}: {refused.message}")
        self.stdout.write(
            f"{report.created} created, {report.updated} updated, "
            f"{report.skipped} skipped, {report.failed} failed"
        )

    def progress(self, far: Progress) -> None:
        share = f"{100 * far.bytes // far.total} %" if far.total else f"{far.bytes} bytes"
        self.stderr.write(f"{share}: {far.created + far.updated} contacts")
