//! Arbitrary bytes are parsed or rejected. A rejected body causes no call.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use tests::Answer;

use crate::world::World;

/// The body of the fuzz target, which is run for longer and guided by coverage.
#[path = "../../../fuzz/read.rs"]
mod read;

const SEEDS: [&str; 6] = [
    include_str!("../../../fuzz/corpus/notifications/authorisation.json"),
    include_str!("../../../fuzz/corpus/notifications/refused.json"),
    include_str!("../../../fuzz/corpus/notifications/modifications.json"),
    include_str!("../../../fuzz/corpus/notifications/report.json"),
    include_str!("../../../fuzz/corpus/notifications/token_created.json"),
    include_str!("../../../fuzz/corpus/notifications/token_disabled.json"),
];

/// A replacement for some bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let json = prop::sample::select(vec![
        "",
        "null",
        "true",
        "0",
        "-1",
        "1e9",
        "9223372036854775808",
        "\"\"",
        "{}",
        "[]",
        "[[[[",
        "\\u0000",
        "\\ud800",
        ":",
        ",",
        "\"a\":",
        "\"value\":\"7\"",
        "\"success\":false",
        "\"type\":\"recurring.token.updated\"",
        "\u{1F9C0}",
    ]);
    prop_oneof![
        json.prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
    ]
}

/// A notification with some of its values replaced.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<Index>(), 0..24_usize, piece()), 0..4);
    (0..SEEDS.len(), edits).prop_map(|(seed, edits)| {
        let mut body = SEEDS[seed].as_bytes().to_vec();
        for (at, length, piece) in edits {
            let at = at.index(body.len() + 1);
            let end = body.len().min(at + length);
            body.splice(at..end, piece);
        }
        body
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => mangled(),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => "\\PC{0,100}".prop_map(String::into_bytes),
    ]
}

#[test]
fn seed_notifications_are_parsed() {
    SEEDS.iter().for_each(|seed| read::read(seed.as_bytes()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_bytes_are_parsed_or_rejected_without_a_panic(body in body()) {
        read::read(&body);
    }
}

#[tokio::test]
async fn unsigned_bytes_return_400_or_401_without_a_dynamodb_call() {
    let world = World::new().await;
    world.dynamodb.begin(|_| None);
    let mut runner = proptest::test_runner::TestRunner::default();
    for _ in 0..300 {
        let body = body().new_tree(&mut runner).unwrap().current();
        let shown = String::from_utf8_lossy(&body).into_owned();
        let answer = Answer::of(world.post(body)).await;
        assert!([400, 401].contains(&answer.status), "{shown}: {answer:?}");
        answer.code();
    }
    assert!(world.dynamodb.calls().is_empty());
}
