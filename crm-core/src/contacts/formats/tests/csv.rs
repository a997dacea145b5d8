use super::*;

fn refused(options: ReadOptions, text: &str) -> Vec<(String, String)> {
    let error = read_with(ImportFormat::Csv, options, text.as_bytes()).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Invalid);
    error.fields().iter().map(|field| (field.code.to_string(), field.message.clone())).collect()
}

fn mapped(pairs: &[(&str, &str)]) -> ReadOptions {
    let pair = |(column, field): &(&str, &str)| ((*column).to_owned(), (*field).to_owned());
    ReadOptions { map: pairs.iter().map(pair).collect(), ..ReadOptions::default() }
}

fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
    let mark = if mark { "\u{feff}" } else { "" };
    let to_bytes = if little { u16::to_le_bytes } else { u16::to_be_bytes };
    format!("{mark}{text}").encode_utf16().flat_map(to_bytes).collect()
}

#[test]
fn every_encoding() {
    let text = "first_name,city\nJosé,Zürich\n";
    let mut files = vec![text.as_bytes().to_vec(), format!("\u{feff}{text}").into_bytes()];
    for little in [true, false] {
        files.extend([utf16(text, little, true), utf16(text, little, false)]);
    }
    files.push(encoding_rs::WINDOWS_1252.encode(text).0.into_owned());
    for file in files {
        let jose = one(ImportFormat::Csv, &file);
        assert_eq!(jose.first_name.as_deref(), Some("José"), "{file:?}");
        assert_eq!(jose.addresses[0].city.as_deref(), Some("Zürich"));
    }
}

#[test]
fn a_late_byte_of_windows_1252_reads_right() {
    let mut file = b"first_name\n".to_vec();
    for _ in 0..300_000 {
        file.extend_from_slice(b"Ada\n");
    }
    file.extend_from_slice(b"Jos\xE9\n");
    file.extend_from_slice("Zoë\n".as_bytes());
    let records = read(ImportFormat::Csv, &file);
    let names: Vec<String> = records
        .into_iter()
        .skip(300_000)
        .map(|record| record.outcome.unwrap().first_name.unwrap())
        .collect();
    assert_eq!(names, ["José", "Zoë"]);
}

#[test]
fn every_delimiter_and_line_end() {
    for delimiter in [",", ";", "\t", "|"] {
        for end in ["\n", "\r\n", "\r"] {
            let file = ["first_name,last_name,city", "Ada,\"Love;lace, \t|x\",London", ""]
                .map(|line| line.replace("name,", &format!("name{delimiter}")))
                .map(|line| line.replace("Ada,", &format!("Ada{delimiter}")))
                .map(|line| line.replace(",London", &format!("{delimiter}London")))
                .join(end);
            let ada = csv(&file);
            assert_eq!(ada.first_name.as_deref(), Some("Ada"), "{file:?}");
            assert_eq!(ada.last_name.as_deref(), Some("Love;lace, |x"), "{file:?}");
        }
    }
}

#[test]
fn the_delimiter_that_excel_announces_or_the_caller_gives() {
    for announced in ["sep=;", "SEP=;", "\"sep=;\""] {
        let ada = csv(&format!("{announced}\r\nfirst_name;a,b,c,d\r\nAda;x\r\n"));
        assert_eq!(ada.first_name.as_deref(), Some("Ada"));
        assert_eq!(text(&ada, "a,b,c,d").as_deref(), Some("x"));
    }
    let records = read(ImportFormat::Csv, "sep=;\r\nname\r\nAda\r\n");
    assert_eq!(records[0].row, 2);
    let options = ReadOptions { delimiter: Some(b'#'), ..ReadOptions::default() };
    let records = read_with(ImportFormat::Csv, options, b"first_name#a,b\nAda#x\n").unwrap();
    assert_eq!(records[0].outcome.as_ref().unwrap().first_name.as_deref(), Some("Ada"));
    let options = ReadOptions { delimiter: Some(b'"'), ..ReadOptions::default() };
    assert_eq!(refused(options, "a")[0].0, "invalid_delimiter");
}

#[test]
fn rows_are_those_of_a_spreadsheet() {
    let records = read(ImportFormat::Csv, "name,notes\nAda,\"two\nlines\"\n\n,\nGrace,\n");
    assert_eq!(outcomes(&records), ["2", "4", "5"]);
    let records = read(ImportFormat::Csv, "\n\nname\nAda\n");
    assert_eq!(outcomes(&records), ["4"]);
}

#[test]
fn ragged_rows() {
    let records =
        read(ImportFormat::Csv, "name,email\nAda\nGrace,g@x.org,,\nLin,l@x.org,more\nJo,j@x.org\n");
    assert_eq!(outcomes(&records), ["2", "3", "4:too_many_cells", "5"]);
}

#[test]
fn an_unclosed_quote_costs_one_row_at_the_end_of_the_file() {
    let records =
        read(ImportFormat::Csv, "name,email\nAda,a@x.org\n\"Bob,b@x.org\nCy,c@x.org\nDi,d@x.org");
    assert_eq!(outcomes(&records), ["2", "3:unclosed_quote", "4", "5"]);
}

#[test]
fn an_unclosed_quote_costs_one_row_before_another_quote() {
    let records = read(
        ImportFormat::Csv,
        "name,email,notes\n\"Bob,b@x.org,\nCy,c@x.org,\nDi,d@x.org,\"a\nb\"\nEd,e@x.org,\n",
    );
    assert_eq!(outcomes(&records), ["2:unclosed_quote", "3", "4", "5"]);
    let di = records[2].outcome.as_ref().unwrap();
    assert_eq!(text(di, "notes").as_deref(), Some("a\nb"));
}

#[test]
fn an_unclosed_quote_costs_one_row_in_a_large_file() {
    let mut file = "name,email\n\"Bob,b@x.org\n".to_owned();
    for nth in 0..100_000 {
        file.push_str(&format!("Cy{nth},c{nth}@example.org\n"));
    }
    let records = read(ImportFormat::Csv, &file);
    assert_eq!(records.len(), 100_001);
    assert_eq!(records.iter().filter(|record| record.outcome.is_err()).count(), 1);
}

#[test]
fn lines_of_a_long_note_become_no_contacts() {
    let note = "Dear Ada\n".repeat(MAX_RECORD / 9 + 10);
    let records = read(ImportFormat::Csv, format!("name,notes\nAda,\"{note}\"\nGrace,\n"));
    assert_eq!(records[0].outcome.as_ref().unwrap_err()[0].code, "unclosed_quote");
    assert_eq!(records[1].outcome.as_ref().unwrap_err()[0].code, "after_unclosed_quote");
    assert!(records.last().unwrap().outcome.is_ok());
}

#[test]
fn quotes_within_cells() {
    let ada = csv("name,notes\n\"Ada \"\"Enchantress\"\" Lovelace\",5\" disk\n");
    assert_eq!(ada.first_name.as_deref(), Some("Ada \"Enchantress\""));
    assert_eq!(text(&ada, "notes").as_deref(), Some("5\" disk"));
}

#[test]
fn what_cannot_be_a_file_of_contacts() {
    assert_eq!(refused(ReadOptions::default(), "")[0].0, "empty_file");
    assert_eq!(refused(ReadOptions::default(), "\n\n")[0].0, "empty_file");
    assert_eq!(refused(ReadOptions::default(), "\"name\nAda\n")[0].0, "no_header");
    let (code, message) = refused(ReadOptions::default(), "colour,shape\nred,round\n").remove(0);
    assert_eq!(code, "no_usable_column");
    assert!(message.contains("`colour`, `shape`"), "{message}");
}

#[test]
fn columns_are_mapped_by_the_caller() {
    let options = mapped(&[
        ("Wer", "name"),
        ("Tel. 1", "phone:mobile"),
        ("Strasse 1", "street:summer house"),
        ("Ort 1", "city:summer house"),
        ("email", "ignore"),
        ("Farbe", "custom.colour"),
        ("Von", "source"),
    ]);
    let file =
        "Wer,tel 1,Strasse 1,Ort 1,email,Farbe,Von,Rest\nAda Lovelace,1,S,C,a@x.org,red,fair,r\n";
    let records = read_with(ImportFormat::Csv, options, file.as_bytes()).unwrap();
    let ada = records[0].outcome.as_ref().unwrap();
    assert_eq!(ada.last_name.as_deref(), Some("Lovelace"));
    assert_eq!(ada.phones[0].label.as_deref(), Some("mobile"));
    assert_eq!(ada.addresses.len(), 1);
    assert_eq!(ada.addresses[0].label.as_deref(), Some("summer house"));
    assert_eq!(ada.addresses[0].city.as_deref(), Some("C"));
    assert!(ada.emails.is_empty());
    assert_eq!(ada.source.as_deref(), Some("fair"));
    assert_eq!(text(ada, "colour").as_deref(), Some("red"));
    assert_eq!(text(ada, "Rest").as_deref(), Some("r"));
}

#[test]
fn a_map_that_is_wrong_says_what_would_be_right() {
    let file = "Wer,b\nAda,x\n";
    let refused = |pairs: &[(&str, &str)]| refused(mapped(pairs), file);
    let (code, message) = refused(&[("Wer", "frist_name")]).remove(0);
    assert_eq!(code, "unknown_field");
    assert!(message.ends_with("did you mean `first_name`?"), "{message}");
    let (_, message) = refused(&[("Wer", "quux")]).remove(0);
    assert!(message.contains("`custom.<key>`"), "{message}");
    let (code, message) = refused(&[("Wehr", "name")]).remove(0);
    assert_eq!(code, "unknown_column");
    assert!(message.ends_with("did you mean `Wer`?"), "{message}");
    assert_eq!(refused(&[("Wer", "name"), ("Wer", "title")])[0].0, "duplicate_column");
    assert_eq!(refused(&[("Wer", "name"), ("b", "name")])[0].0, "duplicate_field");
    assert_eq!(refused(&[("Wer", "name:x")])[0].0, "unknown_field");
    for field in fields() {
        assert!(
            read_with(ImportFormat::Csv, mapped(&[("b", field)]), b"name,b\nA,\n").is_ok(),
            "{field}"
        );
    }
}

#[test]
fn headers_of_several_languages() {
    for (header, expected) in [
        ("Vorname;Nachname;Firma;Straße;PLZ;Ort;Handy;E-Mail-Adresse", "German"),
        ("Nombre;Apellidos;Empresa;Calle;Código postal;Ciudad;Móvil;Correo electrónico", "Spanish"),
        ("Prénom;Nom;Société;Rue;Code postal;Ville;Téléphone portable;Courriel", "French"),
        ("Vorname;Name;Firma;Strasse;Postleitzahl;Stadt;Mobil;Mail", "German, short"),
        ("firstname;surname;company name;street_address;zip;town;mobilephone;workemail", "English"),
    ] {
        let ada = csv(&format!("{header}\nAda;Lovelace;AE;S 1;123;London;555;a@x.org\n"));
        assert_eq!(ada.first_name.as_deref(), Some("Ada"), "{expected}");
        assert_eq!(ada.last_name.as_deref(), Some("Lovelace"), "{expected}");
        assert_eq!(ada.company.as_deref(), Some("AE"), "{expected}");
        assert_eq!(ada.addresses[0].street.as_deref(), Some("S 1"), "{expected}");
        assert_eq!(ada.addresses[0].postal_code.as_deref(), Some("123"), "{expected}");
        assert_eq!(ada.addresses[0].city.as_deref(), Some("London"), "{expected}");
        assert_eq!(ada.phones[0].label.as_deref(), Some("mobile"), "{expected}");
        assert_eq!(ada.emails[0].address, "a@x.org", "{expected}");
        assert!(ada.custom.is_empty(), "{expected}: {:?}", ada.custom);
    }
}

#[test]
fn full_names_are_taken_apart() {
    for (full, first, last) in [
        ("Ada Lovelace", "Ada", "Lovelace"),
        ("Lovelace, Ada King", "Ada King", "Lovelace"),
        ("Ludwig van Beethoven", "Ludwig", "van Beethoven"),
        ("Maria de la Cruz", "Maria", "de la Cruz"),
        ("de la Cruz, Maria", "Maria", "de la Cruz"),
        ("Al Gore", "Al", "Gore"),
        ("José Pedro Freyre", "José Pedro", "Freyre"),
        ("Cher", "Cher", ""),
        ("Dr. Ada Lovelace", "Ada", "Lovelace"),
        ("Mr. Lovelace", "", "Lovelace"),
        ("Martin Luther King Jr.", "Martin Luther", "King"),
        ("Ada Lovelace, Ph.D.", "Ada", "Lovelace"),
    ] {
        let read = csv(&format!("name\n\"{full}\"\n"));
        assert_eq!(read.first_name.as_deref().unwrap_or_default(), first, "{full}");
        assert_eq!(read.last_name.as_deref().unwrap_or_default(), last, "{full}");
        assert_eq!(read.display_name, None, "{full}");
    }
    let king = csv("name\n\"Dr. Martin Luther King Jr.\"\n");
    assert_eq!(text(&king, "honorific").as_deref(), Some("Dr."));
    assert_eq!(text(&king, "suffix").as_deref(), Some("Jr."));
    let ada = csv("first_name,last_name,name\nAda,Lovelace,Countess of Lovelace\n");
    assert_eq!(ada.display_name.as_deref(), Some("Countess of Lovelace"));
}

#[test]
fn a_company_alone_is_shown_by_its_name() {
    assert_eq!(csv("name,company\n,AE\n").display_name.as_deref(), Some("AE"));
    assert_eq!(csv("email,company\na@x.org,AE\n").display_name, None);
}

#[test]
fn headers_that_say_the_same_or_nothing() {
    let ada = csv("name,Notes,Notes,,,Email,Email\nAda,1,2,3,4,a@x.org,b@x.org\n");
    assert_eq!(text(&ada, "notes").as_deref(), Some("1"));
    assert_eq!(text(&ada, "notes_2").as_deref(), Some("2"));
    assert_eq!(text(&ada, "column_4").as_deref(), Some("3"));
    assert_eq!(text(&ada, "column_5").as_deref(), Some("4"));
    assert_eq!(ada.emails.len(), 2);
}

#[test]
fn the_second_of_two_columns_for_one_value_is_kept() {
    let ada = csv("first_name,company,organization\nAda,AE,Royal Society\n");
    assert_eq!(ada.company.as_deref(), Some("AE"));
    assert_eq!(text(&ada, "organization").as_deref(), Some("Royal Society"));
    let ada = csv("first_name,company,organization\nAda,,Royal Society\n");
    assert_eq!(ada.company.as_deref(), Some("Royal Society"));
    assert!(ada.custom.is_empty());
}

#[test]
fn several_addresses_of_one_cell() {
    let ada = csv("name,email\nAda,\"Ada <a@x.org>; mailto:b@x.org, c@x.org\"\n");
    let addresses: Vec<&str> = ada.emails.iter().map(|email| email.address.as_str()).collect();
    assert_eq!(addresses, ["a@x.org", "b@x.org", "c@x.org"]);
}

#[test]
fn another_programs_apostrophe_is_text() {
    assert_eq!(csv("name,title\nAda,'=x\n").title.as_deref(), Some("'=x"));
}

#[test]
fn a_bad_id_is_refused_with_its_field() {
    let records = read(ImportFormat::Csv, "name,owner_id\nAda,7\n");
    assert_eq!(records[0].outcome.as_ref().unwrap_err()[0].field, "owner_id");
}
