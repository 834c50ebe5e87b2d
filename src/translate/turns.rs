//! The operator's turn detection, the client's idle timeout and barge-in as one statement of the session.
//! Knows nothing of turns as they happen.

use super::settings::TurnTaking;
use crate::{config::TurnDetection, protocol::realtime};

/// Who ends a turn; without barge-in upstream interrupts nothing.
pub(super) fn turn_taking(detection: &TurnDetection, barge_in: bool) -> TurnTaking {
    match TurnTaking::from(detection) {
        TurnTaking::Detected { create_response, interrupt_response } => {
            TurnTaking::Detected { create_response, interrupt_response: interrupt_response && barge_in }
        }
        TurnTaking::Manual => TurnTaking::Manual,
    }
}

/// Turn detection as the API takes it: `None` for manual turns.
pub(super) fn realtime_turn_detection(
    detection: &TurnDetection,
    barge_in: bool,
    client_idle_ms: Option<f64>,
) -> Option<realtime::TurnDetection> {
    match detection {
        TurnDetection::Manual => None,
        TurnDetection::ServerVad {
            threshold,
            prefix_padding_ms,
            silence_duration_ms,
            idle_timeout_ms,
            create_response,
            interrupt_response,
        } => Some(realtime::TurnDetection {
            kind: Some("server_vad".to_owned()),
            threshold: Some(*threshold),
            prefix_padding_ms: Some(*prefix_padding_ms),
            silence_duration_ms: Some(*silence_duration_ms),
            // Clients count in the same unit but below the API's range; negative is their "never".
            idle_timeout_ms: match client_idle_ms {
                None => *idle_timeout_ms,
                Some(ms) => (ms >= 0.0).then(|| ms.round().clamp(5_000.0, 30_000.0) as u32),
            },
            eagerness: None,
            create_response: Some(*create_response),
            interrupt_response: Some(*interrupt_response && barge_in),
            model_version: None,
        }),
        TurnDetection::SemanticVad { eagerness, create_response, interrupt_response } => {
            Some(realtime::TurnDetection {
                kind: Some("semantic_vad".to_owned()),
                eagerness: Some(eagerness.name().to_owned()),
                create_response: Some(*create_response),
                interrupt_response: Some(*interrupt_response && barge_in),
                ..Default::default()
            })
        }
    }
}
