//! What a configuration takes from files and the environment: itself, paths of inputs, secrets.
//!
//! Runs on: the test runner.
//! Owns: that a secret is never shown, and where relative paths are looked for.
//! Never: looks at files that it did not make, but for the crate's own.

mod config_case;

use std::os::unix::fs::PermissionsExt;

use config_case::errors;
use shrike::config::{Config, ConfigErrorKind};

use ConfigErrorKind::{File, Secret, Syntax, UnknownKey};

#[test]
fn a_secret_in_plain_text_is_refused_and_never_shown() {
    for (text, kind) in [
        (
            "[brokers.alpaca]\nenabled = false\napi_key = \"CANARY\"",
            Secret,
        ),
        (
            "[brokers.alpaca]\nenabled = false\napi_secret = \"${A}CANARY\"",
            Secret,
        ),
        (
            "[brokers.alpaca]\nenabled = false\napi_key = [\"CANARY\"]",
            Secret,
        ),
        (
            "[brokers.alpaca]\nenabled = false\napi_kye = \"CANARY\"",
            UnknownKey,
        ),
        (
            "[brokers.alpaca]\nenabled = false\npass = \"CANARY\"",
            UnknownKey,
        ),
        (
            "[brokers.alpaca]\nenabled = false\napi_key = CANARY",
            Syntax,
        ),
        (
            "[brokers.alpaca]\nenabled = 1\napi_key = \"CANARY\"",
            Secret,
        ),
        (
            "brokers.alpaca = { api_key = \"CANARY\", enabled = 0 }",
            Secret,
        ),
    ] {
        let found = errors(text);
        let text = format!("{found}{found:?}{}", found.render(true));
        assert!(found.iter().any(|error| error.kind == kind), "{text}");
        assert!(!text.contains("CANARY"), "{text}");
        let parts = found.iter().map(|error| format!("{error:?}"));
        assert!(parts.collect::<String>().find("CANARY").is_none());
    }
}

#[test]
fn secrets_come_from_the_environment_or_a_private_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("key");
    std::fs::write(&file, "CANARY").expect("written");
    let config = directory.path().join("c.toml");
    let check = |entry: &str, expected: Option<&str>| {
        let text = format!("[brokers.alpaca]\n{entry}\n");
        std::fs::write(&config, text).expect("written");
        let found = Config::load(&config).expect_err("alpaca is not built");
        let secrets: Vec<_> = found.iter().filter(|error| error.kind == Secret).collect();
        assert_eq!(secrets.len(), usize::from(expected.is_some()), "{found}");
        assert!(
            found.to_string().contains(expected.unwrap_or("")),
            "{found}"
        );
        assert!(!found.to_string().contains("CANARY"), "{found}");
    };
    let set = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, permissions).expect("set");
    };
    check("api_key = \"${CARGO_MANIFEST_DIR}\"", None);
    check(
        "api_key = \"${SHRIKE_NO_SUCH_VARIABLE}\"",
        Some("the environment variable SHRIKE_NO_SUCH_VARIABLE is not set"),
    );
    set(0o640);
    check("api_key_file = \"key\"", Some("has mode 0640"));
    set(0o600);
    check("api_key_file = \"key\"", None);
    check(
        "api_key_file = \"no-such-key\"",
        Some("cannot read no-such-key"),
    );
    check(
        "api_key = \"${CARGO_MANIFEST_DIR}\"\napi_key_file = \"key\"",
        Some("is given twice"),
    );
    let found = errors("[brokers.paper]\napi_key = \"${CARGO_MANIFEST_DIR}\"");
    assert!(
        found
            .to_string()
            .contains("is not used by a broker of kind paper"),
        "{found}"
    );
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("c.toml");
    let failed = |words: &str| {
        let found = Config::load(&path).expect_err("unreadable");
        let error = found.iter().next().expect("one");
        assert_eq!((error.kind, error.line()), (File, None));
        assert!(error.message.contains(words), "{found}");
        assert!(error.message.contains("c.toml"), "{found}");
    };
    failed("No such file");
    std::fs::write(&path, b"seed = 1\n# \xff\n").expect("written");
    failed("line 2 is not UTF-8");
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("written");
    failed("at most 1048576 bytes");
    std::fs::remove_file(&path).expect("removed");
    std::fs::create_dir(&path).expect("made");
    failed("a file of at most");
}

#[test]
fn inputs_are_looked_for_beside_the_file_then_in_the_working_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("c.toml");
    let write = |path: &str| {
        let text = format!(
            "[market]\nsource = \"lean\"\npath = \"{path}\"\nsymbols = [\"IBM\"]\n\
             date = 2013-10-07\n"
        );
        std::fs::write(&file, text).expect("written");
        Config::load(&file)
    };
    // Tests run in the crate's root.
    let here = write("tests/fixtures").expect("in the working directory");
    assert_eq!(here.market.path.as_deref(), Some("tests/fixtures".as_ref()));
    std::fs::create_dir_all(directory.path().join("tests/fixtures")).expect("made");
    let beside = write("tests/fixtures").expect("beside the file");
    let expected = directory.path().join("tests/fixtures");
    assert_eq!(beside.market.path, Some(expected));
    let found = write("nowhere").expect_err("in neither");
    let error = found.iter().next().expect("one");
    assert_eq!((error.kind, error.line()), (File, Some(3)), "{found}");
    assert!(found.to_string().contains("not found: nowhere"), "{found}");
    assert!(
        found.to_string().contains("beside the configuration file"),
        "{found}"
    );
}
