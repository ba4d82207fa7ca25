//! The page that the documents recommend is the one that is tested in a browser.

use tests::files::text;

#[test]
fn recommended_page_is_the_tested_one() {
    let document = text("docs/storefront.md");
    let marked = document.split_once("<!-- tests/browser/checkout.js -->\n```js\n").unwrap().1;
    let shown = marked.split_once("```\n").unwrap().0;
    assert_eq!(shown, text("tests/browser/checkout.js"));
}
