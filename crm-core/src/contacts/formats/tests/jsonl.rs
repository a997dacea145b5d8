use super::*;

#[test]
fn a_bad_line_never_loses_a_good_one() {
    let records = read(
        ImportFormat::JsonLines,
        "{\"first_name\":\"Ada\"}\n\nnot json\n[1]\n{\"first_name\":1,\"emails\":\"x\",\"colour\":\"red\"}\n\
         {\"first_name\":\"Grace\",\"id\":\"x\",\"version\":7,\"tags\":null}",
    );
    assert_eq!(
        outcomes(&records),
        ["1", "3:invalid_json", "4:invalid_json", "5:unknown_field", "6"]
    );
    let fields: Vec<&str> =
        records[3].outcome.as_ref().unwrap_err().iter().map(|error| error.field.as_str()).collect();
    assert_eq!(fields, ["colour", "emails", "first_name"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_line() {
    let ada = one(ImportFormat::JsonLines, "\u{feff}{\"first_name\":\"Ada\"}\n");
    assert_eq!(ada.first_name.as_deref(), Some("Ada"));
}

#[test]
fn formats_have_names() {
    for format in ImportFormat::ALL {
        assert_eq!(format.name().parse::<ImportFormat>().unwrap(), *format);
    }
    for format in ExportFormat::ALL {
        assert_eq!(format.name().parse::<ExportFormat>().unwrap(), *format);
    }
    assert_eq!("xml".parse::<ImportFormat>().unwrap_err().fields()[0].code, "unknown_format");
}

#[test]
fn options_for_csv_are_refused_elsewhere() {
    let options = ReadOptions { delimiter: Some(b';'), ..ReadOptions::default() };
    let error = RecordReader::new(ImportFormat::VCard, options).unwrap_err();
    assert_eq!(error.fields()[0].code, "not_for_format");
}
