//! No text whatever makes the reading of a configuration panic.
//!
//! Runs on: the test runner.
//! Owns: random texts, and random damage to the reference file.
//! Never: takes longer than a few seconds.

use proptest::prelude::*;
use shrike::config::Config;

const REFERENCE: &str = include_str!("../config/reference.toml");
const MISTAKES: &str = include_str!("fixtures/ten_mistakes.toml");

/// Reads and renders; what holds for every answer.
fn survives(text: &str) {
    match Config::parse(text, "fuzz.toml") {
        Ok(config) => {
            config
                .validate()
                .expect("what a file says also holds by itself");
            let _ = config.notes();
        }
        Err(errors) => {
            assert!(!errors.to_string().is_empty());
            for error in &errors {
                assert!(!error.message.is_empty());
                let lines = text.matches('\n').count() + 1;
                assert!(error.line().is_none_or(|line| (1..=lines).contains(&line)));
                assert!(error.column().is_none_or(|column| column >= 1));
            }
        }
    }
}

/// The reference with every example in force.
fn uncommented() -> String {
    let lines = REFERENCE.lines().map(|line| match line.strip_prefix('#') {
        Some(code) if !code.starts_with([' ', '!']) => code,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        survives(&text);
    }

    #[test]
    fn text_of_toml_s_own_characters_never_panics(
        text in "([\\[\\]{}=.,#\"'\\\\\n\r\t \u{feff}é0-9a-z_:+-]|market|brokers|algorithm|\
                 symbols|api_key|inf|\"\"\"){0,60}"
    ) {
        survives(&text);
    }

    #[test]
    fn a_damaged_reference_never_panics(
        edits in prop::collection::vec(
            (
                any::<prop::sample::Index>(),
                0usize..12,
                "\\PC{0,6}|[\\[\\]{}=.\"'\n#-]{0,3}",
            ),
            1..8,
        ),
        examples in any::<bool>(),
    ) {
        let mut text: Vec<char> = match examples {
            true => uncommented().chars().collect(),
            false => REFERENCE.chars().collect(),
        };
        for (at, cut, insert) in edits {
            let at = at.index(text.len());
            let end = (at + cut).min(text.len());
            text.splice(at..end, insert.chars());
            if text.is_empty() {
                break;
            }
        }
        survives(&text.into_iter().collect::<String>());
    }

    #[test]
    fn shuffled_and_repeated_lines_never_panic(
        picks in prop::collection::vec(any::<prop::sample::Index>(), 1..40)
    ) {
        let all = format!("{}\n{MISTAKES}", uncommented());
        let lines: Vec<&str> = all.lines().filter(|line| !line.starts_with('#')).collect();
        let text: Vec<&str> = picks.iter().map(|pick| lines[pick.index(lines.len())]).collect();
        survives(&text.join("\n"));
    }

    #[test]
    fn every_value_under_every_key_never_panics(
        key in any::<prop::sample::Index>(),
        value in "(-?[0-9]{1,40}(\\.[0-9]{1,30})?|\"\\PC{0,12}\"|\
                  \\[(\"[A-Z]{1,4}\",?){0,3}\\]|true|nan|0x[0-9a-f]{1,40}|\\{ a = 1 \\}|2013-10-07)"
    ) {
        let keys = shrike::config::schema::KEYS;
        let key = &keys[key.index(keys.len())];
        let header = match key.section {
            "" => String::new(),
            "algorithm" => "[[algorithm]]\n".to_owned(),
            "brokers" => "[brokers.paper]\n".to_owned(),
            section => format!("[{section}]\n"),
        };
        survives(&format!("{header}{} = {value}\n", key.name));
    }
}

#[test]
fn the_reference_cut_anywhere_never_panics() {
    for at in (0..REFERENCE.len())
        .filter(|at| REFERENCE.is_char_boundary(*at))
        .step_by(7)
    {
        survives(&REFERENCE[..at]);
    }
}
