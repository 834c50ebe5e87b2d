//! Who may connect, as the configuration says it: the mode, static tokens with what each may do, and the keys of JWTs.
//! Knows no request and no token that a client sends.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::Secret;

/// Who may connect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Whether tokens are asked for, and of which kinds.
    pub mode: AuthMode,
    /// Tokens that stand in the configuration; none in mode `none`, at least one in mode `tokens`.
    pub tokens: Vec<StaticToken>,
    /// Whether, in mode `none`, an address that others can reach may be listened on.
    pub allow_anonymous: bool,
    /// Origins whose pages may connect and call functions, exactly as browsers write them. If there are none any page
    /// may connect, and in mode `none` call functions.
    pub allowed_origins: Vec<String>,
}

/// Whether tokens are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// No: everybody who reaches the listener may connect.
    #[default]
    None,
    /// Yes: those of the configuration.
    Tokens,
    /// Yes: JWTs, and those of the configuration.
    Jwt(Box<Jwt>),
}

/// A token that stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticToken {
    /// Whose it is, for the log.
    pub subject: String,
    /// The token itself: 16 to 4096 visible ASCII characters without comma.
    pub token: Secret,
    /// What it is good for.
    pub rights: Rights,
    /// Whether `POST /v1/auth/grant` takes it.
    pub may_grant: bool,
}

/// What a token is good for. Absent is everything, an empty set nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// Names of the backends that it may connect to.
    pub backends: Option<BTreeSet<String>>,
    /// Names of the functions that the gateway runs for it.
    pub functions: Option<BTreeSet<String>>,
    /// How long a connection may last, if it is less than what `limits` say; at least 1 s, at most a week.
    pub max_session: Option<Duration>,
}

/// How JWTs are judged and granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// The algorithms that are taken, each one that a key is for.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The keys that verify, each for an algorithm of the list; at least one.
    pub keys: Vec<VerifyingKey>,
    /// What signs granted tokens; without it none are granted.
    pub signing_key: Option<SigningKey>,
    /// Where `keys` came from.
    pub sources: JwtSources,
    /// What `iss` has to say.
    pub issuer: Option<String>,
    /// What `aud` has to hold; without it a token must have no `aud`.
    pub audience: Option<String>,
    /// By how much the clocks of issuers may differ from ours; whole seconds, at most 300.
    pub leeway: Duration,
    /// How long a granted token may live; whole seconds, 1 to 3600.
    pub max_grant_ttl: Duration,
}

/// What the keys were read from, for [`Config::show`](super::Config::show).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JwtSources {
    /// There is a secret for HS256.
    pub has_secret: bool,
    /// A public key, as PEM.
    pub public_key: Option<String>,
    /// A file of public keys with their ids.
    pub jwks_file: Option<String>,
    /// There is a private key of its own for granted tokens.
    pub has_signing_key: bool,
}

/// The algorithms of signatures that can be taken (RFC 7518, section 3.1, and RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// A key that verifies. `Debug` does not print the key.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// The name by which a token's header says that this is its key.
    pub kid: Option<String>,
    /// The key.
    pub material: KeyMaterial,
}

/// A key that verifies, of a kind that is for one algorithm alone. `Debug` prints that algorithm.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyMaterial {
    /// The secret, at least 32 bytes.
    Hmac(Vec<u8>),
    /// Modulus and exponent, big-endian without leading zeros; 2048 to 8192 bits.
    Rsa {
        /// The modulus.
        n: Vec<u8>,
        /// The exponent.
        e: Vec<u8>,
    },
    /// An uncompressed point: 4, x, y; 65 bytes.
    P256(Vec<u8>),
    /// 32 bytes.
    Ed25519(Vec<u8>),
}

/// A key that signs. `Debug` does not print the key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// What it signs by.
    pub algorithm: JwtAlgorithm,
    /// The secret, or the private key: PKCS#8, of RSA also PKCS#1; DER.
    pub bytes: Vec<u8>,
}

impl JwtAlgorithm {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// The word for it in a token's header and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl KeyMaterial {
    /// The one algorithm that the key is for.
    pub const fn algorithm(&self) -> JwtAlgorithm {
        match self {
            Self::Hmac(_) => JwtAlgorithm::Hs256,
            Self::Rsa { .. } => JwtAlgorithm::Rs256,
            Self::P256(_) => JwtAlgorithm::Es256,
            Self::Ed25519(_) => JwtAlgorithm::EdDsa,
        }
    }
}

impl Rights {
    /// Whether a connection to this backend may be made.
    pub fn allow_backend(&self, name: &str) -> bool {
        self.backends.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Whether this function may be run.
    pub fn allow_function(&self, name: &str) -> bool {
        self.functions.as_ref().is_none_or(|names| names.contains(name))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?}, {:?})", self.kid, self.material)
    }
}

impl fmt::Debug for KeyMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key", self.algorithm().name())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} signing key", self.algorithm.name())
    }
}
