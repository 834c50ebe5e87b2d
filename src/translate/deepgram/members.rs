//! JSON objects and arrays as lists of what they hold, each part as the text that it was: what is not touched is
//! neither decoded nor written anew, and text of any depth is read without recursion. Knows no message.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// An object's members in their order, to be edited. Where a name stands more than once its last member counts,
/// as with most parsers, and the others stay as they are.
pub(super) struct Members<'a> {
    list: Vec<Member<'a>>,
    is_changed: bool,
}

/// Both are JSON.
struct Member<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

impl<'a> Members<'a> {
    /// The members of an object; `None` if the text is nothing else than that.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        let mut list = Vec::new();
        each_member(json, |name, value| list.push(Member { name: name.into(), value: value.into() }))?;
        Some(Self { list, is_changed: false })
    }

    /// A member's value.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        Some(&*self.list.iter().rfind(|member| is_text(&member.name, name))?.value)
    }

    /// A member's value, if it is text.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        text(self.value(name)?)
    }

    /// Puts another value in the place of a member's, if the member is there and `edit` gives one.
    pub(super) fn edit(&mut self, name: &str, edit: impl FnOnce(&str) -> Option<String>) {
        let Some(member) = self.list.iter_mut().rfind(|member| is_text(&member.name, name)) else { return };
        if let Some(value) = edit(&member.value) {
            member.value = value.into();
            self.is_changed = true;
        }
    }

    /// Adds a member at the end. The name has nothing in it that JSON escapes.
    pub(super) fn add(&mut self, name: &str, value: String) {
        self.list.push(Member { name: quoted(name), value: value.into() });
        self.is_changed = true;
    }

    /// Gives a member another name, which has nothing in it that JSON escapes.
    pub(super) fn rename(&mut self, name: &str, instead: &str) {
        if let Some(member) = self.list.iter_mut().rfind(|member| is_text(&member.name, name)) {
            member.name = quoted(instead);
            self.is_changed = true;
        }
    }

    /// Takes every member away that has one of these names.
    pub(super) fn remove(&mut self, names: &[&str]) {
        let before = self.list.len();
        self.list.retain(|member| !names.iter().any(|name| is_text(&member.name, name)));
        self.is_changed |= self.list.len() < before;
    }

    /// The object as it is now, without white space between its members; `None` if nothing was changed.
    pub(super) fn if_changed(&self) -> Option<String> {
        if !self.is_changed {
            return None;
        }
        let length: usize = self.list.iter().map(|member| member.name.len() + member.value.len() + 2).sum();
        let mut json = String::with_capacity(length + 2);
        json.push('{');
        for (n, Member { name, value }) in self.list.iter().enumerate() {
            json.push_str(if n == 0 { "" } else { "," });
            json.push_str(name);
            json.push(':');
            json.push_str(value);
        }
        json.push('}');
        Some(json)
    }
}

/// The object with an edit; `None` if the text is no object or the edit changes nothing.
pub(super) fn edited(json: &str, edit: impl FnOnce(&mut Members<'_>)) -> Option<String> {
    let mut members = Members::read(json)?;
    edit(&mut members);
    members.if_changed()
}

/// The array with an edit of each element; `None` if the text is no array or no element changes.
pub(super) fn edited_elements(json: &str, mut edit: impl FnMut(&str) -> Option<String>) -> Option<String> {
    let mut is_changed = false;
    let elements = elements(json)?.into_iter().map(|element| match edit(element) {
        Some(instead) => {
            is_changed = true;
            Cow::Owned(instead)
        }
        None => Cow::Borrowed(element),
    });
    let array = array(elements);
    is_changed.then_some(array)
}

/// An array's elements; `None` if the text is no array.
pub(super) fn elements(json: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// The array of these elements.
pub(super) fn array(elements: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut json = String::from("[");
    for (n, element) in elements.into_iter().enumerate() {
        json.push_str(if n == 0 { "" } else { "," });
        json.push_str(element.as_ref());
    }
    json.push(']');
    json
}

/// Shows the name and the value of each member, both JSON, without keeping or decoding any; `None` if the text
/// is no object, which may turn out after some have been shown.
pub(super) fn each_member<'a>(json: &'a str, show: impl FnMut(&'a str, &'a str)) -> Option<()> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_map(Each(show)).ok()?;
    reader.end().ok()
}

struct Each<F>(F);

impl<'de, F: FnMut(&'de str, &'de str)> Visitor<'de> for Each<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some((name, value)) = members.next_entry::<&RawValue, &RawValue>()? {
            (self.0)(name.get(), value.get());
        }
        Ok(())
    }
}

/// What a JSON value says, if it is text, and text that can be said: half a surrogate pair is not.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(inner.into()) }
}

/// Whether a JSON value is this text, however it is escaped.
pub(super) fn is_text(json: &str, wanted: &str) -> bool {
    text(json).is_some_and(|text| text == wanted)
}

fn quoted<'a>(name: &str) -> Cow<'a, str> {
    debug_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
    format!("\"{name}\"").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_has_no_members() {
        for json in ["", " ", "null", "7", "\"a\"", "[]", "[1,2]", "{", "{}}", "{}{}", "{\"a\":1,}", "{a:1}"]
        {
            assert!(Members::read(json).is_none(), "{json}");
        }
        for json in ["{1:2}", "{\"a\":01}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}", "\u{feff}{}", "{\"a\":nul}"]
        {
            assert!(Members::read(json).is_none(), "{json}");
        }
        for json in ["", "null", "{}", "[1,]", "[", "[]]", "[1 2]"] {
            assert!(elements(json).is_none(), "{json}");
        }
    }

    #[test]
    fn members_are_the_text_that_they_were() {
        let json = r#" { "a" : 1e400 , "\u0062":[ 1.10,"\ud800" ],"a":{"a":1,"a":2}, "":-0.0 } "#;
        let mut shown = Vec::new();
        each_member(json, |name, value| shown.push((name, value))).expect("an object");
        let expected = [
            (r#""a""#, "1e400"),
            (r#""\u0062""#, r#"[ 1.10,"\ud800" ]"#),
            (r#""a""#, r#"{"a":1,"a":2}"#),
            (r#""""#, "-0.0"),
        ];
        assert_eq!(shown, expected);
        assert_eq!(elements(r#" [ 1 , {"a" : 2},"" ] "#), Some(vec!["1", r#"{"a" : 2}"#, r#""""#]));
    }

    #[test]
    fn the_last_of_a_name_counts_however_it_is_written() {
        let json = r#"{"a":"first","\u0061":"l\u0061st","b":"\ud800","c":7}"#;
        let members = Members::read(json).expect("an object");
        assert_eq!(members.value("a"), Some(r#""l\u0061st""#));
        assert_eq!(members.text("a").as_deref(), Some("last"));
        assert_eq!(members.value("b"), Some(r#""\ud800""#));
        assert_eq!(members.text("b"), None);
        assert_eq!(members.text("c"), None);
        assert_eq!(members.value("d"), None);

        let change = |edit: &dyn Fn(&mut Members<'_>)| edited(json, |members| edit(members));
        let other = change(&|members| members.edit("a", |_| Some("1".to_owned())));
        assert_eq!(other.as_deref(), Some(r#"{"a":"first","\u0061":1,"b":"\ud800","c":7}"#));
        let renamed = change(&|members| members.rename("a", "e"));
        assert_eq!(renamed.as_deref(), Some(r#"{"a":"first","e":"l\u0061st","b":"\ud800","c":7}"#));
        let removed = change(&|members| members.remove(&["a", "c"]));
        assert_eq!(removed.as_deref(), Some(r#"{"b":"\ud800"}"#));
        let added = edited("{}", |members| members.add("e", "[]".to_owned()));
        assert_eq!(added.as_deref(), Some(r#"{"e":[]}"#));
    }

    #[test]
    fn what_changes_nothing_gives_nothing() {
        let nothing = edited(r#"{"a": [1, 2]}"#, |members| {
            members.edit("a", |array| edited_elements(array, |_| None));
            members.edit("b", |_| Some("1".to_owned()));
            members.rename("b", "c");
            members.remove(&["b"]);
        });
        assert_eq!(nothing, None);
        let one = edited_elements("[1, [ 2 ] ,3]", |element| (element == "3").then(|| "4".to_owned()));
        assert_eq!(one.as_deref(), Some("[1,[ 2 ],4]"));
    }

    #[test]
    fn depth_is_no_matter() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let json = format!("{{\"a\":{deep},\"b\":1}}");
        let less = edited(&json, |members| members.remove(&["b"]));
        assert_eq!(less, Some(format!("{{\"a\":{deep}}}")));
    }
}
