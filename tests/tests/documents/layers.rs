//! The layers of the shared crate: each knows only those below it.

use std::path::Path;

use tests::files::file;

/// The layers from the lowest up. Layers of one row do not use each other.
const LAYERS: [&[&str]; 6] = [
    &["clock", "limits", "strict_json"],
    &["domain"],
    &["platform"],
    &["amazon_pay", "store"],
    &["adyen"],
    &["http"],
];

/// Crates that the domain does not use.
const NOT_THE_DOMAINS: [&str; 6] =
    ["http", "reqwest", "tokio", "aws_sdk_dynamodb", "lambda_http", "lambda_runtime"];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Code without comments.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first name of every path that begins with `root`, `use` lists included.
fn first_names<'a>(code: &'a str, root: &str) -> Vec<&'a str> {
    let name = |text: &'a str| {
        let text = text.trim_start();
        let end = text.find(|it: char| !it.is_alphanumeric() && it != '_');
        &text[..end.unwrap_or(text.len())]
    };
    let mut names = Vec::new();
    for (at, _) in code.match_indices(root) {
        let rest = &code[at + root.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.push(name(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (at, it) in list.char_indices() {
            match it {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    names.push(name(&list[start..at]));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.push(name(&list[start..at]));
                    start = at + 1;
                }
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

#[test]
fn first_names_of_paths_are_found_in_lists_and_alone() {
    let code = "use crate::{a::{b, c}, d,\n e::f};\nlet x = crate::g::h;";
    assert_eq!(first_names(code, "crate::"), ["a", "d", "e", "g"]);
}

#[test]
fn layer_uses_only_layers_below_it() {
    let rank = |layer: &str| LAYERS.iter().position(|row| row.contains(&layer));
    let mut known = 0;
    for (height, row) in LAYERS.iter().enumerate() {
        for layer in *row {
            let mut files = Vec::new();
            let module = file(&format!("shared/src/{layer}.rs"));
            match std::fs::read_to_string(&module) {
                Ok(text) => files.push((module.display().to_string(), text)),
                Err(_) => sources(&file(&format!("shared/src/{layer}")), &mut files),
            }
            assert!(!files.is_empty(), "{layer}");
            for (path, text) in files {
                for name in first_names(&code(&text), "crate::") {
                    let below = rank(name).unwrap_or_else(|| panic!("{path}: {name}?"));
                    assert!(below < height || name == *layer, "{path} knows {name}");
                    known += 1;
                }
            }
        }
    }
    assert!(known > 50, "{known}");
}

#[test]
fn every_folder_of_the_shared_crate_is_a_layer() {
    for entry in std::fs::read_dir(file("shared/src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let layer = name.trim_end_matches(".rs");
        assert!(layer == "lib" || LAYERS.iter().any(|row| row.contains(&layer)), "{name}");
    }
}

#[test]
fn domain_uses_neither_http_nor_aws_nor_a_client() {
    let mut files = Vec::new();
    sources(&file("shared/src/domain"), &mut files);
    for (path, text) in files {
        for name in first_names(&code(&text), "use ") {
            assert!(!NOT_THE_DOMAINS.contains(&name), "{path} knows {name}");
        }
    }
}
