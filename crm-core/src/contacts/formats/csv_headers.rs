//! What a column of a CSV file is, by its header.
//!
//! A header is compared without case, accents, spaces and punctuation. A single value (a name, a
//! company) is looked up whole. An e-mail, a phone or a part of an address is put together from words
//! (`Business Phone 2`, `E-mail 1 - Value`, `mobilephone`), so its header is cut into the words known here;
//! where one letter is left over, the header is unknown.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// What a column fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    Ignore,
    Line(Line),
    Tags,
    Email(Slot, PointPart),
    Phone(Slot, PointPart),
    Address(Slot, AddressPart),
    Custom(String),
    /// Our own export: all custom fields, as a JSON object.
    CustomJson,
    /// Our own export: what has no column, as a JSON object.
    MoreJson,
}

/// A value that a contact has once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    FirstName,
    LastName,
    /// A full name, to be taken apart where first and last name are missing.
    Name,
    DisplayName,
    Company,
    Title,
    Source,
    OwnerId,
    CompanyId,
}

/// Which of several: columns of one slot make one e-mail, phone or address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) label: Option<String>,
    pub(super) number: Option<u32>,
    pub(super) primary: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PointPart {
    Value,
    Label,
    /// The number as typed, beside the number itself.
    AsTyped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AddressPart {
    /// The street or a further line of it, by its place.
    Street(u32),
    City,
    Region,
    PostalCode,
    Country,
    Label,
    /// The whole address in one cell.
    Whole,
}

/// A header without case, accents, spaces and punctuation.
pub(super) fn plain(header: &str) -> String {
    header
        .nfkd()
        .filter(|c| c.is_alphanumeric() && !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect::<String>()
        .replace('ß', "ss")
}

/// What each column of a header fills.
pub(super) fn targets(headers: &[String], own: bool) -> Vec<Target> {
    let plains: Vec<String> = headers.iter().map(|header| plain(header)).collect();
    let has = |names: &[&str]| plains.iter().any(|plain| names.contains(&plain.as_str()));
    let context = Context {
        // `Title` beside a job title is the form of address, `Name` beside a first name the last name.
        has_job_title: has(&["jobtitle", "organizationtitle", "organization1title"]),
        has_first: has(&["vorname", "prenom", "firstname", "givenname"]),
        has_last: has(LAST_NAMES),
    };
    headers
        .iter()
        .zip(&plains)
        .map(|(header, plain)| {
            own.then(|| own_target(plain))
                .flatten()
                .unwrap_or_else(|| context.target(header, plain))
        })
        .collect()
}

/// The columns that only our own export has.
fn own_target(plain: &str) -> Option<Target> {
    Some(match plain {
        "id" | "createdat" | "updatedat" | "version" => Target::Ignore,
        "customjson" => Target::CustomJson,
        "morejson" => Target::MoreJson,
        _ => return None,
    })
}

const LAST_NAMES: &[&str] = &[
    "lastname",
    "last",
    "surname",
    "familyname",
    "family",
    "lname",
    "nachname",
    "familienname",
    "zuname",
    "apellido",
    "apellidos",
    "primerapellido",
    "nomdefamille",
];

struct Context {
    has_job_title: bool,
    has_first: bool,
    has_last: bool,
}

impl Context {
    fn target(&self, header: &str, plain: &str) -> Target {
        if let Some(line) = self.line(plain) {
            return Target::Line(line);
        }
        if let Some(key) = self.custom_key(plain) {
            return Target::Custom(key.to_owned());
        }
        match plain {
            "tags" | "tag" | "labels" | "categories" | "category" | "groupmembership"
            | "groups" | "etiquetas" | "kategorien" | "schlagworte" | "schlagworter"
            | "etiquettes" => Target::Tags,
            _ => worded(plain).unwrap_or_else(|| Target::Custom(header.to_owned())),
        }
    }

    fn line(&self, plain: &str) -> Option<Line> {
        if LAST_NAMES.contains(&plain) {
            return Some(Line::LastName);
        }
        Some(match plain {
            "firstname" | "first" | "givenname" | "given" | "forename" | "fname" | "vorname"
            | "prenom" | "primernombre" | "contactfirstname" => Line::FirstName,
            "contactlastname" => Line::LastName,
            "nombre" if self.has_last => Line::FirstName,
            "name" | "nom" if self.has_first && !self.has_last => Line::LastName,
            "name" | "fullname" | "contactname" | "contact" | "nombre" | "nom"
            | "nombrecompleto" | "nomcomplet" | "vollstandigername" | "ansprechpartner"
            | "kontakt" => Line::Name,
            "displayname" | "anzeigename" => Line::DisplayName,
            "company" | "companyname" | "organization" | "organisation" | "organizationname"
            | "organization1name" | "org" | "employer" | "account" | "accountname" | "firma"
            | "firmenname" | "unternehmen" | "empresa" | "compania" | "societe" | "entreprise"
            | "associatedcompany" | "nomdelentreprise" => Line::Company,
            "jobtitle" | "position" | "organizationtitle" | "organization1title"
            | "contacttitle" | "berufsbezeichnung" | "funktion" | "stellung" | "cargo"
            | "puesto" | "fonction" | "poste" => Line::Title,
            "title" | "titel" | "titre" if !self.has_job_title => Line::Title,
            "source" | "leadsource" | "herkunft" | "origen" => Line::Source,
            "ownerid" => Line::OwnerId,
            "companyid" => Line::CompanyId,
            _ => return None,
        })
    }

    /// The stable keys of what a contact has no field for.
    fn custom_key(&self, plain: &str) -> Option<&'static str> {
        Some(match plain {
            "middle" | "middlename" | "additionalname" | "secondname" | "zweitername"
            | "segundonombre" | "deuxiemeprenom" => "middle_name",
            "suffix" | "namesuffix" => "suffix",
            "prefix" | "nameprefix" | "salutation" | "honorific" | "anrede" | "tratamiento"
            | "civilite" => "honorific",
            "title" | "titel" | "titre" if self.has_job_title => "honorific",
            "nickname" | "spitzname" | "apodo" | "surnom" => "nickname",
            "birthday" | "birthdate" | "dateofbirth" | "dob" | "bday" | "geburtstag"
            | "geburtsdatum" | "fechadenacimiento" | "cumpleanos" | "datedenaissance" => "birthday",
            "anniversary" => "anniversary",
            "notes" | "note" | "notizen" | "notiz" | "bemerkung" | "bemerkungen" | "notas"
            | "remarques" | "comments" | "comment" => "notes",
            "website" | "webpage" | "url" | "homepage" | "web" | "websiteurl" | "website1value"
            | "webseite" | "sitioweb" | "siteweb" => "website",
            "website2value" => "website_2",
            "gender" | "sex" | "geschlecht" => "gender",
            "department" | "organizationdepartment" | "abteilung" | "departamento" => "department",
            "phoneticfirstname" | "givennameyomi" => "phonetic_first_name",
            "phoneticlastname" | "familynameyomi" => "phonetic_last_name",
            _ => return None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Word {
    Email,
    Phone,
    /// Says by itself that it is a phone, and which.
    PhoneLabel(&'static str),
    Address,
    Part(AddressPart),
    Label(&'static str),
    Primary,
    IsLabel,
    IsTyped,
    Filler,
    Number(u32),
}

impl Word {
    fn number(&self) -> Option<u32> {
        if let Word::Number(number) = self { Some(*number) } else { None }
    }
}

#[rustfmt::skip]
const WORDS: &[(&str, Word)] = {
    use AddressPart::{City, Country, PostalCode, Region, Street, Whole};
    use Word::{Address, Email, Filler, IsTyped, IsLabel, Label, Part, Phone, PhoneLabel, Primary};
    &[
        ("email", Email), ("emailaddress", Email), ("mail", Email), ("emailadresse", Email), ("mailadresse", Email),
        ("adressemail", Email), ("adresseemail", Email), ("correo", Email), ("correoelectronico", Email),
        ("courriel", Email), ("adresseelectronique", Email),
        ("phone", Phone), ("phonenumber", Phone), ("telephone", Phone), ("tel", Phone), ("telefon", Phone),
        ("telefonnummer", Phone), ("rufnummer", Phone), ("telefono", Phone), ("telephonenumber", Phone),
        ("mobile", PhoneLabel("mobile")), ("cell", PhoneLabel("mobile")), ("cellular", PhoneLabel("mobile")),
        ("handy", PhoneLabel("mobile")), ("handynummer", PhoneLabel("mobile")), ("mobil", PhoneLabel("mobile")),
        ("mobilnummer", PhoneLabel("mobile")), ("movil", PhoneLabel("mobile")), ("celular", PhoneLabel("mobile")),
        ("portable", PhoneLabel("mobile")), ("fax", PhoneLabel("fax")), ("telefax", PhoneLabel("fax")),
        ("faxnummer", PhoneLabel("fax")), ("telecopie", PhoneLabel("fax")), ("pager", PhoneLabel("pager")),
        ("callback", PhoneLabel("callback")),
        ("address", Address), ("adresse", Address), ("anschrift", Address), ("direccion", Address),
        ("street", Part(Street(1))), ("streetaddress", Part(Street(1))), ("addressline", Part(Street(1))),
        ("strasse", Part(Street(1))), ("calle", Part(Street(1))), ("rue", Part(Street(1))),
        ("extendedaddress", Part(Street(8))), ("pobox", Part(Street(9))), ("addresspobox", Part(Street(9))),
        ("postfach", Part(Street(9))),
        ("city", Part(City)), ("town", Part(City)), ("locality", Part(City)), ("ort", Part(City)), ("stadt", Part(City)),
        ("wohnort", Part(City)), ("ciudad", Part(City)), ("localidad", Part(City)), ("ville", Part(City)),
        ("state", Part(Region)), ("province", Part(Region)), ("stateprovince", Part(Region)), ("region", Part(Region)),
        ("stateregion", Part(Region)), ("county", Part(Region)), ("bundesland", Part(Region)),
        ("provincia", Part(Region)), ("estado", Part(Region)),
        ("postalcode", Part(PostalCode)), ("postcode", Part(PostalCode)), ("zip", Part(PostalCode)),
        ("zipcode", Part(PostalCode)), ("zippostalcode", Part(PostalCode)), ("plz", Part(PostalCode)),
        ("postleitzahl", Part(PostalCode)), ("codigopostal", Part(PostalCode)), ("codepostal", Part(PostalCode)),
        ("country", Part(Country)), ("countryregion", Part(Country)), ("land", Part(Country)), ("pais", Part(Country)),
        ("pays", Part(Country)), ("formatted", Part(Whole)),
        ("home", Label("home")), ("private", Label("home")), ("privat", Label("home")), ("personal", Label("home")),
        ("casa", Label("home")), ("domicile", Label("home")),
        ("work", Label("work")), ("business", Label("work")), ("office", Label("work")), ("geschaftlich", Label("work")),
        ("dienstlich", Label("work")), ("trabajo", Label("work")), ("travail", Label("work")), ("bureau", Label("work")),
        ("other", Label("other")), ("main", Label("main")), ("assistant", Label("assistant")),
        ("assistants", Label("assistant")), ("car", Label("car")), ("radio", Label("radio")),
        ("company", Label("company")), ("billing", Label("billing")), ("shipping", Label("shipping")),
        ("mailing", Label("mailing")), ("ttytdd", Label("tty")), ("direct", Label("direct")),
        ("primary", Primary), ("label", IsLabel), ("type", IsLabel), ("astyped", IsTyped),
        ("value", Filler), ("number", Filler), ("nummer", Filler), ("contact", Filler), ("line", Filler),
    ]
};

/// The longest header that is cut into words.
const LONGEST_WORDED: usize = 60;

/// Cuts all of `text` into known words, longest first.
fn words(text: &str) -> Option<Vec<Word>> {
    fn cut(text: &str, found: &mut Vec<Word>) -> bool {
        if text.is_empty() {
            return true;
        }
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut candidates: Vec<(usize, Word)> = WORDS
            .iter()
            .filter(|(word, _)| text.starts_with(word))
            .map(|(word, meaning)| (word.len(), *meaning))
            .collect();
        if let Some(number) = text.get(..digits).and_then(|digits| digits.parse().ok()) {
            candidates.push((digits, Word::Number(number)));
        }
        candidates.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        for (length, word) in candidates {
            found.push(word);
            if cut(text.get(length..).unwrap_or_default(), found) {
                return true;
            }
            found.pop();
        }
        false
    }
    let mut found = Vec::new();
    (text.len() <= LONGEST_WORDED && cut(text, &mut found)).then_some(found)
}

/// What a header that is made of known words means; `None` where it names no e-mail, phone or address.
fn worded(plain: &str) -> Option<Target> {
    let words = words(plain)?;
    let has = |wanted: Word| words.contains(&wanted);
    let labels: Vec<&str> = words
        .iter()
        .filter_map(|word| {
            if let Word::Label(label) | Word::PhoneLabel(label) = word {
                Some(*label)
            } else {
                None
            }
        })
        .collect();
    let mut slot = Slot {
        label: (!labels.is_empty()).then(|| labels.join(" ")),
        number: words.iter().find_map(Word::number),
        primary: has(Word::Primary),
    };
    let part = if has(Word::IsLabel) {
        PointPart::Label
    } else if has(Word::IsTyped) {
        PointPart::AsTyped
    } else {
        PointPart::Value
    };
    if has(Word::Email) {
        return Some(Target::Email(slot, part));
    }
    if has(Word::Phone) || words.iter().any(|word| matches!(word, Word::PhoneLabel(_))) {
        return Some(Target::Phone(slot, part));
    }
    let part =
        words.iter().find_map(|word| if let Word::Part(part) = word { Some(*part) } else { None });
    let last_number = words.last().and_then(Word::number);
    let part = match part {
        _ if has(Word::IsLabel) && (part.is_some() || has(Word::Address)) => AddressPart::Label,
        // A number at the end counts the lines (`Street 2`), one before the part the addresses
        // (`Address 1 - Street`).
        Some(AddressPart::Street(1)) if last_number.is_some() => {
            slot.number = None;
            AddressPart::Street(last_number.unwrap_or(1))
        }
        Some(part) => part,
        None if has(Word::Address) => match last_number {
            Some(line) => {
                slot.number = None;
                AddressPart::Street(line)
            }
            None => AddressPart::Whole,
        },
        None => return None,
    };
    Some(Target::Address(slot, part))
}
