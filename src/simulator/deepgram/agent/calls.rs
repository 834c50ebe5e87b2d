//! The function calls of a session: which are open, and what becomes of each answer.
//! Knows nothing of how a call comes about or of what follows when all are answered.

use serde_json::{Value, json};

use super::messages::Refused;

/// One call.
#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
    is_client_side: bool,
    signature: Option<String>,
    /// Calls of one request are answered together.
    batch: u64,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    Answered(String),
    Cancelled,
}

/// A call to be made.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
    pub(super) is_client_side: bool,
    pub(super) signature: Option<String>,
}

/// What an answer brought about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Others of the same request are open still, or the call had been cancelled.
    Waiting,
    /// All calls of the request are answered.
    Complete(Vec<Answered>),
}

/// A call with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) id: String,
    pub(super) output: String,
    /// As `History` shows it.
    pub(super) shown: Value,
}

/// All calls of a session, oldest first.
#[derive(Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    batches: u64,
}

impl Calls {
    /// Opens calls; gives the `functions` of the `FunctionCallRequest`.
    pub(super) fn open(&mut self, wanted: Vec<Wanted>) -> Value {
        self.batches += 1;
        let mut functions = Vec::new();
        for Wanted { id, name, arguments, is_client_side, signature } in wanted {
            let mut function = json!({"id": id, "name": name, "arguments": arguments,
                "client_side": is_client_side});
            if let Some(signature) = &signature {
                function["thought_signature"] = json!(signature);
            }
            functions.push(function);
            let (batch, state) = (self.batches, State::Open);
            self.calls.push(Call { id, name, arguments, is_client_side, signature, batch, state });
        }
        Value::Array(functions)
    }

    /// A `FunctionCallResponse` of the client. Late answers to cancelled calls are dropped.
    ///
    /// # Errors
    /// `NON_EXISTENT_FUNCTION_CALLED`: the client was not asked this, or not again. `FAILED_TO_THINK`: the signature
    /// is not the one that the request carried.
    pub(super) fn answer(&mut self, response: &Value) -> Result<Outcome, Refused> {
        let non_existent =
            |description: String| Err(Refused { code: "NON_EXISTENT_FUNCTION_CALLED", description });
        let text = |name: &str| response[name].as_str().unwrap_or_default();
        let asked = |call: &&mut Call| call.id == text("id") && call.is_client_side;
        let Some(call) = self.calls.iter_mut().find(asked) else {
            return non_existent("the client was not asked for a call of this id".to_owned());
        };
        if call.name != text("name") {
            return non_existent(format!("the call of this id is of {}", call.name));
        }
        match call.state {
            State::Cancelled => return Ok(Outcome::Waiting),
            State::Answered(_) => return non_existent("this call has been answered".to_owned()),
            State::Open => {}
        }
        if call.signature.as_deref() != response["thought_signature"].as_str() {
            let description = "thought_signature: not the one that the call carried".to_owned();
            return Err(Refused { code: "FAILED_TO_THINK", description });
        }
        call.state = State::Answered(text("content").to_owned());
        let batch = call.batch;
        Ok(self.outcome(batch))
    }

    /// The endpoint of a call has answered; gives the `FunctionCallResponse` that tells of it, or `None` if the call
    /// is not open any more.
    pub(super) fn answer_here(&mut self, id: &str, content: &str) -> Option<(Value, Outcome)> {
        let call = self.calls.iter_mut().find(|call| call.id == id && call.state == State::Open)?;
        call.state = State::Answered(content.to_owned());
        let mut told =
            json!({"type": "FunctionCallResponse", "id": call.id, "name": call.name, "content": content});
        if let Some(signature) = &call.signature {
            told["thought_signature"] = json!(signature);
        }
        let batch = call.batch;
        Some((told, self.outcome(batch)))
    }

    /// Cancels what is open; gives the `functions` of the `FunctionCallCancelled`, empty if nothing was.
    pub(super) fn cancel(&mut self) -> Vec<Value> {
        let open = self.calls.iter_mut().filter(|call| call.state == State::Open);
        let cancelled = open.map(|call| {
            call.state = State::Cancelled;
            json!({"id": call.id, "name": call.name})
        });
        cancelled.collect()
    }

    /// Whether an answer is awaited.
    pub(super) fn are_open(&self) -> bool {
        self.calls.iter().any(|call| call.state == State::Open)
    }

    fn outcome(&self, batch: u64) -> Outcome {
        let of_batch = || self.calls.iter().filter(|call| call.batch == batch);
        if of_batch().any(|call| call.state == State::Open) {
            return Outcome::Waiting;
        }
        let answered = of_batch().filter_map(|call| {
            let State::Answered(output) = &call.state else { return None };
            let mut shown = json!({"id": call.id, "name": call.name, "client_side": call.is_client_side,
                "arguments": call.arguments, "response": output});
            if let Some(signature) = &call.signature {
                shown["thought_signature"] = json!(signature);
            }
            Some(Answered { id: call.id.clone(), output: output.clone(), shown })
        });
        Outcome::Complete(answered.collect())
    }
}
