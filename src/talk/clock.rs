//! The one function that `talk` offers the agent: the gateway's built-in `get_current_time`. Knows nothing of
//! when or why it is asked.

use std::time::SystemTime;

use serde_json::json;

use crate::{
    config::BuiltIn,
    functions::{Failure, current_time},
    protocol::agent::{Function, FunctionCall},
};

/// The function as `Settings` declares it. Without an endpoint it is the client's to run.
pub(super) fn declaration() -> Function {
    Function {
        name: Some(BuiltIn::GetCurrentTime.name().to_owned()),
        description: Some("The current date and time, as RFC 3339".to_owned()),
        parameters: Some(BuiltIn::GetCurrentTime.parameters()),
        ..Function::default()
    }
}

/// What the agent is told when it makes `call` at the time `utc`: JSON text.
pub(super) fn answer(call: &FunctionCall, utc: SystemTime) -> String {
    let outcome = if call.name == BuiltIn::GetCurrentTime.name() {
        current_time(&call.arguments, utc)
    } else {
        Err(Failure::Unknown(call.name.clone()))
    };
    outcome.unwrap_or_else(|failure| json!({"error": failure.to_string()}).to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn call(name: &str, arguments: &str) -> FunctionCall {
        FunctionCall {
            id: "c1".into(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
            client_side: true,
            thought_signature: None,
        }
    }

    #[test]
    fn the_function_that_is_declared_is_answered() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_709_210_096);
        let name = declaration().name.expect("a name");
        let answer = |arguments| answer(&call(&name, arguments), time);
        assert_eq!(answer("{}"), r#"{"time":"2024-02-29T12:34:56Z","timezone":"UTC"}"#);
        assert_eq!(
            answer(r#"{"timezone":"Europe/Paris"}"#),
            r#"{"time":"2024-02-29T13:34:56+01:00","timezone":"Europe/Paris"}"#
        );
    }

    #[test]
    fn what_cannot_be_answered_is_still_answered_as_json() {
        let answer = |name, arguments| answer(&call(name, arguments), SystemTime::UNIX_EPOCH);
        assert_eq!(answer("sing", "{}"), r#"{"error":"there is no function sing"}"#);
        assert_eq!(answer("get_current_time", "[]"), r#"{"error":"the arguments are not a json object"}"#);
    }
}
