//! What is looked for, in every form that it may be written in. Knows nothing of where the bytes came from.

use base64_simd::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use url::form_urlencoded;

/// What nobody may see.
pub(super) struct Canaries(Vec<Canary>);

struct Canary {
    text: String,
    forms: Vec<Vec<u8>>,
}

impl Canaries {
    pub(super) fn new(texts: &[&str]) -> Self {
        Self(texts.iter().map(|text| Canary { text: (*text).to_owned(), forms: forms(text) }).collect())
    }

    /// Asserts that none of them is in these bytes.
    #[track_caller]
    pub(super) fn assert_none(&self, place: &str, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        for canary in &self.0 {
            if let Some(at) = canary.forms.iter().find_map(|form| position(bytes, form)) {
                let around = &bytes[at.saturating_sub(300)..bytes.len().min(at + 100)];
                panic!("{} is in {place}: {}", canary.text, String::from_utf8_lossy(around));
            }
        }
    }

    /// Asserts that every one of them is in these bytes, as it is: what is found can be looked for.
    #[track_caller]
    pub(super) fn assert_all(&self, place: &str, bytes: impl AsRef<[u8]>) {
        for Canary { text, .. } in &self.0 {
            assert!(position(bytes.as_ref(), text.as_bytes()).is_some(), "{text} is not in {place}");
        }
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// As it is, in a URL, in hex, and in base64 wherever in a longer text it begins.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let url: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let mut forms = vec![text.to_owned(), url, hex.to_ascii_uppercase(), hex];
    for before in 0..3 {
        let longer = [&vec![0; before], text.as_bytes()].concat();
        // Letters of 6 bits that are made of the text alone.
        let (first, end) = ((before * 8).div_ceil(6), longer.len() * 8 / 6);
        forms.push(STANDARD_NO_PAD.encode_to_string(&longer)[first..end].to_owned());
        forms.push(URL_SAFE_NO_PAD.encode_to_string(&longer)[first..end].to_owned());
    }
    forms.into_iter().map(String::into_bytes).collect()
}

#[test]
fn a_canary_is_found_in_every_form() {
    let canaries = Canaries::new(&["sk/canary+1"]);
    let is_found = |text: &str| std::panic::catch_unwind(|| canaries.assert_none("a text", text)).is_err();
    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}sk/canary+1 and more");
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let url: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let [base64, for_url] = [STANDARD_NO_PAD, URL_SAFE_NO_PAD].map(|base| base.encode_to_string(&text));
        for form in [text, hex, url, base64, for_url] {
            assert!(is_found(&form), "{form}");
        }
    }
    assert!(!is_found("sk/canary-1 sk%2Fcanary"));
}
