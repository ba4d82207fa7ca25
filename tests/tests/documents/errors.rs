//! docs/errors.md: every problem code.

use shared::http::problem::Code;

use tests::files::text;

#[test]
fn problem_codes_and_docs_errors_match_in_sequence() {
    let document = text("docs/errors.md");
    let explained: Vec<[&str; 4]> = document
        .lines()
        .skip_while(|line| !line.starts_with("| `code` |"))
        .skip(2)
        .map(|row| {
            let cells = row.trim_matches('|').split('|').map(str::trim);
            let cells: Vec<&str> = cells.collect();
            cells.try_into().expect(row)
        })
        .collect();
    assert_eq!(explained.len(), Code::ALL.len());
    for ([name, status, meaning, advice], code) in explained.into_iter().zip(Code::ALL) {
        assert_eq!(name, format!("`{}`", code.as_str()));
        assert_eq!(status, code.status().as_str(), "{name}");
        assert_eq!(meaning, code.title(), "{name}");
        assert!(advice.ends_with('.'), "{name}: {advice}");
    }
}
