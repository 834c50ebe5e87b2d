//! The items of a simulated conversation, in order, with the audio that belongs to them.
//! Knows nothing of events; refusals are faults with the API's codes.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::schema::Fault;
use crate::simulator::reply::Entry;

/// An item as the API shows it, and what it keeps for itself.
#[derive(Clone, Debug)]
struct Item {
    /// Without audio bytes.
    shown: Value,
    /// What the simulator takes spoken input to say.
    heard: String,
    /// Audio as it crossed the wire; emptied when the conversation holds too much.
    audio: Vec<u8>,
    /// An assistant's audio as sent, or as truncated, and how much of it is a millisecond.
    sent_bytes: usize,
    bytes_per_ms: usize,
}

impl Item {
    fn new(shown: Value, heard: String) -> Self {
        Self { shown, heard, audio: Vec::new(), sent_bytes: 0, bytes_per_ms: 1 }
    }
}

/// The default conversation of a session.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    items: Vec<Item>,
    /// Ids of items that hold audio, oldest first.
    with_audio: VecDeque<String>,
    audio_bytes: usize,
    /// Ids of calls that have an output, even if its item was deleted since.
    answered: Vec<String>,
}

impl Conversation {
    /// Takes an item that fits the schema; gives it as shown, and the id before it.
    ///
    /// # Errors
    /// The id is in use, the call is unknown or answered, or `previous` is unknown.
    pub(super) fn create(
        &mut self,
        item: &Value,
        previous: Option<&str>,
        fresh_id: String,
        heard: &str,
    ) -> Result<(Value, Value), Fault> {
        let mut shown = json!({"id": item["id"].as_str().unwrap_or(&fresh_id), "object": "realtime.item"});
        for (name, value) in item.as_object().into_iter().flatten() {
            shown[name] = value.clone();
        }
        shown["status"] = json!("completed");
        let id = text(&shown["id"]);
        if id.is_empty() || self.position(id).is_some() {
            return Err(Fault::value("item.id", format!("the conversation has an item '{id}' already")));
        }
        let at = match previous {
            None => self.items.len(),
            Some("root") => 0,
            Some(previous) => 1 + self.known(previous, "invalid_item_id", "previous_item_id")?,
        };
        self.check_call(item)?;
        let mut audio = Vec::new();
        for part in shown.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
            if part["type"] == "input_audio" {
                audio.extend(base64_simd::STANDARD.decode_to_vec(text(&part["audio"])).unwrap_or_default());
                *part = json!({"type": "input_audio", "transcript": part["transcript"]});
            }
        }
        if item["type"] == "function_call_output" {
            self.answered.push(text(&item["call_id"]).to_owned());
        }
        let before = at.checked_sub(1).map_or(Value::Null, |before| self.items[before].shown["id"].clone());
        let heard = if audio.is_empty() { String::new() } else { heard.to_owned() };
        self.items.insert(at, Item::new(shown.clone(), heard));
        self.keep_audio(text(&shown["id"]), &audio);
        Ok((shown, before))
    }

    fn check_call(&self, item: &Value) -> Result<(), Fault> {
        let call_id = text(&item["call_id"]);
        let exists = self
            .items
            .iter()
            .any(|known| known.shown["type"] == "function_call" && known.shown["call_id"] == call_id);
        match item["type"].as_str() {
            Some("function_call") if exists => Err(Fault::value("item.call_id", "the call exists already")),
            Some("function_call_output") if !exists => {
                Err(Fault::value("item.call_id", format!("no call '{call_id}'")))
            }
            Some("function_call_output") if self.answered.iter().any(|answered| answered == call_id) => {
                Err(Fault::value("item.call_id", format!("call '{call_id}' has an output already")))
            }
            _ => Ok(()),
        }
    }

    /// Appends an item of the server's own; gives the id before it.
    pub(super) fn append(&mut self, shown: Value, heard: &str) -> Value {
        let before = self.items.last().map_or(Value::Null, |item| item.shown["id"].clone());
        self.items.push(Item::new(shown, heard.to_owned()));
        before
    }

    /// Shows an item differently from now on; one that was deleted stays so.
    pub(super) fn replace(&mut self, shown: Value) {
        if let Some(position) = self.position(text(&shown["id"])) {
            self.items[position].shown = shown;
        }
    }

    /// Sets the transcript of an item's first part.
    pub(super) fn set_transcript(&mut self, id: &str, transcript: &str) {
        if let Some(position) = self.position(id) {
            self.items[position].shown["content"][0]["transcript"] = json!(transcript);
        }
    }

    /// Adds audio that is sent to the client.
    pub(super) fn add_sent_audio(&mut self, id: &str, audio: &[u8], bytes_per_ms: usize) {
        if let Some(position) = self.position(id) {
            self.items[position].sent_bytes += audio.len();
            self.items[position].bytes_per_ms = bytes_per_ms;
        }
        self.keep_audio(id, audio);
    }

    /// Keeps audio so that the item can be retrieved with it. The oldest items' audio gives way to it.
    pub(super) fn keep_audio(&mut self, id: &str, audio: &[u8]) {
        let Some(position) = self.position(id).filter(|_| !audio.is_empty()) else { return };
        self.items[position].audio.extend_from_slice(audio);
        self.audio_bytes += audio.len();
        if self.with_audio.back().is_none_or(|last| last != id) {
            self.with_audio.push_back(id.to_owned());
        }
        while self.audio_bytes > KEPT_AUDIO_BYTES && self.with_audio.len() > 1 {
            let oldest = self.with_audio.pop_front().expect("the queue has more than one entry");
            if let Some(position) = self.position(&oldest) {
                self.audio_bytes -= std::mem::take(&mut self.items[position].audio).len();
            }
        }
    }

    /// The item with its audio.
    ///
    /// # Errors
    /// `invalid_item_id`.
    pub(super) fn retrieve(&self, id: &str) -> Result<Value, Fault> {
        let item = &self.items[self.known(id, "invalid_item_id", "item_id")?];
        let mut shown = item.shown.clone();
        if !item.audio.is_empty() {
            let audio_part = shown["content"]
                .as_array_mut()
                .into_iter()
                .flatten()
                .find(|part| part["type"].as_str().is_some_and(|name| name.ends_with("_audio")));
            if let Some(part) = audio_part {
                part["audio"] = json!(base64_simd::STANDARD.encode_to_string(&item.audio));
            }
        }
        Ok(shown)
    }

    /// Removes an item.
    ///
    /// # Errors
    /// `item_delete_invalid_item_id`.
    pub(super) fn delete(&mut self, id: &str) -> Result<(), Fault> {
        let position = self.known(id, "item_delete_invalid_item_id", "item_id")?;
        self.audio_bytes -= self.items.remove(position).audio.len();
        self.with_audio.retain(|known| known != id);
        Ok(())
    }

    /// Cuts an assistant's audio, and its transcript in proportion.
    ///
    /// # Errors
    /// `item_truncate_invalid_item_id`, or `invalid_value` when the item has no audio of its own or ends earlier.
    pub(super) fn truncate(&mut self, id: &str, end_ms: u64) -> Result<(), Fault> {
        let position = self.known(id, "item_truncate_invalid_item_id", "item_id")?;
        let item = &mut self.items[position];
        if item.shown["role"] != "assistant" || item.sent_bytes == 0 {
            return Err(Fault::value("item_id", "only an assistant message with audio can be truncated"));
        }
        let sent_ms = (item.sent_bytes / item.bytes_per_ms) as u64;
        if end_ms > sent_ms {
            let why = format!("the audio of the item is {sent_ms} ms long, less than {end_ms} ms");
            return Err(Fault::value("audio_end_ms", why));
        }
        let part = &mut item.shown["content"][0]["transcript"];
        if let Some(transcript) = part.as_str() {
            let kept = transcript.chars().count() as u64 * end_ms / sent_ms.max(1);
            *part = json!(transcript.chars().take(kept as usize).collect::<String>());
        }
        item.sent_bytes = end_ms as usize * item.bytes_per_ms;
        let kept = item.sent_bytes.min(item.audio.len());
        self.audio_bytes -= item.audio.len() - kept;
        item.audio.truncate(kept);
        Ok(())
    }

    /// The conversation as the replier reads it.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.items.iter().map(|item| entry_of(&item.shown, &item.heard)).collect()
    }

    /// One item as the replier reads it.
    ///
    /// # Errors
    /// `invalid_item_id`.
    pub(super) fn entry(&self, id: &str, param: &str) -> Result<Entry, Fault> {
        let item = &self.items[self.known(id, "invalid_item_id", param)?];
        Ok(entry_of(&item.shown, &item.heard))
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.items.iter().rposition(|item| item.shown["id"] == id)
    }

    fn known(&self, id: &str, code: &str, param: &str) -> Result<usize, Fault> {
        let unknown = || Fault::new(code, format!("Item with item_id not found: '{id}'.")).at(param);
        self.position(id).ok_or_else(unknown)
    }
}

/// Reads an item; `heard` is what its audio says.
pub(super) fn entry_of(item: &Value, heard: &str) -> Entry {
    let field = |name: &str| text(&item[name]).to_owned();
    match item["type"].as_str() {
        Some("function_call") => Entry::Call { call_id: field("call_id"), name: field("name") },
        Some("function_call_output") => Entry::Output { call_id: field("call_id"), output: field("output") },
        _ => {
            let parts = item["content"].as_array().into_iter().flatten();
            let words = parts.map(|part| match part["type"].as_str() {
                Some("input_audio") => part["transcript"].as_str().unwrap_or(heard),
                Some("output_audio") => text(&part["transcript"]),
                _ => text(&part["text"]),
            });
            let said = words.collect::<Vec<_>>().join(" ").trim().to_owned();
            if item["role"] == "user" { Entry::User(said) } else { Entry::Other(said) }
        }
    }
}

/// A field that the schema has proven to be a text; empty where it is absent.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Audio that a conversation keeps for `conversation.item.retrieve`.
const KEPT_AUDIO_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> Value {
        json!({"id": id, "type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]})
    }

    #[test]
    fn items_stand_where_they_were_put() {
        let mut conversation = Conversation::default();
        let mut put = |id, previous| {
            conversation.create(&user(id), previous, String::new(), "").map(|(_, before)| before)
        };
        assert_eq!(put("b", None), Ok(json!(null)));
        assert_eq!(put("d", None), Ok(json!("b")));
        assert_eq!(put("a", Some("root")), Ok(json!(null)));
        assert_eq!(put("c", Some("b")), Ok(json!("b")));
        assert_eq!(put("x", Some("y")).expect_err("unknown").code, "invalid_item_id");
        assert_eq!(put("a", None).expect_err("in use").param.as_deref(), Some("item.id"));
        let ids = conversation.items.iter().map(|item| text(&item.shown["id"])).collect::<String>();
        assert_eq!(ids, "abcd");
    }

    #[test]
    fn old_audio_gives_way() {
        let mut conversation = Conversation::default();
        for id in ["a", "b", "c"] {
            conversation.append(json!({"id": id, "content": [{"type": "output_audio"}]}), "");
            conversation.add_sent_audio(id, &vec![0; KEPT_AUDIO_BYTES / 2], 48);
        }
        let has_audio = |id| conversation.retrieve(id).expect("it exists")["content"][0]["audio"].is_string();
        assert_eq!([has_audio("a"), has_audio("b"), has_audio("c")], [false, true, true]);
        assert_eq!(conversation.audio_bytes, KEPT_AUDIO_BYTES);
    }

    #[test]
    fn truncation_cuts_audio_and_transcript() {
        let mut conversation = Conversation::default();
        let content = json!([{"type": "output_audio", "transcript": "0123456789"}]);
        conversation.append(json!({"id": "a", "role": "assistant", "content": content}), "");
        conversation.add_sent_audio("a", &[7; 4800], 48);
        assert!(conversation.truncate("a", 101).is_err());
        assert_eq!(conversation.truncate("a", 50), Ok(()));
        let item = conversation.retrieve("a").expect("it exists");
        assert_eq!(item["content"][0]["transcript"], "01234");
        assert_eq!(text(&item["content"][0]["audio"]).len(), 2400 / 3 * 4);
        assert!(conversation.truncate("a", 51).is_err());
    }
}
