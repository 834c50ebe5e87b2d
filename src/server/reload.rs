//! A configuration that was read again takes the place of the one in force, or does not; the log says which.
//! Knows nothing of who serves it.

use super::{generation::Generation, request::Reread};
use crate::{config::Succession, logging, tls::OwnCertificate};

/// The generation that follows `running`, if the configuration is of use.
pub(super) fn next(
    running: &Generation,
    Reread { file, config }: Reread,
    certificate: Option<&mut OwnCertificate>,
) -> Option<Generation> {
    let succession = config
        .and_then(|config| config.succeed(&running.config).map_err(|reason| format!("{file}: {reason}")));
    let Succession { config, waiting } = match succession {
        Ok(succession) => succession,
        Err(reason) => {
            log::error!(reason; "the configuration in force stays, the new one is of no use");
            return None;
        }
    };
    if let (Some(certificate), Some(files)) = (certificate, config.server.tls.clone()) {
        let read = certificate.read_again(files);
        super::log_certificate(certificate, read);
    }
    logging::change(&config.logging);
    let next = running.next(config);
    for warning in waiting.iter().chain(&next.config.warnings) {
        log::warn!("{warning}");
    }
    Some(next)
}
