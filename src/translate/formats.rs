//! The audio formats that a `Settings` asks for, and the Realtime API's names for those that go upstream.

use serde_json::Value;

use super::settings::{AudioPlan, SettingsError, invalid};
use crate::protocol::{
    agent::{AgentSettings, AudioOutput, Settings},
    audio::{self, AudioFormat, Encoding},
    realtime,
};

/// The formats of both directions, and the output format to be stated upstream, if any.
pub(super) fn audio_plan(
    settings: &Settings,
    agent: &AgentSettings,
) -> Result<(AudioPlan, Option<AudioFormat>), SettingsError> {
    let mut plan = AudioPlan::default();
    let audio = settings.audio.as_ref();
    if let Some(input) = audio.and_then(|audio| audio.input.as_ref()) {
        const RATES: &[u32] = &[8_000, 16_000, 24_000, 32_000, 44_100, 48_000];
        plan.client_input = format("audio.input", &input.encoding, input.sample_rate, RATES, 16_000)?;
        plan.upstream_input = g711(plan.client_input).unwrap_or(audio::PCM_24K);
    }
    let output = audio.and_then(|audio| audio.output.as_ref());
    if let Some(output) = output {
        const RATES: &[u32] = &[8_000, 16_000, 24_000, 32_000, 48_000];
        plan.client_output = format("audio.output", &output.encoding, output.sample_rate, RATES, 24_000)?;
        plan.wav = container(output)?;
    }
    let mut stated = output.and(g711(plan.client_output));
    if let Some(asked) = agent.session_audio_output.as_ref().and_then(|output| output.format.as_ref()) {
        let asked = session_format(asked)?;
        if output.is_none() {
            plan.client_output = asked;
        }
        stated = Some(asked);
    }
    plan.upstream_output = stated.unwrap_or(audio::PCM_24K);
    Ok((plan, stated))
}

/// G.711 at 8 kHz is one of the API's own formats and passes as it is.
fn g711(format: AudioFormat) -> Option<AudioFormat> {
    [audio::MULAW_8K, audio::ALAW_8K].into_iter().find(|g711| *g711 == format)
}

fn format(
    path: &str,
    encoding: &Option<String>,
    sample_rate: Option<u32>,
    linear_rates: &[u32],
    default_rate: u32,
) -> Result<AudioFormat, SettingsError> {
    let (encoding, rates, default_rate) = match encoding.as_deref() {
        None | Some("linear16") => (Encoding::Linear16, linear_rates, default_rate),
        Some("mulaw") => (Encoding::Mulaw, [8_000, 16_000].as_slice(), 8_000),
        Some("alaw") => (Encoding::Alaw, [8_000, 16_000].as_slice(), 8_000),
        Some(other) => {
            let reason = format!("{other:?} is none of linear16, mulaw, alaw");
            return Err(invalid(format!("{path}.encoding"), reason));
        }
    };
    let sample_rate = sample_rate.unwrap_or(default_rate);
    if !rates.contains(&sample_rate) {
        return Err(invalid(format!("{path}.sample_rate"), format!("{sample_rate} is none of {rates:?}")));
    }
    Ok(AudioFormat { encoding, sample_rate })
}

fn container(output: &AudioOutput) -> Result<bool, SettingsError> {
    match output.container.as_deref() {
        None | Some("none") => Ok(false),
        Some("wav") => Ok(true),
        Some(other) => Err(invalid("audio.output.container", format!("{other:?} is neither none nor wav"))),
    }
}

fn session_format(format: &Value) -> Result<AudioFormat, SettingsError> {
    let named = match format.get("type").and_then(Value::as_str) {
        Some("audio/pcm") => Some(audio::PCM_24K),
        Some("audio/pcmu") => Some(audio::MULAW_8K),
        Some("audio/pcma") => Some(audio::ALAW_8K),
        _ => None,
    };
    let rate = format.get("rate").filter(|rate| !rate.is_null());
    named
        .filter(|format| rate.is_none_or(|rate| rate.as_f64() == Some(f64::from(format.sample_rate))))
        .ok_or_else(|| {
            let reason = "is none of audio/pcm at 24000, audio/pcmu and audio/pcma at 8000";
            invalid("agent.sessionAudioOutput.format", reason)
        })
}

/// The Realtime API's name for a format.
pub(super) fn realtime_format(format: AudioFormat) -> realtime::Format {
    let (kind, rate) = match format.encoding {
        Encoding::Linear16 => ("audio/pcm", Some(format.sample_rate)),
        Encoding::Mulaw => ("audio/pcmu", None),
        Encoding::Alaw => ("audio/pcma", None),
    };
    realtime::Format { kind: Some(kind.to_owned()), rate }
}
