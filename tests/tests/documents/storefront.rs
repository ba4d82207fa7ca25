//! `docs/storefront.md` and the storefront page agree with the API.

use std::collections::BTreeSet;

use shared::domain::amount::Currency;
use tests::files::text;

use crate::openapi::Description;

/// The operations that a page calls with a checkout token.
const CALLED: [&str; 7] = [
    "POST /paymentMethods",
    "POST /payments",
    "POST /payments/details",
    "GET /orders/{reference}",
    "POST /checkoutSessions",
    "PATCH /checkoutSessions/{id}",
    "GET /shoppers/{shopperReference}/storedPaymentMethods",
];

#[test]
fn every_problem_that_a_page_may_receive_is_in_docs_storefront() {
    let document = text("docs/storefront.md");
    let section = document.split("### Problems that a page meets").nth(1).unwrap();
    let rows = section.split("\n## ").next().unwrap().lines();
    let first_cells = rows.filter_map(|row| row.strip_prefix("| ")?.split(" | ").next());
    let explained: BTreeSet<&str> =
        first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();

    let description = Description::read();
    let called: Vec<_> =
        description.operations().filter(|(name, _)| CALLED.contains(&name.as_str())).collect();
    assert_eq!(called.len(), CALLED.len());
    for (name, operation) in called {
        for (status, code) in description.problems(operation) {
            assert!(explained.contains(code.as_str()), "{name}: {status} {code}");
        }
    }
}

#[test]
fn pages_show_amounts_with_adyens_decimals() {
    let letters = || 'A'..='Z';
    let codes = letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    let others: BTreeSet<(usize, String)> = codes
        .filter_map(|code| Some((code.parse::<Currency>().ok()?.decimals(), code)))
        .filter(|(decimals, _)| *decimals != 2)
        .collect();

    for script in ["local/src/storefront.js", "local/src/workbench/pages/dom.js"] {
        let script = text(script).replace('"', "'");
        let table = script.split("const DECIMALS = ").nth(1).unwrap();
        let table = table.split(".flatMap").next().unwrap();
        // `[0, 'BIF CVE …'], [3, …]`
        let entries =
            table.split(']').filter_map(|entry| entry.rsplit('[').next()?.split_once(", '"));
        let listed: BTreeSet<(usize, String)> = entries
            .flat_map(|(decimals, codes)| {
                let decimals = decimals.parse().unwrap();
                let codes = codes.trim_end_matches('\'').split(' ');
                codes.map(move |code| (decimals, code.to_owned()))
            })
            .collect();
        assert_eq!(listed, others);
    }
}
