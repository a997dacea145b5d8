//! Real files: every row accounted for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;

/// A folder of the real files; they are not part of the project.
fn data(folder: &str) -> Option<PathBuf> {
    match std::env::var_os("CRM_TEST_DATA") {
        Some(root) => Some(Path::new(&root).join(folder)),
        None => {
            eprintln!("CRM_TEST_DATA is not set: the real files in `{folder}` are not imported");
            None
        }
    }
}

/// Imports a file and prints what became of it.
async fn account(session: &Session, file: &Path, options: ImportOptions) -> ImportReport {
    let report = import(session, std::fs::read(file).unwrap(), options).await;
    let mut reasons: BTreeMap<(String, String), u64> = BTreeMap::new();
    for error in &report.errors {
        let field = error.error.field.clone();
        *reasons.entry((field, error.error.code.to_string())).or_default() += 1;
    }
    eprintln!("{}: {:?} {reasons:?}", file.display(), numbers(&report));
    report
}

#[tokio::test]
async fn adventure_works() {
    let Some(folder) = data("contacts") else { return };
    let file = folder.join("adventureworks_people.csv");
    let session = session().await;
    let report = account(&session, &file, skip()).await;
    assert_eq!(numbers(&report), [19_026, 0, 0, 0]);
    assert_eq!(contacts(&session).await.len(), 19_026);
    assert_eq!(numbers(&account(&session, &file, skip()).await), [0, 0, 19_026, 0]);
}

#[tokio::test]
async fn northwind() {
    let Some(folder) = data("contacts") else { return };
    let file = folder.join("northwind_customers.csv");
    let session = session().await;
    assert_eq!(numbers(&account(&session, &file, dry(skip())).await), [91, 0, 0, 0]);
    assert_eq!(numbers(&account(&session, &file, skip()).await), [91, 0, 0, 0]);
    assert_eq!(numbers(&account(&session, &file, skip()).await), [0, 0, 91, 0]);
    assert_eq!(numbers(&account(&session, &file, update()).await), [0, 0, 91, 0]);
}

#[tokio::test]
async fn cards() {
    let Some(folder) = data("vcards") else { return };
    let mut accounts = Vec::new();
    for maker in ["calcard", "ez-vcard", "vobject"] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join(maker))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "vcf"))
            .collect();
        files.sort();
        for file in files {
            let session = session().await;
            let report = account(&session, &file, skip()).await;
            let name = file.file_name().unwrap().to_str().unwrap();
            let [created, _, skipped, failed] = numbers(&report);
            assert_eq!(contacts(&session).await.len() as u64, created);
            if skipped + failed > 0 || created != 1 {
                let codes: Vec<_> = report
                    .errors
                    .iter()
                    .map(|error| format!("{}:{}", error.error.field, error.error.code))
                    .collect();
                accounts.push(format!("{maker}/{name} {created} {skipped} {failed} {codes:?}"));
            }
        }
    }
    // Every other file is one card that is one contact. Created, skipped, failed, and why:
    assert_eq!(
        accounts,
        [
            "calcard/004.vcf 3 0 0 []",
            "calcard/005.vcf 5 0 0 []",
            // One e-mail twice, and one phone for three who have no e-mail.
            "calcard/009.vcf 6 4 0 []",
            // An address without `@`.
            "calcard/029.vcf 5 0 1 [\"emails[1].address:invalid_email\"]",
            // Nothing but an address, a birthday, an empty nickname, a messenger, a web page.
            "calcard/050.vcf 0 0 1 [\"first_name:required\"]",
            "calcard/052.vcf 0 0 1 [\"first_name:required\"]",
            "calcard/069.vcf 0 0 1 [\"first_name:required\"]",
            "calcard/073.vcf 0 0 1 [\"first_name:required\"]",
            "calcard/075.vcf 0 0 1 [\"first_name:required\"]",
        ]
    );
}
