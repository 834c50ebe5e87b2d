//! What the simulator has reported of use, for comparison with whoever keeps a record of it: the sum of every `usage` that
//! has left, number by number. Knows nothing of what a response is.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde_json::{Map, Value, json};

const RESPONSE: &str = "response.done";
const TRANSCRIPTION: &str = "conversation.item.input_audio_transcription.completed";

/// Sums of what has left; of the whole process unless somebody has one of his own.
#[derive(Clone, Debug, Default)]
pub(super) struct Account(Arc<Mutex<Sums>>);

#[derive(Debug, Default)]
struct Sums {
    responses: Sum,
    transcriptions: Sum,
}

#[derive(Debug, Default)]
struct Sum {
    count: u64,
    usage: Map<String, Value>,
}

impl Account {
    /// The one of this process, which nothing resets.
    pub(super) fn of_process() -> Self {
        static PROCESS: LazyLock<Account> = LazyLock::new(Account::default);
        PROCESS.clone()
    }

    /// Whether an event says what something has cost.
    pub(super) fn concerns(event: &Value) -> bool {
        [RESPONSE, TRANSCRIPTION].iter().any(|kind| event["type"] == *kind)
    }

    /// An event has left.
    pub(super) fn note(&self, event: &Value) {
        let (is_response, usage) = match event["type"].as_str() {
            Some(RESPONSE) => (true, &event["response"]["usage"]),
            Some(TRANSCRIPTION) => (false, &event["usage"]),
            _ => return,
        };
        // Sums are whole after any panic.
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = if is_response { &mut sums.responses } else { &mut sums.transcriptions };
        sum.count += 1;
        if let Value::Object(usage) = usage {
            add(&mut sum.usage, usage);
        }
    }

    /// All of it: how many there were, and a `usage` of their sums.
    pub(super) fn shown(&self) -> Value {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = |sum: &Sum| json!({"count": sum.count, "usage": sum.usage});
        json!({"responses": shown(&sums.responses), "transcriptions": shown(&sums.transcriptions)})
    }
}

/// Adds the numbers of an object to those of the same names; what is neither number nor object is left out.
fn add(sums: &mut Map<String, Value>, object: &Map<String, Value>) {
    for (name, value) in object {
        match value {
            Value::Object(inner) => {
                let sum = sums.entry(name).or_insert_with(|| json!({}));
                if let Value::Object(sum) = sum {
                    add(sum, inner);
                }
            }
            Value::Number(number) => {
                let sum = sums.entry(name).or_insert_with(|| json!(0));
                *sum = match (sum.as_u64(), number.as_u64()) {
                    (Some(sum), Some(number)) => json!(sum + number),
                    // Seconds, to the millisecond.
                    _ => {
                        let sum = sum.as_f64().unwrap_or_default() + number.as_f64().unwrap_or_default();
                        json!((sum * 1e3).round() / 1e3)
                    }
                };
            }
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_added_to_those_of_their_names() {
        let account = Account::default();
        let done = |usage: Value| json!({"type": "response.done", "response": {"usage": usage}});
        account.note(&done(json!({"input_tokens": 3, "input_token_details": {"text_tokens": 1}})));
        account.note(&done(
            json!({"input_tokens": 4, "input_token_details": {"text_tokens": 2, "audio_tokens": 5}}),
        ));
        account.note(&done(json!(null)));
        account.note(&json!({"type": "response.created", "response": {"usage": {"input_tokens": 7}}}));
        for seconds in [0.9, 0.2] {
            account.note(&json!({"type": "conversation.item.input_audio_transcription.completed",
                "usage": {"type": "duration", "seconds": seconds}}));
        }
        let responses = json!({"count": 3, "usage": {"input_tokens": 7,
            "input_token_details": {"text_tokens": 3, "audio_tokens": 5}}});
        let transcriptions = json!({"count": 2, "usage": {"seconds": 1.1}});
        assert_eq!(account.shown(), json!({"responses": responses, "transcriptions": transcriptions}));
    }
}
