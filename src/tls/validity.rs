//! Whether a certificate's dates are such that somebody should be told. Knows no file and no clock.

use std::time::Duration;

use jiff::Timestamp;
use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
};

/// How long before its end a certificate is told of.
const NOTICE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What is wrong with the dates of a certificate at `now`, or will be within 7 days: it expired, it expires, or it is not
/// valid yet.
pub(super) fn trouble(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<String> {
    match judged(certificate, now) {
        Some(Dates::Over(end)) => return Some(format!("expired at {}", shown(end))),
        Some(Dates::NotBegun(begin)) => return Some(format!("is not valid before {}", shown(begin))),
        None => (),
    }
    let later = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + NOTICE);
    match judged(certificate, later) {
        Some(Dates::Over(end)) => Some(format!("expires at {}", shown(end))),
        Some(Dates::NotBegun(_)) | None => None,
    }
}

/// What verification at some time says of the dates.
enum Dates {
    Over(UnixTime),
    NotBegun(UnixTime),
}

/// Verification looks at the dates before it looks for an authority, of which there is none here.
fn judged(certificate: &CertificateDer<'_>, time: UnixTime) -> Option<Dates> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    match verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], time, algorithms) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Some(Dates::Over(not_after))
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
            Some(Dates::NotBegun(not_before))
        }
        // Other troubles are those of who verifies it: a certificate that signed itself has several.
        Err(_) | Ok(()) => None,
    }
}

fn shown(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    seconds.map_or_else(|| format!("second {}", time.as_secs()), |timestamp| timestamp.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};

    use super::*;

    /// The certificate of March 2026, of an authority or not.
    fn march(authority: bool) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        (parameters.not_before, parameters.not_after) =
            (date_time_ymd(2026, 3, 1), date_time_ymd(2026, 3, 31));
        if authority {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().expect("a key");
        parameters.self_signed(&key).expect("a certificate").der().clone()
    }

    #[test]
    fn what_is_over_or_soon_will_be_or_has_not_begun_is_told() {
        for authority in [false, true] {
            let certificate = march(authority);
            let at = |time: &str| {
                let time: Timestamp = time.parse().expect("a time");
                let since = Duration::from_secs(time.as_second().try_into().expect("after 1970"));
                trouble(&certificate, UnixTime::since_unix_epoch(since))
            };
            assert_eq!(
                at("2026-02-28T23:59:59Z").as_deref(),
                Some("is not valid before 2026-03-01T00:00:00Z")
            );
            assert_eq!(at("2026-03-01T00:00:00Z"), None);
            assert_eq!(at("2026-03-24T00:00:00Z"), None);
            let soon = Some("expires at 2026-03-31T00:00:00Z");
            assert_eq!(at("2026-03-24T00:00:01Z").as_deref(), soon);
            assert_eq!(at("2026-03-31T00:00:00Z").as_deref(), soon);
            assert_eq!(at("2026-03-31T00:00:01Z").as_deref(), Some("expired at 2026-03-31T00:00:00Z"));
        }
    }
}
