//! The query parameters of `listen` v1 ("Deepgram transcription WebSocket", section 2): names, values, and what
//! needs what. Knows nothing of sessions.

use url::Url;

use super::super::{
    MAX_CHANNELS,
    audio::Layout,
    parameters::{RawAudio, Seen, boolean, fit, language, number, one_of, text},
};

/// What a client of `listen` v1 asks for, as far as the simulator acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) model: String,
    pub(super) version: Option<String>,
    /// Code switching: words carry their language.
    pub(super) is_multilingual: bool,
    pub(super) language_hints: Vec<String>,
    /// What the audio is; `None` for a container.
    pub(super) raw: Option<Layout>,
    /// Each channel is transcribed by itself.
    pub(super) multichannel: bool,
    pub(super) interim_results: bool,
    /// The silence that ends an utterance; `None` if none does.
    pub(super) endpointing_ms: Option<u64>,
    pub(super) utterance_end_ms: Option<u64>,
    pub(super) vad_events: bool,
    pub(super) punctuate: bool,
    pub(super) smart_format: bool,
    pub(super) diarize: bool,
    pub(super) keyterms: Vec<String>,
}

impl Query {
    /// Reads the parameters.
    ///
    /// # Errors
    /// The text says which parameter is missing, unknown, repeated or bad.
    pub(super) fn read(parameters: &[(String, String)]) -> Result<Self, String> {
        let mut reader = Reader::default();
        reader.query.endpointing_ms = Some(DEFAULT_ENDPOINTING_MS);
        for (name, value) in parameters {
            let in_place = |why| format!("query parameter {name}: {why}");
            if reader.repeated(name, value).map_err(in_place)? {
                continue;
            }
            if !SINGLE.contains(&name.as_str()) {
                return Err(format!("unknown query parameter {name}"));
            }
            reader.seen.once(name).map_err(in_place)?;
            reader.single(name, value).map_err(in_place)?;
        }
        reader.finish()
    }

    /// The model's family, and what it is for.
    pub(super) fn model_parts(&self) -> (&str, &str) {
        let family = FAMILIES.iter().find(|family| self.model.starts_with(**family));
        let family = family.expect("the model is of a family");
        (family, self.model[family.len()..].strip_prefix('-').unwrap_or("general"))
    }

    /// Whether the model knows key terms.
    pub(super) fn has_keyterms(&self) -> bool {
        self.model.starts_with("nova-3")
    }
}

/// A query that is being read.
#[derive(Debug, Default)]
struct Reader {
    query: Query,
    raw: RawAudio,
    seen: Seen,
    has_keywords: bool,
}

impl Reader {
    /// Takes a parameter that may be repeated; false if it is none.
    fn repeated(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match name {
            "keyterm" => self.query.keyterms.push(text(value)?),
            "keywords" => {
                let (word, boost) = value.split_once(':').unwrap_or((value, "1"));
                text(word)?;
                boost.parse::<f64>().map_err(|_| "expected WORD:BOOST, a number")?;
                self.has_keywords = true;
            }
            "language_hint" => self.query.language_hints.push(language(value)?),
            "redact" => {
                one_of(value, &["true", "false", "pci", "numbers", "aggressive_numbers", "ssn"])?;
            }
            "replace" | "search" | "tag" | "extra" => drop(text(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn single(&mut self, name: &str, value: &str) -> Result<(), String> {
        let query = &mut self.query;
        match name {
            "model" => query.model = model(value)?,
            "version" => query.version = Some(text(value)?).filter(|version| version != "latest"),
            "language" => query.is_multilingual = language(value)? == "multi",
            "encoding" => self.raw.read_encoding(value, ENCODINGS)?,
            "sample_rate" => self.raw.read_sample_rate(value)?,
            "channels" => self.raw.channels = Some(number(value, 1..=MAX_CHANNELS)?),
            "multichannel" => query.multichannel = boolean(value)?,
            "interim_results" => query.interim_results = boolean(value)?,
            "endpointing" if value == "false" => query.endpointing_ms = None,
            "endpointing" => {
                let ms: u32 = value.parse().map_err(|_| "expected milliseconds or false")?;
                query.endpointing_ms = Some(u64::from(ms));
            }
            "utterance_end_ms" => query.utterance_end_ms = Some(number(value, 1000..=u64::from(u32::MAX))?),
            "vad_events" => query.vad_events = boolean(value)?,
            "punctuate" => query.punctuate = boolean(value)?,
            "smart_format" => query.smart_format = boolean(value)?,
            "diarize" => query.diarize |= boolean(value)?,
            "diarize_model" => {
                one_of(value, &["latest", "v1"])?;
                query.diarize = true;
            }
            "callback" => {
                let url = Url::parse(value).map_err(|error| error.to_string())?;
                if !["http", "https", "ws", "wss"].contains(&url.scheme()) {
                    return Err("expected the URL of a server".to_owned());
                }
            }
            "callback_method" => one_of(value, &["POST", "GET", "PUT", "DELETE"])?,
            // The rest of them format what is recognised, or say what becomes of it: nothing here.
            _ => drop(boolean(value)?),
        }
        Ok(())
    }

    fn finish(self) -> Result<Query, String> {
        let Self { mut query, raw, seen, has_keywords } = self;
        if query.model.is_empty() {
            return Err("query parameter model: it is required".to_owned());
        }
        query.raw = raw.layout().map_err(|why| format!("query parameter {why}"))?;
        let needs = [
            (
                query.utterance_end_ms.is_some() && !query.interim_results,
                "utterance_end_ms",
                "interim_results",
            ),
            (seen.has("callback_method") && !seen.has("callback"), "callback_method", "callback"),
        ];
        if let Some((_, name, needed)) = needs.iter().find(|(is_missing, ..)| *is_missing) {
            return Err(format!("query parameter {name}: it needs {needed}"));
        }
        if seen.has("callback") {
            return Err("query parameter callback: results elsewhere are not simulated".to_owned());
        }
        if !query.keyterms.is_empty() && !query.has_keyterms() {
            return Err("query parameter keyterm: only nova-3 models know it".to_owned());
        }
        if has_keywords && query.has_keyterms() {
            return Err("query parameter keywords: nova-3 models know keyterm in its place".to_owned());
        }
        if !fit(&query.keyterms) {
            return Err("query parameter keyterm: more than 500 tokens".to_owned());
        }
        Ok(query)
    }
}

/// A model's name: a family, and for most of them a purpose.
fn model(value: &str) -> Result<String, String> {
    let is_known = FAMILIES.iter().any(|family| {
        let purpose = value.strip_prefix(family).map(|rest| (rest, rest.strip_prefix('-')));
        match purpose {
            Some(("", _)) => true,
            Some((_, Some(purpose))) => {
                // Of nova-3 there are only these; of older families more than are worth a list.
                let is_word = purpose.bytes().all(|byte| byte.is_ascii_lowercase());
                let is_nova_3 = *family == "nova-3";
                is_word && !purpose.is_empty() && (!is_nova_3 || ["general", "medical"].contains(&purpose))
            }
            Some((_, None)) | None => false,
        }
    });
    if is_known { Ok(value.to_owned()) } else { Err("no such model of listen v1".to_owned()) }
}

const DEFAULT_ENDPOINTING_MS: u64 = 10;
const FAMILIES: &[&str] = &["nova-3", "nova-2", "nova", "enhanced", "base", "whisper"];
const ENCODINGS: &[&str] = &[
    "linear16", "linear32", "flac", "alaw", "mulaw", "amr-nb", "amr-wb", "opus", "ogg-opus", "speex", "g729",
];
/// The parameters that may stand once.
const SINGLE: &[&str] = &[
    "model",
    "version",
    "language",
    "encoding",
    "sample_rate",
    "channels",
    "multichannel",
    "interim_results",
    "endpointing",
    "utterance_end_ms",
    "vad_events",
    "punctuate",
    "smart_format",
    "numerals",
    "dictation",
    "profanity_filter",
    "detect_entities",
    "diarize",
    "diarize_model",
    "callback",
    "callback_method",
    "mip_opt_out",
];
