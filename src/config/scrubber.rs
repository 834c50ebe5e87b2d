//! Takes keys out of texts that came from whoever was given them: an upstream or an application may quote a key in
//! its error, its close reason or its answer, and what it says is shown and logged. Knows nothing of where texts go.

use std::borrow::Cow;
use std::collections::BTreeMap;

use url::Url;

use super::address::is_secret;
use super::{Backend, BackendUrl, Route, Target};

/// What stands in place of a key.
const HIDDEN: &str = "***";
/// A shorter key is none, and stands in texts by chance.
const SHORTEST_KEY: usize = 8;
/// The same for a word of a header's value, which need not be a secret at all.
const SHORTEST_WORD: usize = 12;

/// Takes the keys that one peer was given out of its texts.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Scrubber {
    /// Keys, in every form in which a peer may quote them, the longest first.
    keys: Vec<String>,
    /// The same of words of headers, which may be secret or quite ordinary.
    words: Vec<String>,
}

impl Scrubber {
    /// For what the upstream of `backend` says. Keys are its key, what its URLs' queries, `query_defaults` and headers
    /// have under a name like a key's, and what stands behind a scheme; the words are those of other headers' values
    /// that have at least 12 bytes.
    pub fn of_backend(backend: &Backend) -> Self {
        let key = backend.api_key.as_ref().map(|key| key.expose().to_owned());
        let deepgram = backend.deepgram();
        let transcription = deepgram.and_then(|deepgram| deepgram.transcription_url.as_ref());
        let urls = [Some(&backend.url), transcription].into_iter().flatten().filter_map(|url| match url {
            BackendUrl::Remote(url) => Some(url),
            BackendUrl::SelfPath(_) => None,
        });
        let defaults = deepgram.map_or(&[][..], |deepgram| &deepgram.query_defaults);
        let defaults = defaults.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.clone());
        let keys = key.into_iter().chain(urls.flat_map(in_query)).chain(defaults);
        Self::new(keys, &backend.headers)
    }

    /// For what the application of `route` says: the same of its URL's query and its headers.
    pub fn of_route(route: &Route) -> Self {
        let url = match &route.target {
            Target::Url(url) => Some(url),
            Target::BuiltIn(_) => None,
        };
        Self::new(url.into_iter().flat_map(in_query), &route.headers)
    }

    fn new(keys: impl Iterator<Item = String>, headers: &BTreeMap<String, String>) -> Self {
        let (secret, others): (Vec<_>, Vec<_>) =
            headers.iter().partition(|(name, value)| is_secret(name) || has_scheme(value));
        let words = |headers: Vec<(&String, &String)>| {
            let words = headers.into_iter().flat_map(|(_, value)| value.split_ascii_whitespace());
            let words: Vec<_> = words.filter(|word| word.len() >= SHORTEST_WORD).map(str::to_owned).collect();
            words.into_iter()
        };
        let keys = keys.filter(|key| key.len() >= SHORTEST_KEY).chain(words(secret));
        Self { keys: all_forms(keys), words: all_forms(words(others)) }
    }

    /// The text without keys and words of headers. What ends in the beginning of one, as a text does that was cut,
    /// ends before it.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        without(text, self.keys.iter().chain(&self.words))
    }

    /// The same with as many stars as what they stand for has bytes, so that the text takes the same room. It was not cut.
    pub fn cover<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.keys.iter().chain(&self.words).fold(Cow::Borrowed(text), |text, form| {
            if text.contains(form.as_str()) {
                text.replace(form.as_str(), &"*".repeat(form.len())).into()
            } else {
                text
            }
        })
    }

    /// The text without keys alone: in a conversation a word of a header may be one of its words.
    pub fn scrub_keys<'a>(&self, text: &'a str) -> Cow<'a, str> {
        without(text, self.keys.iter())
    }
}

fn without<'a, 'f>(text: &'a str, forms: impl Iterator<Item = &'f String>) -> Cow<'a, str> {
    let mut scrubbed = Cow::Borrowed(text);
    for form in forms {
        if scrubbed.contains(form.as_str()) {
            scrubbed = scrubbed.replace(form.as_str(), HIDDEN).into();
        }
        if let Some(length) = cut_off(&scrubbed, form) {
            let kept = scrubbed.len() - length;
            scrubbed = format!("{}{HIDDEN}", &scrubbed[..kept]).into();
        }
    }
    scrubbed
}

/// The longest first, because a shorter one may be a part of it.
fn all_forms(secrets: impl Iterator<Item = String>) -> Vec<String> {
    let mut forms: Vec<String> = secrets.flat_map(|secret| forms(&secret)).collect();
    forms.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    forms.dedup();
    forms
}

/// Nothing of a key is printed.
impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scrubber({} and {})", self.keys.len(), self.words.len())
    }
}

/// How many bytes at the end of the text are the beginning of a key.
fn cut_off(text: &str, key: &str) -> Option<usize> {
    let longest = key.len().min(text.len());
    // What is configured is ASCII, so that there is no character to cut.
    (SHORTEST_KEY..=longest).rev().find(|length| text.as_bytes().ends_with(&key.as_bytes()[..*length]))
}

/// Whether a header's value is a credential by its form: one word behind a scheme (RFC 7235, 2.1).
fn has_scheme(value: &str) -> bool {
    let scheme = value.split_ascii_whitespace().next().unwrap_or_default();
    ["bearer", "token", "basic"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
}

/// The secrets in a URL's query.
fn in_query(url: &Url) -> Vec<String> {
    url.query_pairs().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.into_owned()).collect()
}

/// A secret as it is, as JSON writes it, and as a URL does.
fn forms(secret: &str) -> [String; 4] {
    let json = serde_json::to_string(secret).expect("text is JSON");
    let json = json[1..json.len() - 1].to_owned();
    let with_slashes = json.replace('/', "\\/");
    let url = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    [secret.to_owned(), json, with_slashes, url]
}

#[cfg(test)]
mod tests {
    use super::super::Secret;
    use super::*;

    fn of(key: &str, header: &str) -> Scrubber {
        let url = BackendUrl::SelfPath("/sim/openai".to_owned());
        let mut backend = Backend::new("b", "/b", url);
        backend.api_key = Some(Secret::new(key));
        backend.headers = [("x-own".to_owned(), header.to_owned())].into();
        Scrubber::of_backend(&backend)
    }

    #[test]
    fn a_key_is_taken_out_in_every_form() {
        let scrubber = of("sk-a/b+c\"d_0123", "Bearer header-secret-1");
        for (text, expected) in [
            ("nothing to hide", "nothing to hide"),
            ("no key sk-a/b+c\"d_0123!", "no key ***!"),
            ("sk-a/b+c\"d_0123sk-a/b+c\"d_0123", "******"),
            (r#"{"message":"sk-a/b+c\"d_0123"}"#, r#"{"message":"***"}"#),
            (r#"{"message":"sk-a\/b+c\"d_0123"}"#, r#"{"message":"***"}"#),
            ("?key=sk-a%2Fb%2Bc%22d_0123&x", "?key=***&x"),
            ("Bearer header-secret-1", "Bearer ***"),
        ] {
            assert_eq!(scrubber.scrub(text), expected, "{text}");
        }
        assert_eq!(scrubber.scrub_keys("sk-a/b+c\"d_0123 header-secret-1"), "*** ***");
        assert!(matches!(scrubber.scrub("nothing"), Cow::Borrowed("nothing")));
        assert_eq!(format!("{scrubber:?}"), "Scrubber(5 and 0)");
    }

    #[test]
    fn what_is_covered_takes_the_same_room() {
        let scrubber = of("sk-a/b+c\"d_0123", "Bearer header-secret-1");
        for text in
            [r#"{"message":"sk-a\/b+c\"d_0123!"}"#, "sk-a/b+c\"d_0123", "?key=sk-a%2Fb%2Bc%22d_0123&x"]
        {
            let covered = scrubber.cover(text);
            assert_eq!(covered.len(), text.len());
            assert!(covered.contains("***") && !covered.contains("sk-a"), "{covered}");
        }
        assert_eq!(scrubber.cover("Bearer header-secret-1, he"), "Bearer ***************, he");
        assert!(matches!(scrubber.cover("nothing"), Cow::Borrowed("nothing")));
    }

    #[test]
    fn a_key_that_the_end_of_a_text_cuts_is_taken_out() {
        let scrubber = of("0123456789abcdef", "");
        for (text, expected) in [
            ("key: 0123456789abcde", "key: ***"),
            ("key: 01234567", "key: ***"),
            ("01234567", "***"),
            ("key: 0123456", "key: 0123456"),
            ("01234567, said somebody", "01234567, said somebody"),
            ("é01234567", "é***"),
        ] {
            assert_eq!(scrubber.scrub(text), expected, "{text}");
        }
    }

    #[test]
    fn a_word_of_a_header_may_be_said_in_a_conversation() {
        let scrubber = of("sk-0123456789", "customer-support");
        let said = "sk-0123456789 of customer-support";
        assert_eq!(scrubber.scrub_keys(said), "*** of customer-support");
        assert_eq!(scrubber.scrub(said), "*** of ***");
    }

    #[test]
    fn what_is_short_is_no_secret() {
        let scrubber = of("realtim", "realtime=v1 production");
        let text = r#"{"type":"realtime","x":"realtime=v1 in production"}"#;
        assert_eq!(scrubber.scrub(text), text);
    }

    #[test]
    fn what_a_route_sends_is_taken_out() {
        let target = Target::Url("http://app.internal/?code=of+the+query".parse().expect("a url"));
        let mut route = Route::new(Vec::new(), target);
        route.headers = [("authorization".to_owned(), "Bearer application-secret".to_owned())].into();
        let scrubber = Scrubber::of_route(&route);
        let text = "Bearer application-secret, of the query and of+the+query";
        assert_eq!(scrubber.scrub(text), "Bearer ***, *** and ***");
    }
}
