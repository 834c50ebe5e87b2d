//! An RSA key pair for tests, made anew for each run: none lies in the repository, and neither `ring` nor `rcgen` can
//! make one.

use std::{
    fmt,
    io::Write,
    ops::Deref,
    process::{Command, Stdio},
    sync::LazyLock,
};

/// A PEM text that is made when it is first asked for.
pub(crate) struct Pem(LazyLock<String>);

/// 2048 bits, in PKCS#8.
pub(crate) static RSA_PRIVATE: Pem =
    Pem(LazyLock::new(|| openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "")));
/// The public half.
pub(crate) static RSA_PUBLIC: Pem = Pem(LazyLock::new(|| openssl("pkey -pubout", &RSA_PRIVATE)));

fn openssl(arguments: &str, input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(arguments.split(' '))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("openssl reads");
    drop(stdin);
    let made = child.wait_with_output().expect("openssl ends");
    assert!(made.status.success(), "openssl {arguments}");
    String::from_utf8(made.stdout).expect("pem is text")
}

impl Deref for Pem {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}
