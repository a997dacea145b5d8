use super::*;

fn cards(text: &str) -> Vec<SourceRecord> {
    read(ImportFormat::VCard, text)
}

#[test]
fn quoted_printable_with_soft_line_breaks() {
    let ada = card(
        "VERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:Mu=C3=B1=\r\noz;Jos=C3=A9;;;\r\n\
         NOTE;ENCODING=QUOTED-PRINTABLE:one=0D=0A=\r\ntwo=3B",
    );
    assert_eq!(ada.last_name.as_deref(), Some("Muñoz"));
    assert_eq!(ada.first_name.as_deref(), Some("José"));
    assert_eq!(text(&ada, "notes").as_deref(), Some("one\ntwo;"));
}

#[test]
fn charsets() {
    let utf8 = card("VERSION:2.1\r\nFN;QUOTED-PRINTABLE:Jos=C3=A9");
    assert_eq!(utf8.first_name.as_deref(), Some("José"));
    let latin = card("VERSION:2.1\r\nFN;ENCODING=QUOTED-PRINTABLE;CHARSET=ISO-8859-1:Jos=E9");
    assert_eq!(latin.first_name.as_deref(), Some("José"));
    let japanese = b"BEGIN:VCARD\nVERSION:2.1\nFN;CHARSET=SHIFT_JIS:\x8e\x52\x93\x63\nEND:VCARD\n";
    assert_eq!(one(ImportFormat::VCard, japanese).first_name.as_deref(), Some("山田"));
    let bare = b"BEGIN:VCARD\nVERSION:2.1\nFN:Jos\xe9\nNOTE:\xc3\xa9\nEND:VCARD\n";
    let jose = one(ImportFormat::VCard, bare);
    assert_eq!(jose.first_name.as_deref(), Some("José"));
    assert_eq!(text(&jose, "notes").as_deref(), Some("é"));
}

#[test]
fn folded_lines_and_escapes() {
    let ada = card(
        "VERSION:3.0\r\nFN:Ada Love\r\n lace\r\nNOTE:a\\nb\\, c\\; d\\\\e\r\n\tf\r\nORG:A\\;B;Dep;Sub",
    );
    assert_eq!(ada.last_name.as_deref(), Some("Lovelace"));
    assert_eq!(text(&ada, "notes").as_deref(), Some("a\nb, c; d\\ef"));
    assert_eq!(ada.company.as_deref(), Some("A;B"));
    assert_eq!(text(&ada, "department").as_deref(), Some("Dep; Sub"));
    let path = card("VERSION:2.1\r\nFN:Ada\r\nNOTE:C:\\new");
    assert_eq!(text(&path, "notes").as_deref(), Some("C:\\new"));
}

#[test]
fn types_groups_and_preference() {
    let ada = card(
        "VERSION:3.0\r\nFN:Ada\r\nEMAIL;TYPE=INTERNET,HOME:h@x.org\r\nEMAIL;TYPE=work;TYPE=pref:w@x.org\r\n\
         item1.EMAIL:g@x.org\r\nitem1.X-ABLabel:Den\r\nitem2.TEL:1\r\nitem2.X-ABLabel:_$!<Mobile>!$_\r\n\
         TEL;TYPE=\"work,fax\":2\r\nTEL;CELL;VOICE:3\r\nTEL;VALUE=uri:tel:+1-418-656-9254;ext=102\r\n\
         item3.X-ABDATE:20190220\r\nitem3.X-ABLabel:_$!<Anniversary>!$_",
    );
    let emails: Vec<(&str, Option<&str>)> =
        ada.emails.iter().map(|email| (email.address.as_str(), email.label.as_deref())).collect();
    assert_eq!(
        emails,
        [("w@x.org", Some("work")), ("h@x.org", Some("home")), ("g@x.org", Some("Den"))]
    );
    let phones: Vec<(&str, Option<&str>)> = ada
        .phones
        .iter()
        .map(|phone| (phone.raw.as_deref().unwrap(), phone.label.as_deref()))
        .collect();
    assert_eq!(
        phones,
        [
            ("1", Some("mobile")),
            ("2", Some("work fax")),
            ("3", Some("mobile")),
            ("+1-418-656-9254 ext. 102", None)
        ]
    );
    assert_eq!(text(&ada, "Anniversary").as_deref(), Some("20190220"));
    let ranked = card("VERSION:4.0\r\nFN:Ada\r\nEMAIL;PREF=2:b@x.org\r\nEMAIL;PREF=1:a@x.org");
    assert_eq!(ranked.emails[0].address, "a@x.org");
}

#[test]
fn addresses() {
    let ada = card(
        "FN:Ada\r\nADR;TYPE=home:PO 7;Flat 2;12 St James's Sq;London;;SW1Y;UK\r\nLABEL;TYPE=home:all of it",
    );
    assert_eq!(ada.addresses.len(), 1);
    let address = &ada.addresses[0];
    assert_eq!(address.street.as_deref(), Some("12 St James's Sq\nFlat 2\nPO 7"));
    assert_eq!((address.city.as_deref(), address.region.as_deref()), (Some("London"), None));
    assert_eq!(address.label.as_deref(), Some("home"));
    let labelled = card("VERSION:3.0\r\nFN:Ada\r\nLABEL;TYPE=work:1 St\\nLondon");
    assert_eq!(labelled.addresses[0].street.as_deref(), Some("1 St\nLondon"));
    let quoted = card("FN:Ada\r\nADR;LABEL=\"1 St: a^nLondon\":;;;;;;");
    assert_eq!(quoted.addresses[0].street.as_deref(), Some("1 St: a\nLondon"));
}

#[test]
fn everything_else_is_kept_in_custom() {
    let ada = card(
        "FN:Dr. Ada King Lovelace\r\nN:Lovelace;Ada;King;Dr.;PhD\r\nNICKNAME:Enchantress\r\nBDAY:18151210\r\n\
         NOTE:one\r\nNOTE:two\r\nURL:https://a.example\r\nURL:https://b.example\r\nX-SKYPE:ada\r\nGEO:1;2\r\n\
         ORG:A\r\nORG:B\r\nTITLE:T\r\nTITLE:U\r\nCATEGORIES:a,b\\,c\r\nUID:7\r\nREV:x\r\nPRODID:y",
    );
    assert_eq!(ada.display_name.as_deref(), Some("Dr. Ada King Lovelace"));
    assert_eq!(ada.tags, ["a", "b,c"]);
    let expected = [
        ("middle_name", "King"),
        ("honorific", "Dr."),
        ("suffix", "PhD"),
        ("nickname", "Enchantress"),
        ("birthday", "1815-12-10"),
        ("notes", "one\ntwo"),
        ("website", "https://a.example"),
        ("website_2", "https://b.example"),
        ("X-SKYPE", "ada"),
        ("GEO", "1;2"),
        ("organization", "B"),
        ("title", "U"),
        ("uid", "7"),
    ];
    for (key, value) in expected {
        assert_eq!(text(&ada, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(ada.custom.len(), expected.len());
}

#[test]
fn pictures_are_not_kept_but_mentioned() {
    let records = cards(
        "BEGIN:VCARD\nVERSION:2.1\nFN:Ada\nPHOTO;ENCODING=BASE64;JPEG:\n /9j/4AAQ\nSkZJRg==\n\nTEL:1\nLOGO:data:image/png;base64,AAAA\n\
         X-MS-CARDPICTURE;ENCODING=BASE64:/9j/4AAQ\nKEY:https://x.org/k\nEND:VCARD\n",
    );
    let ada = records[0].outcome.as_ref().unwrap();
    assert_eq!(ada.phones.len(), 1);
    let fields: Vec<&str> =
        records[0].warnings.iter().map(|warning| warning.field.as_str()).collect();
    assert_eq!(fields, ["PHOTO", "LOGO", "X-MS-CARDPICTURE"]);
    assert_eq!(text(ada, "key").as_deref(), Some("https://x.org/k"));
    assert_eq!(ada.custom.len(), 1);
}

#[test]
fn cards_within_cards() {
    let records = cards(
        "BEGIN:VCARD\nFN:Ada\nAGENT:\nBEGIN:VCARD\nFN:Babbage\nEND:VCARD\nTEL:1\nEND:VCARD\nBEGIN:VCARD\nFN:Grace\nEND:VCARD\n",
    );
    assert_eq!(outcomes(&records), ["1", "2"]);
    let ada = records[0].outcome.as_ref().unwrap();
    assert_eq!((ada.first_name.as_deref(), ada.phones.len()), (Some("Ada"), 1));
    assert_eq!(records[0].warnings[0].field, "AGENT");
}

#[test]
fn cards_without_their_end() {
    let records =
        cards("BEGIN:VCARD\nFN:Ada\nBEGIN:VCARD\nFN:Grace\nEND:VCARD\nbegin:vcard\nfn:Lin\n");
    assert_eq!(outcomes(&records), ["1", "2", "3"]);
    assert_eq!(records[0].warnings[0].code, "missing_end");
    assert_eq!(records[2].warnings[0].code, "missing_end");
    let records = cards("BEGIN:VCARD\nFN:Ada\nEND:VCARD\nBEGIN:VCARD\nFN:Gra");
    assert_eq!(outcomes(&records), ["1", "2:cut_off"]);
    let records = cards("BEGIN:VCARD\nFN:Ada\nEND:VCARD");
    assert_eq!(outcomes(&records), ["1"]);
    assert!(records[0].warnings.is_empty());
}

#[test]
fn what_stands_between_cards() {
    let records = cards("hello\nBEGIN:VCARD\nFN:Ada\nEND:VCARD\n\nmore\nand more\n");
    assert_eq!(outcomes(&records), ["1", "2:skipped_lines"]);
    assert_eq!(records[0].warnings[0].code, "skipped_lines");
    let error = read_with(ImportFormat::VCard, ReadOptions::default(), b"hello\n").unwrap_err();
    assert_eq!(error.fields()[0].code, "no_card");
}

#[test]
fn what_is_no_contact() {
    let records = cards(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VEVENT\nEND:VCALENDAR\nBEGIN:VCARD\nKIND:group\nFN:Friends\nEND:VCARD\n\
         BEGIN:VCARD\nKIND:org\nFN:AE\nORG:AE\nEND:VCARD\n",
    );
    assert_eq!(outcomes(&records), ["1:not_a_contact", "2:not_a_contact", "3"]);
    let company = records[2].outcome.as_ref().unwrap();
    assert_eq!(
        (company.display_name.as_deref(), company.first_name.as_deref()),
        (Some("AE"), None)
    );
}

#[test]
fn a_nickname_alone_is_shown() {
    assert_eq!(card("NICKNAME:Big Joey\r\nORG:AE").display_name.as_deref(), Some("Big Joey"));
    assert_eq!(card("NICKNAME:Big Joey\r\nEMAIL:j@x.org").display_name, None);
}

#[test]
fn utf16_cards() {
    let file: Vec<u8> = "BEGIN:VCARD\r\nFN:José\r\nEND:VCARD\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(ImportFormat::detect(&file), ImportFormat::VCard);
    assert_eq!(one(ImportFormat::VCard, file).first_name.as_deref(), Some("José"));
}

#[test]
fn a_card_for_other_programs() {
    let mut ada =
        NewContact::named("Ada", "Lovelace").email("ada@example.com").phone("(425) 555-0123");
    ada.phones[0].label = Some("mobile".into());
    for (key, value) in [("birthday", "1815-12-10"), ("notes", "one; two\nthree")] {
        ada.custom.insert(key.into(), CustomValue::Text(value.into()));
    }
    let text = String::from_utf8(export(ExportFormat::VCard, &[contact(ada)])).unwrap();
    insta::assert_snapshot!(text.replace("\r\n", "\n"));
}
