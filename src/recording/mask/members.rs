//! Which members of a message may be content. Knows the names of both protocols, and nothing of how JSON is read.

/// What is done about a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Texts are content; numbers, and the names of members, are not.
    Plain,
    /// A text says what kind of thing this is, which one, or how it is: it is kept.
    Kept,
    /// Whatever is within is content: texts, numbers and names.
    Sealed,
    /// Texts and numbers are nobody's business, whatever is recorded.
    Secret,
    /// Where something is: host and port are kept of a text.
    Url,
    /// Of a call or of a response: an object is what a function returned, a list holds items.
    Output,
}

/// What an object is the value of, as far as that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The message itself.
    Message,
    /// `audio`: its `output` is a format.
    Audio,
    /// `status_details`: its `reason` is one of a few words.
    StatusDetails,
    Other,
}

/// What is known of the `type` of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It has not been there, or cannot be told.
    Unknown,
    /// The answer to a call, whose `error` is what the function said.
    FunctionAnswer,
    Other,
}

impl Kind {
    /// By its name; a name that cannot be told is empty.
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"" => Self::Unknown,
            b"FunctionCallResponse" => Self::FunctionAnswer,
            _ => Self::Other,
        }
    }
}

impl Owner {
    pub(super) fn named(name: &[u8]) -> Self {
        match name {
            b"audio" => Self::Audio,
            b"status_details" => Self::StatusDetails,
            _ => Self::Other,
        }
    }
}

impl Treatment {
    /// Of the member `name` of an object that is itself treated like this.
    pub(super) fn of(self, name: &[u8], owner: Owner, kind: Kind) -> Self {
        if matches!(self, Self::Sealed | Self::Secret) {
            return self;
        }
        match name {
            b"arguments" | b"result" | b"results" | b"variables" | b"parameters" | b"input_schema"
            | b"metadata" | b"logprobs" | b"context_variables" => Self::Sealed,
            b"headers" | b"credentials" | b"authorization" | b"api_key" => Self::Secret,
            b"content" if owner == Owner::Message => Self::Sealed,
            b"error" if owner == Owner::Message && kind != Kind::Other => Self::Sealed,
            b"output" if owner != Owner::Audio => Self::Output,
            b"reason" if owner == Owner::StatusDetails => Self::Kept,
            b"url" => Self::Url,
            _ if KEPT.binary_search(&name).is_ok() => Self::Kept,
            _ => Self::Plain,
        }
    }

    /// Of the elements of a list, or of an object's members before their names are looked at.
    pub(super) fn within(self, is_object: bool) -> Self {
        match self {
            Self::Output if is_object => Self::Sealed,
            Self::Output | Self::Url => Self::Plain,
            Self::Kept if is_object => Self::Plain,
            Self::Plain | Self::Kept | Self::Sealed | Self::Secret => self,
        }
    }
}

/// Members, and some words of a recording, that say what kind of thing something is, which one, or how it is; in the
/// order of the alphabet.
pub(super) const KEPT: [&[u8]; 52] = [
    b"approval_request_id",
    b"behavior",
    b"call_id",
    b"client_closed",
    b"client_malformed",
    b"code",
    b"container",
    b"conversation_id",
    b"delay",
    b"eagerness",
    b"effort",
    b"encoding",
    b"end",
    b"engine",
    b"event_id",
    b"format",
    b"group_id",
    b"id",
    b"input_audio_format",
    b"item_id",
    b"language",
    b"language_code",
    b"language_hints",
    b"languages",
    b"languages_hinted",
    b"maxOutputTokens",
    b"max_output_tokens",
    b"max_response_output_tokens",
    b"method",
    b"modalities",
    b"mode",
    b"model",
    b"model_id",
    b"name",
    b"object",
    b"outputModalities",
    b"output_audio_format",
    b"output_modalities",
    b"param",
    b"previous_item_id",
    b"region",
    b"request_id",
    b"response_id",
    b"role",
    b"status",
    b"toolChoice",
    b"tool_choice",
    b"type",
    b"upstream_malformed",
    b"version",
    b"voice",
    b"voice_id",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kept_members_are_in_order_and_found() {
        assert!(KEPT.is_sorted());
        for name in KEPT {
            assert_eq!(Treatment::Plain.of(name, Owner::Message, Kind::Unknown), Treatment::Kept);
            assert_eq!(Treatment::Sealed.of(name, Owner::Other, Kind::Other), Treatment::Sealed);
        }
    }

    #[test]
    fn what_a_function_said_is_content_in_every_shape() {
        let of = |name: &str, kind| Treatment::Plain.of(name.as_bytes(), Owner::Message, kind);
        for kind in [Kind::Unknown, Kind::FunctionAnswer] {
            assert_eq!([of("content", kind), of("result", kind), of("error", kind)], [Treatment::Sealed; 3]);
        }
        assert_eq!(of("error", Kind::Other), Treatment::Plain);
        let output = Treatment::Plain.of(b"output", Owner::Other, Kind::Other);
        assert_eq!((output.within(true), output.within(false)), (Treatment::Sealed, Treatment::Plain));
        assert_eq!(Treatment::Plain.of(b"output", Owner::Audio, Kind::Other), Treatment::Plain);
    }
}
