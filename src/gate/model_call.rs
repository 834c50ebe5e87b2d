//! A function call as the model makes it: put together from the events that show it, each of which may have
//! another part (rule R8). Knows nothing of who answers it.

use super::CLIENT_MESSAGE_LIMIT;
use crate::protocol::{
    ids::{CallId, ItemId},
    realtime::Item,
};

/// A call as the model makes it, put together from the events that show it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ModelCall {
    pub(super) call_id: Option<CallId>,
    pub(super) item: Option<ItemId>,
    pub(super) name: Option<String>,
    /// JSON text, once it is complete.
    pub(super) arguments: Option<String>,
    /// The item's status, where an event says it.
    pub(super) status: Option<String>,
    /// Its place in the response.
    pub(super) index: Option<u32>,
}

impl ModelCall {
    /// The call that an item is; none for other items.
    pub(super) fn from_item(item: &Item, index: Option<u32>) -> Option<Self> {
        (item.kind.as_deref() == Some("function_call")).then(|| Self {
            call_id: item.call_id.clone(),
            item: item.id.clone(),
            name: item.name.clone(),
            arguments: item.arguments.clone(),
            status: item.status.clone(),
            index,
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        let same_call = self.call_id.is_some() && self.call_id == other.call_id;
        let same_item = self.item.is_some() && self.item == other.item;
        same_call || same_item
    }

    /// Takes over what a later event knows better.
    fn merge(&mut self, newer: Self) {
        let Self { call_id, item, name, arguments, status, index } = newer;
        self.call_id = self.call_id.take().or(call_id);
        self.item = self.item.take().or(item);
        self.name = self.name.take().or(name);
        self.arguments = arguments.filter(|text| !text.is_empty()).or(self.arguments.take());
        self.status = status.or(self.status.take());
        self.index = self.index.or(index);
    }
}

/// Calls of one response that are known. A model makes a handful.
const CALL_LIMIT: usize = 1_024;

/// Adds a call, or what is new of a known one, to those that a response is known to make; none if it makes
/// too many.
pub(super) fn note_call(calls: &mut Vec<ModelCall>, mut call: ModelCall) -> Option<&mut ModelCall> {
    // Their request is too large for a client by then, whatever else it holds.
    let held: usize = calls.iter().filter_map(|known| known.arguments.as_ref()).map(String::len).sum();
    if held > CLIENT_MESSAGE_LIMIT {
        call.arguments = None;
    }
    let at = match calls.iter().position(|known| known.is_same(&call)) {
        Some(at) => {
            calls[at].merge(call);
            at
        }
        None if calls.len() < CALL_LIMIT => {
            calls.push(call);
            calls.len() - 1
        }
        None => return None,
    };
    calls.get_mut(at)
}
