//! What is wrong with a configuration, in words for the operator who wrote it.
//! Knows nothing of TOML or of any key, and never carries a secret: reasons are made without one.

use std::fmt;

/// Why a configuration was refused. Displays as one line: the place, the key where there is one, the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The file could not be read: `FILE: REASON`.
    Unreadable {
        /// The file's name as it was given.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// The file is not TOML: `FILE: line L, column C: REASON`.
    Syntax {
        /// The file's name as it was given.
        file: String,
        /// `line L, column C`, or `syntax` where the parser names no place.
        position: String,
        /// What the parser expected.
        reason: String,
    },
    /// A key in the file is unknown, missing or has a bad value: `FILE: KEY: REASON`.
    Key {
        /// The file's name as it was given.
        file: String,
        /// The dotted key, such as `backends[0].path`.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An environment override is unknown or has a bad value: `environment variable NAME: REASON`.
    Variable {
        /// The variable's name as it was set.
        variable: String,
        /// What is wrong with it, the dotted key included.
        reason: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, reason } => write!(f, "{file}: {reason}"),
            Self::Syntax { file, position, reason } => write!(f, "{file}: {position}: {reason}"),
            Self::Key { file, key, reason } => write!(f, "{file}: {key}: {reason}"),
            Self::Variable { variable, reason } => write!(f, "environment variable {variable}: {reason}"),
        }
    }
}

impl std::error::Error for ConfigError {}
