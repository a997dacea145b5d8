//! Made-up people, for demonstrations and measurements.
//!
//! Names are drawn with a natural, uneven frequency: a few are common, most are rare. Nobody here
//! exists; domains end in `.example` (RFC 2606) and phone numbers have the exchange 555.

/// A source of made-up people: the same seed always gives the same ones.
///
/// ```
/// use crm_core::sample::Sample;
/// let people = Sample::new(7);
/// assert_eq!(people.person(3), Sample::new(7).person(3));
/// assert!(people.person(3).email.ends_with(".example"));
/// ```
#[derive(Debug, Clone)]
pub struct Sample {
    seed: u64,
    first_names: Weighted,
    last_names: Weighted,
}

/// A made-up person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Given name; one in fifty has two.
    pub first_name: String,
    /// Family name; one in forty has two parts.
    pub last_name: String,
    /// Employer.
    pub company: String,
    /// Address at the employer or at a mailbox provider, different for almost everyone.
    pub email: String,
    /// E.164, different for almost everyone.
    pub phone: String,
    /// Town.
    pub city: &'static str,
}

/// Of 1,000 people, those whose first and last name is one of the lists; the others have rare ones.
const LISTED_FIRST: u64 = 880;
const LISTED_LAST: u64 = 550;
/// Rare names there are.
const RARE_FIRST: u64 = 6_000;
const RARE_LAST: u64 = 120_000;
/// People per company.
const STAFF: u64 = 8;

impl Sample {
    /// People of this seed.
    pub fn new(seed: u64) -> Self {
        Sample {
            seed,
            first_names: Weighted::new(include_str!("sample/first_names.txt"), 25),
            last_names: Weighted::new(include_str!("sample/last_names.txt"), 20),
        }
    }

    /// The person of this number.
    pub fn person(&self, number: u64) -> Person {
        let mut random = Random::new(self.seed, number);
        let mut first_name = self.first_name(&mut random);
        if random.below(50) == 0 {
            first_name = format!("{first_name} {}", self.first_names.draw(&mut random));
        }
        let last_name = match random.below(80) {
            0 => format!("{}-{}", self.last_name(&mut random), self.last_name(&mut random)),
            1 => format!(
                "{} {}",
                pick(&["van der", "de la", "von", "de", "van", "di", "al"], &mut random),
                self.last_name(&mut random)
            ),
            _ => self.last_name(&mut random),
        };
        let (company, domain) = self.company(&mut random, number);
        let email = email(&first_name, &last_name, &domain, number, &mut random);
        Person {
            phone: phone(&mut random),
            city: pick(&CITIES, &mut random),
            first_name,
            last_name,
            company,
            email,
        }
    }

    fn first_name(&self, random: &mut Random) -> String {
        if random.below(1_000) < LISTED_FIRST {
            self.first_names.draw(random).to_owned()
        } else {
            rare(random.skewed(RARE_FIRST), 1, &FIRST_ENDS)
        }
    }

    fn last_name(&self, random: &mut Random) -> String {
        if random.below(1_000) < LISTED_LAST {
            self.last_names.draw(random).to_owned()
        } else {
            rare(random.skewed(RARE_LAST), 2, &LAST_ENDS)
        }
    }

    /// The company and its domain, the same for all who work there.
    fn company(&self, random: &mut Random, number: u64) -> (String, String) {
        let companies = number / STAFF + 20;
        let mut named = Random::new(!self.seed, random.skewed(companies));
        let kind = pick(&KINDS, &mut named);
        let name = match named.below(4) {
            0 => format!("{} {kind}", self.last_name(&mut named)),
            1 => format!("{} & {}", self.last_name(&mut named), self.last_name(&mut named)),
            2 => format!("{} {kind}", rare(named.below(20_000), 3, &COMPANY_ENDS)),
            _ => format!("{} {} {kind}", pick(&COLOURS, &mut named), pick(&THINGS, &mut named)),
        };
        let domain = format!("{}.example", slug(&name, "-"));
        (name, domain)
    }
}

fn email(first: &str, last: &str, domain: &str, number: u64, random: &mut Random) -> String {
    let (first, last) = (slug(first, ""), slug(last, ""));
    let initial: String = first.chars().take(1).collect();
    let tail = number % 1_000;
    match random.below(10) {
        0..=4 => format!("{first}.{last}@{domain}"),
        5 | 6 => format!("{initial}{last}@{domain}"),
        7 => format!("{first}@{domain}"),
        8 => format!("{first}.{last}{tail}@mail.example"),
        _ => format!("{first}{last}{tail}@post.example"),
    }
}

fn phone(random: &mut Random) -> String {
    let area = 201 + random.below(780);
    format!("+1{area}555{:04}", random.below(10_000))
}

/// The ASCII letters of a text in lower case, its words parted by `gap`.
fn slug(text: &str, gap: &str) -> String {
    crate::text::words(text)
        .iter()
        .map(|word| word.chars().filter(char::is_ascii_alphanumeric).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(gap)
}

/// The rare name of a number, made of syllables.
fn rare(number: u64, kind: u64, ends: &[&'static str]) -> String {
    let mut random = Random::new(kind, number);
    let mut name = String::from(pick(&ONSETS, &mut random));
    name.push_str(pick(&VOWELS, &mut random));
    if random.below(3) > 0 {
        name.push_str(pick(&MIDDLES, &mut random));
        name.push_str(pick(&VOWELS, &mut random));
    }
    name.push_str(pick(ends, &mut random));
    name
}

/// Names in the order of how common they are: the weight of the n-th is 1/(n + offset), which is near
/// to what censuses count (Zipf–Mandelbrot).
#[derive(Debug, Clone)]
struct Weighted {
    names: Vec<&'static str>,
    /// The sum of the weights up to each name, in millionths.
    sums: Vec<u64>,
}

impl Weighted {
    fn new(text: &'static str, offset: u64) -> Self {
        let names: Vec<&str> = text.split_whitespace().collect();
        let weights = (0..).map(|rank: u64| 1_000_000 / (rank + offset));
        let sums = names.iter().zip(weights).scan(0, |sum, (_, weight)| {
            *sum += weight;
            Some(*sum)
        });
        Weighted { sums: sums.collect(), names }
    }

    fn draw(&self, random: &mut Random) -> &'static str {
        let point = random.below(self.sums.last().copied().unwrap_or(1));
        let at = self.sums.partition_point(|sum| *sum <= point);
        self.names.get(at).copied().unwrap_or("Ada")
    }
}

fn pick(of: &[&'static str], random: &mut Random) -> &'static str {
    let at = random.below(of.len() as u64) as usize;
    of.get(at).copied().unwrap_or_default()
}

/// SplitMix64 (Steele, Lea, Flood, 2014), started anew for each thing that is made.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64, number: u64) -> Self {
        let mut random = Random(seed ^ number.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number from 0 to `end` - 1.
    fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// A number below `end`, the low ones far more often.
    fn skewed(&mut self, end: u64) -> u64 {
        let within = self.below(end) + 1;
        self.below(within)
    }
}

const ONSETS: [&str; 40] = [
    "B", "Br", "C", "Cr", "D", "Dr", "F", "Fr", "G", "Gr", "H", "J", "K", "Kl", "Kr", "L", "M",
    "N", "P", "Pr", "Qu", "R", "S", "Sch", "Sk", "Sl", "St", "Str", "T", "Th", "Tr", "V", "W",
    "Wh", "Y", "Z", "A", "E", "I", "O",
];
const VOWELS: [&str; 12] = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "ie", "oo", "ou", "y"];
const MIDDLES: [&str; 32] = [
    "b", "ck", "d", "dd", "ff", "g", "k", "l", "ll", "ld", "m", "mm", "n", "nd", "nn", "nt", "p",
    "pp", "r", "rd", "rk", "rr", "rt", "s", "ss", "st", "t", "tt", "v", "w", "x", "z",
];
const FIRST_ENDS: [&str; 16] = [
    "a", "n", "na", "lyn", "ra", "l", "la", "s", "ne", "than", "son", "ta", "el", "ia", "ton", "ny",
];
const LAST_ENDS: [&str; 36] = [
    "ton", "son", "ley", "man", "er", "well", "ford", "ham", "wood", "field", "sky", "ski", "ova",
    "ov", "ic", "ini", "elli", "berg", "stein", "mann", "ez", "land", "by", "worth", "dale", "ier",
    "eau", "sen", "ström", "nen", "akis", "oglu", "ra", "ne", "by", "s",
];
const COMPANY_ENDS: [&str; 12] =
    ["ra", "ta", "tron", "via", "lix", "nex", "soft", "tek", "lo", "zen", "mo", "dyne"];
const KINDS: [&str; 20] = [
    "Inc",
    "LLC",
    "Ltd",
    "GmbH",
    "Group",
    "Partners",
    "Consulting",
    "Logistics",
    "Foods",
    "Engineering",
    "Systems",
    "Labs",
    "Media",
    "Holdings",
    "Services",
    "Software",
    "Energy",
    "Health",
    "Capital",
    "Design",
];
const COLOURS: [&str; 14] = [
    "Blue", "Green", "Red", "Silver", "Golden", "Black", "Amber", "Crimson", "Bright", "Northern",
    "Southern", "Pacific", "Atlantic", "Alpine",
];
const THINGS: [&str; 20] = [
    "River", "Mountain", "Harbour", "Bridge", "Forest", "Stone", "Falcon", "Anchor", "Lantern",
    "Meadow", "Compass", "Summit", "Valley", "Orchard", "Beacon", "Canyon", "Cedar", "Prairie",
    "Ridge", "Willow",
];
const CITIES: [&str; 30] = [
    "New York",
    "London",
    "Chicago",
    "Toronto",
    "Berlin",
    "Paris",
    "Madrid",
    "Sydney",
    "Dublin",
    "Seattle",
    "Boston",
    "Denver",
    "Austin",
    "Vienna",
    "Zürich",
    "Munich",
    "Lyon",
    "Milan",
    "Porto",
    "Oslo",
    "Malmö",
    "Prague",
    "Kraków",
    "Lagos",
    "Nairobi",
    "Mumbai",
    "Singapore",
    "Osaka",
    "São Paulo",
    "Bogotá",
];

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::{EmailAddress, PhoneNumber};

    #[test]
    fn people_are_valid_contacts() {
        let people = Sample::new(1);
        for number in 0..2_000 {
            let person = people.person(number);
            assert!(EmailAddress::parse(&person.email).is_ok(), "{person:?}");
            assert!(PhoneNumber::from_e164(&person.phone).is_some(), "{person:?}");
            assert!(!person.company.is_empty());
        }
    }

    #[test]
    fn names_are_drawn_unevenly() {
        let people = Sample::new(1);
        let mut last_names: HashMap<String, u32> = HashMap::new();
        for number in 0..20_000 {
            *last_names.entry(people.person(number).last_name).or_default() += 1;
        }
        let smiths = last_names.get("Smith").copied().unwrap_or(0);
        let once = last_names.values().filter(|count| **count == 1).count();
        assert!((100..600).contains(&smiths), "{smiths} of the commonest name");
        assert!(once > 1_000, "{once} names borne by one person only");
    }

    #[test]
    fn low_numbers_are_drawn_more_often() {
        let mut random = Random::new(1, 1);
        let low = (0..1_000).filter(|_| random.skewed(100) < 25).count();
        assert!((500..700).contains(&low), "{low} of 1,000 in the lowest quarter");
    }

    #[test]
    fn another_seed_gives_other_people() {
        let same = (0..100).filter(|n| Sample::new(1).person(*n) == Sample::new(2).person(*n));
        assert_eq!(same.count(), 0);
    }
}
