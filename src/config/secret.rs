//! Where secrets come from: the environment or a private file, never the configuration itself.
//!
//! Runs on: start-up and whatever opens a broker's link.
//! Owns: the `${NAME}` form, the mode check of `*_file`, and a type that does not print itself.
//! Never: keeps a secret in the configuration: that holds only where to find it.

use std::fmt;
use std::path::{Path, PathBuf};

/// The largest secret file, in bytes.
const MOST_BYTES: u64 = 64 * 1024;

/// Where a secret is to be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// This environment variable.
    Environment(String),
    /// This file; it must not be readable by group or others.
    File(PathBuf),
}

/// Why a secret cannot be had. No variant holds a part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// No such variable, or not text.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// Which file.
        path: String,
        /// The system's words.
        cause: String,
    },
    /// Others may read it.
    #[error("{path} has mode {mode:04o}: group and others must have no access")]
    Exposed {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// Nothing in it.
    #[error("{0} is empty")]
    Empty(String),
}

/// A secret's text. It prints as dots, cannot be copied, and is overwritten when dropped.
pub struct Secret(Vec<u8>);

impl Secret {
    /// The bytes, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from leaving the overwriting out.
        std::hint::black_box(&self.0);
    }
}

impl SecretSource {
    /// Reads it now; white space around it is cut off.
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Environment(name) => match std::env::var(name) {
                Ok(text) => trimmed(text.into_bytes(), || format!("environment variable {name}")),
                Err(_) => Err(SecretError::NoVariable(name.clone())),
            },
            Self::File(path) => read_file(path),
        }
    }
}

/// The variable's name in `${NAME}`, which must be the whole text.
pub(super) fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix("${")?.strip_suffix('}')?;
    let first = name.bytes().next()?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    (name.bytes().all(good) && !first.is_ascii_digit()).then_some(name)
}

fn trimmed(text: Vec<u8>, what: impl FnOnce() -> String) -> Result<Secret, SecretError> {
    let whole = Secret(text);
    let secret = Secret(whole.expose().trim_ascii().to_vec());
    if secret.expose().is_empty() {
        return Err(SecretError::Empty(what()));
    }
    Ok(secret)
}

/// A relative path under `$CREDENTIALS_DIRECTORY`, where systemd puts credentials and guards them
/// itself.
fn credential(path: &Path) -> Option<PathBuf> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY")?;
    let inside = path
        .is_relative()
        .then(|| Path::new(&directory).join(path))?;
    inside.is_file().then_some(inside)
}

fn read_file(path: &Path) -> Result<Secret, SecretError> {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    let name = || path.display().to_string();
    let unreadable = |cause: String| SecretError::Unreadable {
        path: name(),
        cause,
    };
    let guarded = credential(path);
    // The open file is asked, not the path: the answer is about what is then read.
    let opened = std::fs::File::open(guarded.as_deref().unwrap_or(path));
    let file = opened.map_err(|error| unreadable(error.to_string()))?;
    let about = file
        .metadata()
        .map_err(|error| unreadable(error.to_string()))?;
    let mode = about.permissions().mode() & 0o7777;
    if guarded.is_none() && mode & 0o077 != 0 {
        return Err(SecretError::Exposed { path: name(), mode });
    }
    if !about.is_file() || about.len() > MOST_BYTES {
        return Err(unreadable(format!(
            "not a file of at most {MOST_BYTES} bytes"
        )));
    }
    let mut text = Vec::new();
    file.take(MOST_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| unreadable(error.to_string()))?;
    trimmed(text, name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_a_whole_reference_names_a_variable() {
        assert_eq!(variable("${APCA_KEY_1}"), Some("APCA_KEY_1"));
        for text in [
            "${}", "$A", "x${A}", "${A}x", "${A}${B}", "${1A}", "${A B}", "",
        ] {
            assert_eq!(variable(text), None, "{text}");
        }
    }

    #[test]
    fn a_secret_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        std::fs::write(&path, "  canary\n").expect("written");
        let source = SecretSource::File(path.clone());
        let set = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        for mode in [0o640, 0o604, 0o610] {
            set(mode);
            let error = source.read().expect_err("refused");
            assert!(matches!(error, SecretError::Exposed { mode: m, .. } if m == mode));
        }
        set(0o600);
        let secret = source.read().expect("private now");
        assert_eq!(secret.expose(), b"canary");
        assert!(!format!("{secret:?}").contains("canary"));
        std::fs::write(&path, " \n").expect("written");
        assert!(matches!(source.read(), Err(SecretError::Empty(_))));
    }

    #[test]
    fn an_absent_variable_is_an_error_and_a_present_one_is_read() {
        let absent = SecretSource::Environment("SHRIKE_NO_SUCH_VARIABLE".to_owned());
        assert!(matches!(absent.read(), Err(SecretError::NoVariable(_))));
        let present = SecretSource::Environment("CARGO_MANIFEST_DIR".to_owned());
        let secret = present.read().expect("cargo sets it");
        assert_eq!(secret.expose(), env!("CARGO_MANIFEST_DIR").as_bytes());
    }
}
