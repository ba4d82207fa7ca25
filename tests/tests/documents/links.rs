//! Links between the documents.

use tests::files::{file, text};

#[test]
fn links_in_documents_resolve() {
    let docs = std::fs::read_dir(file("docs")).unwrap();
    let docs = docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().display()));
    let top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(str::to_owned);
    for document in top.into_iter().chain(docs.filter(|name| name.ends_with(".md"))) {
        let text = text(&document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = file(&document).parent().unwrap().to_owned();
            let to = if path.is_empty() { file(&document) } else { folder.join(path) };
            assert!(to.exists(), "{document}: {target}");
            if !heading.is_empty() {
                let there = std::fs::read_to_string(to).unwrap();
                let found = there.lines().any(|line| anchor(line) == heading);
                assert!(found, "{document}: {target}");
            }
        }
    }
}

/// A heading's anchor, as GitHub makes it.
fn anchor(line: &str) -> String {
    let heading = line.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Files and folders that the documents for contributors name in backticks.
#[test]
fn paths_in_documents_exist() {
    const ROOTS: [&str; 8] =
        ["functions/", "shared/", "local/", "tests/", "fuzz/", "docs/", "events/", "ci/"];
    for document in ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md"] {
        let text = text(document);
        let named = text.split('`').skip(1).step_by(2);
        let paths = named.filter(|it| ROOTS.iter().any(|root| it.starts_with(root)));
        // Skip patterns: a name in capitals or braces stands for several files.
        let paths = paths.filter(|it| !it.contains(|c: char| c.is_uppercase() || "{ ".contains(c)));
        for path in paths {
            assert!(file(path).exists(), "{document}: {path}");
        }
    }
}
