"""The office, asked by Django's test client, on a CRM of its own."""

import io
import os
import tempfile
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import TestCase, override_settings

from . import crm as opened
from .models import Member

CSV = b"name,email\nCharles Babbage,charles@example.com\nNobody,charles@\n"


class OfficeTest(TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        place = override_settings(
            CRM_DATABASE=f"sqlite://{self.folder / 'crm.db'}",
            CRM_KEYS=str(self.folder / "crm.keys.toml"),
        )
        place.enable()
        self.addCleanup(place.disable)
        self.addCleanup(opened.close)
        self.slug = self.commanded("make_office", "Acme", "olga@acme.example")[0].strip()
        self.olga = get_user_model().objects.get(username="olga@acme.example")
        self.session = Member.objects.get(user=self.olga).session()
        self.client.force_login(self.olga)

    def commanded(self, name: str, *args: str, **options: Any) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        call_command(name, *args, stdout=out, stderr=err, **options)
        return out.getvalue(), err.getvalue()

    def test_contacts_are_found_though_mistyped(self) -> None:
        ada = self.session.contacts.create(first_name="Ada", last_name="<Lovelace>")
        page = self.client.get("/", {"q": "lovelaec"})
        self.assertContains(page, f'<a href="/contacts/{ada.id}/">Ada &lt;Lovelace&gt;</a>', html=True)
        self.assertContains(self.client.get("/", {"q": "zzzzzz"}), "Nobody")
        self.assertNotContains(self.client.get("/"), "Nobody")

    def test_more_than_a_page_is_reached(self) -> None:
        made = [{"first_name": "Ada", "last_name": f"Number{at}"} for at in range(21)]
        self.session.call("contacts.create_all", {"contacts": made})
        page = self.client.get("/", {"q": "ada"})
        cursor = page.context["hits"].next_cursor
        rest = self.client.get("/", {"q": "ada", "cursor": cursor})
        self.assertEqual((len(page.context["hits"]), len(rest.context["hits"])), (20, 1))
        self.assertEqual(self.client.get("/", {"q": "ada", "cursor": "no"}).status_code, 400)

    def test_a_timeline_is_shown(self) -> None:
        ada = self.session.contacts.create(first_name="Ada")
        self.session.activities.create(ada.id, "note", subject="Met at the fair")
        page = self.client.get(f"/contacts/{ada.id}/")
        self.assertContains(page, "note: Met at the fair")
        self.assertEqual([one.kind for one in page.context["page"]], ["note", "contact_created"])
        nobody = self.client.get("/contacts/00000000-0000-0000-0000-000000000000/")
        self.assertEqual(nobody.status_code, 404)

    def test_who_is_no_member_sees_nothing(self) -> None:
        ada = self.session.contacts.create(first_name="Ada")
        self.client.force_login(get_user_model().objects.create_user("eve"))
        self.assertEqual(self.client.get("/").status_code, 403)
        # The owner of another office does not find her.
        self.commanded("make_office", "Other", "otto@other.example")
        self.client.force_login(get_user_model().objects.get(username="otto@other.example"))
        self.assertEqual(self.client.get(f"/contacts/{ada.id}/").status_code, 404)
        self.client.logout()
        self.assertRedirects(self.client.get("/"), "/login/?next=/")
        self.assertContains(self.client.get("/login/"), "password")

    def test_a_member_who_is_disabled_is_out(self) -> None:
        vera = self.session.users.create("vera@acme.example", "viewer")
        crm = opened.crm()
        crm.identity.accept_invitation(vera.invitation, "nine herons over the weir")
        user = get_user_model().objects.create_user("vera")
        tenant = crm.tenants.get(self.slug)
        Member.objects.create(user=user, tenant_id=tenant.id, crm_user_id=vera.id)
        self.client.force_login(user)
        self.assertEqual(self.client.get("/").status_code, 200)
        self.session.users.update(vera.id, status="disabled")
        self.assertEqual(self.client.get("/").status_code, 403)

    def test_a_file_is_imported_with_its_progress(self) -> None:
        file = self.folder / "contacts.csv"
        file.write_bytes(CSV)
        out, _ = self.commanded("import_contacts", str(file), tenant=self.slug, dry_run=True)
        self.assertEqual(out, "1 created, 0 updated, 0 skipped, 1 failed\n")
        self.assertEqual(len(self.session.contacts.list()), 0)
        out, err = self.commanded("import_contacts", str(file), tenant=self.slug)
        self.assertEqual(out, "1 created, 0 updated, 0 skipped, 1 failed\n")
        self.assertIn("100 %: 1 contacts\n", err)
        self.assertIn("row 3, ", err)
        self.assertEqual([one.display_name for one in self.session.contacts.list()], ["Charles Babbage"])
        for wrong in ((str(file), "nobody"), (str(self.folder / "none.csv"), self.slug)):
            with self.assertRaises(CommandError):
                self.commanded("import_contacts", wrong[0], tenant=wrong[1])

    def test_a_child_opens_a_crm_of_its_own(self) -> None:
        before = opened.crm()
        self.assertIs(opened.crm(), before)
        child = os.fork()
        if child == 0:
            try:
                own = opened.crm()
                found = own is not before and own.tenants.get(self.slug).name == "Acme"
                os._exit(0 if found else 1)
            finally:
                os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertIs(opened.crm(), before)
