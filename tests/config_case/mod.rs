//! What the tests of configuration errors share.
//!
//! Runs on: the test runner.
//! Owns: the check of one error by a text with the caret's place marked.
//! Never: is a test of its own.

// Each test binary uses some of it.
#![allow(dead_code)]

use shrike::config::{Config, ConfigErrorKind, ConfigErrors};

/// All errors of a text that has some.
pub fn errors(text: &str) -> ConfigErrors {
    match Config::parse(text, "t.toml") {
        Ok(_) => panic!("an error is expected of\n{text}"),
        Err(errors) => errors,
    }
}

/// Reads `marked` without its marks, and expects one error: of this kind, with its caret under what
/// stands between the marks, with these words in the message and in the hint ("": no hint).
pub fn shows(kind: ConfigErrorKind, marked: &str, message: &str, hint: &str) {
    let begin = marked.find('«').expect("a begin");
    let end = marked.find('»').expect("an end");
    let before = &marked[..begin];
    let under = &marked[begin + '«'.len_utf8()..end];
    let text = marked.replace(['«', '»'], "");
    let line = before.matches('\n').count() + 1;
    let indent = before.lines().last().filter(|_| !before.ends_with('\n'));
    let column = indent.map_or(0, |indent| indent.chars().count()) + 1;

    let errors = errors(&text);
    let rendered = errors.to_string();
    assert_eq!(errors.len(), 1, "{text}\n{rendered}");
    let error = errors.iter().next().expect("one");
    assert_eq!(error.kind, kind, "{rendered}");
    assert_eq!(
        (error.line(), error.column()),
        (Some(line), Some(column)),
        "{rendered}"
    );
    assert!(error.message.contains(message), "{message}\n{rendered}");
    assert!(
        rendered.contains(&format!("t.toml:{line}:{column}")),
        "{rendered}"
    );
    let shown = text.lines().nth(line - 1).expect("the line");
    let carets = "^".repeat(under.chars().count().max(1));
    let expected = format!("{line} | {shown}\n  | {}{carets}\n", " ".repeat(column - 1));
    assert!(rendered.contains(&expected), "{expected}\n{rendered}");
    match hint {
        "" => assert_eq!(error.hint, None, "{rendered}"),
        hint => {
            let found = error.hint.as_deref().unwrap_or_default();
            assert!(found.contains(hint), "{hint}\n{rendered}");
            assert!(rendered.contains(&format!("= help: {found}")), "{rendered}");
        }
    }
}

/// [`shows`] for each line of `cases`: `marked => message`, or `marked => message => hint`.
pub fn each_line_shows(kind: ConfigErrorKind, cases: &str) {
    for case in cases.lines().map(str::trim).filter(|case| !case.is_empty()) {
        let mut parts = case.split(" => ");
        let mut part = || parts.next().unwrap_or_default();
        let (marked, message, hint) = (part(), part(), part());
        shows(kind, marked, message, hint);
    }
}
