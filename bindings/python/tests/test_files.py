"""Contacts from and to files."""

import io

import pytest

import crm_core

CSV = b"first_name,last_name,email\nAda,Lovelace,ada@example.com\nCharles,Babbage,charles@\n"


def test_from_bytes_paths_and_files(session, tmp_path):
    report = session.contacts.import_from(CSV)
    assert isinstance(report, crm_core.ImportReport)
    assert (report.created, report.failed, report.errors[0].code) == (1, 1, "invalid_email")
    (tmp_path / "in.csv").write_bytes(CSV)
    assert session.contacts.import_from(tmp_path / "in.csv", format="csv").skipped == 1
    assert session.contacts.import_from(io.BytesIO(CSV), on_conflict="error").failed == 2
    with (tmp_path / "in.csv").open("rb") as file:
        assert session.contacts.import_from(file, dry_run=True, on_conflict="update").created == 0


def test_columns_are_named(session):
    data = b"Vor;Mail\nAda;ada@example.com\n"
    report = session.contacts.import_from(
        data, format="csv", columns={"Vor": "first_name", "Mail": "email"}, delimiter=";", source="fair"
    )
    assert report.created == 1
    made = session.contacts.list().items[0]
    assert (made.first_name, made.source) == ("Ada", "fair")


def test_what_is_wrong_is_said(session, tmp_path):
    for options in ({"format": "doc"}, {"on_conflict": "hope"}, {"delimiter": "--"}, {"columns": {"a": "nonsense"}}):
        with pytest.raises(crm_core.InvalidError):
            session.contacts.import_from(CSV, **{"format": "csv", **options})
    with pytest.raises(FileNotFoundError):
        session.contacts.import_from(tmp_path / "none.csv")
    with pytest.raises(TypeError):
        session.contacts.import_from(io.StringIO("a"))
    with pytest.raises(crm_core.InvalidError):
        session.contacts.export_to(io.BytesIO(), format="doc")
    with pytest.raises(crm_core.NotFoundError):
        session.calls.recording("01890000-0000-7000-8000-000000000000")


def test_progress_is_told_and_can_end_it(session):
    def stop(_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        session.contacts.import_from(CSV, progress=stop)
    seen = []
    session.contacts.import_from(CSV, progress=seen.append)
    assert seen[-1].bytes == len(CSV) == seen[-1].total


def test_out_and_in_again(session, crm, tmp_path):
    session.contacts.import_from(CSV)
    assert session.contacts.export_to(tmp_path / "out.vcf", format="vcard") > 0
    file = io.BytesIO()
    assert session.contacts.export_to(file) == len(file.getvalue())
    other = crm.tenants.create("Beta", "DE", "bo@beta.example")
    beta = crm.session(other.tenant.id, other.owner.id)
    assert beta.contacts.import_from(tmp_path / "out.vcf").created == 1
