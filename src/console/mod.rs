//! The console: the files of a page that talks to the backends from a browser, embedded, with the path of each.
//! Knows neither requests nor what the page does.
//!
//! In `page/`, from what a person sees inwards: `views/` draws a panel each, and `main.js` wires them. `live.js` is the
//! connection that a person has now, of which `session.js` speaks the protocol, `audio/` is microphone and speaker,
//! `conversation/` makes lines, function calls and turns of messages, and `timeline.js` keeps the messages. `words/` says
//! what codes mean. What is in none of these is one subject a file.

use std::{collections::BTreeMap, fmt::Write, sync::LazyLock};

use ring::digest::{SHA256, digest};

/// Every file of `page/`, by its path there.
const FILES: &[File] = &[
    File("address.js", JAVASCRIPT, include_bytes!("page/address.js")),
    File("audio/capture.js", JAVASCRIPT, include_bytes!("page/audio/capture.js")),
    File("audio/framer.js", JAVASCRIPT, include_bytes!("page/audio/framer.js")),
    File("audio/microphone.js", JAVASCRIPT, include_bytes!("page/audio/microphone.js")),
    File("audio/play_queue.js", JAVASCRIPT, include_bytes!("page/audio/play_queue.js")),
    File("audio/playback.js", JAVASCRIPT, include_bytes!("page/audio/playback.js")),
    File("audio/resampler.js", JAVASCRIPT, include_bytes!("page/audio/resampler.js")),
    File("audio/sound.js", JAVASCRIPT, include_bytes!("page/audio/sound.js")),
    File("audio/speaker.js", JAVASCRIPT, include_bytes!("page/audio/speaker.js")),
    File("conversation/activity.js", JAVASCRIPT, include_bytes!("page/conversation/activity.js")),
    File("conversation/calls.js", JAVASCRIPT, include_bytes!("page/conversation/calls.js")),
    File("conversation/conversation.js", JAVASCRIPT, include_bytes!("page/conversation/conversation.js")),
    File("conversation/history.js", JAVASCRIPT, include_bytes!("page/conversation/history.js")),
    File("conversation/members.js", JAVASCRIPT, include_bytes!("page/conversation/members.js")),
    File("conversation/turns.js", JAVASCRIPT, include_bytes!("page/conversation/turns.js")),
    File("dom.js", JAVASCRIPT, include_bytes!("page/dom.js")),
    File("emitter.js", JAVASCRIPT, include_bytes!("page/emitter.js")),
    File("functions.js", JAVASCRIPT, include_bytes!("page/functions.js")),
    File("gateway.js", JAVASCRIPT, include_bytes!("page/gateway.js")),
    File("icon.svg", SVG, include_bytes!("page/icon.svg")),
    File("index.html", HTML, include_bytes!("page/index.html")),
    File("live.js", JAVASCRIPT, include_bytes!("page/live.js")),
    File("main.js", JAVASCRIPT, include_bytes!("page/main.js")),
    File("panels.css", CSS, include_bytes!("page/panels.css")),
    File("recording.js", JAVASCRIPT, include_bytes!("page/recording.js")),
    File("session.js", JAVASCRIPT, include_bytes!("page/session.js")),
    File("settings.js", JAVASCRIPT, include_bytes!("page/settings.js")),
    File("storage.js", JAVASCRIPT, include_bytes!("page/storage.js")),
    File("style.css", CSS, include_bytes!("page/style.css")),
    File("theme.js", JAVASCRIPT, include_bytes!("page/theme.js")),
    File("timeline.js", JAVASCRIPT, include_bytes!("page/timeline.js")),
    File("views/calls.js", JAVASCRIPT, include_bytes!("page/views/calls.js")),
    File("views/composer.js", JAVASCRIPT, include_bytes!("page/views/composer.js")),
    File("views/connection.js", JAVASCRIPT, include_bytes!("page/views/connection.js")),
    File("views/keyboard.js", JAVASCRIPT, include_bytes!("page/views/keyboard.js")),
    File("views/latencies.js", JAVASCRIPT, include_bytes!("page/views/latencies.js")),
    File("views/line.js", JAVASCRIPT, include_bytes!("page/views/line.js")),
    File("views/meters.js", JAVASCRIPT, include_bytes!("page/views/meters.js")),
    File("views/raw.js", JAVASCRIPT, include_bytes!("page/views/raw.js")),
    File("views/setup.js", JAVASCRIPT, include_bytes!("page/views/setup.js")),
    File("views/status.js", JAVASCRIPT, include_bytes!("page/views/status.js")),
    File("views/talk.js", JAVASCRIPT, include_bytes!("page/views/talk.js")),
    File("views/time.js", JAVASCRIPT, include_bytes!("page/views/time.js")),
    File("views/voice.js", JAVASCRIPT, include_bytes!("page/views/voice.js")),
    File("words/codes.js", JAVASCRIPT, include_bytes!("page/words/codes.js")),
    File("words/diagnosis.js", JAVASCRIPT, include_bytes!("page/words/diagnosis.js")),
    File("words/ending.js", JAVASCRIPT, include_bytes!("page/words/ending.js")),
    File("words/words.js", JAVASCRIPT, include_bytes!("page/words/words.js")),
];

const CSS: &str = "text/css; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The file that is the page itself.
const INDEX: &str = "index.html";

/// A file as it is written down here: its path in `page/`, its media type and its content.
struct File(&'static str, &'static str, &'static [u8]);

/// A file as it is served.
pub(crate) struct Served {
    /// Its `Content-Type`.
    pub(crate) media_type: &'static str,
    /// Its bytes.
    pub(crate) content: &'static [u8],
    /// A hash of its content in hexadecimal digits: it differs where the content does.
    pub(crate) version: String,
}

/// What is served at a path: the page at `/`, its other files below `/console/`.
pub(crate) fn at(path: &str) -> Option<&'static Served> {
    static SERVED: LazyLock<BTreeMap<String, Served>> =
        LazyLock::new(|| FILES.iter().map(|file| (file.path(), file.served())).collect());
    SERVED.get(path)
}

impl File {
    fn path(&self) -> String {
        if self.0 == INDEX { "/".to_owned() } else { format!("/console/{}", self.0) }
    }

    fn served(&self) -> Served {
        let &Self(_, media_type, content) = self;
        let mut version = String::new();
        for byte in digest(&SHA256, content).as_ref() {
            write!(version, "{byte:02x}").expect("text can always be written to");
        }
        Served { media_type, content, version }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    use super::*;

    /// Every file below a directory.
    fn files_below(directory: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(directory).expect("the directory can be read");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn every_file_of_the_page_is_in_the_table_and_nothing_else_is() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/console/page");
        let of_directory: BTreeSet<String> = files_below(&page)
            .iter()
            .map(|path| path.strip_prefix(&page).expect("it is below").to_str().expect("UTF-8").to_owned())
            .collect();
        let of_table: BTreeSet<String> = FILES.iter().map(|file| file.0.to_owned()).collect();
        assert_eq!(of_table, of_directory);
        assert_eq!(of_table.len(), FILES.len(), "a file stands twice");
        for &File(name, media_type, content) in FILES {
            assert_eq!(content, fs::read(page.join(name)).expect("it can be read"), "{name} is another file");
            let expected = match name.rsplit_once('.') {
                Some((_, "css")) => CSS,
                Some((_, "html")) => HTML,
                Some((_, "js")) => JAVASCRIPT,
                Some((_, "svg")) => SVG,
                _ => "",
            };
            assert_eq!(media_type, expected, "{name}");
        }
    }

    #[test]
    fn each_file_is_at_its_path_alone() {
        assert_eq!(at("/").map(|page| page.media_type), Some(HTML));
        assert_eq!(at("/console/main.js").map(|script| script.media_type), Some(JAVASCRIPT));
        for path in ["", "/index.html", "/console", "/console/", "/console/index.html", "/main.js", "main.js"]
        {
            assert!(at(path).is_none(), "{path}");
        }
    }

    #[test]
    fn contents_that_differ_have_different_versions() {
        let [one, other] = [b"a", b"b"].map(|content| File("x.js", JAVASCRIPT, content).served().version);
        assert_ne!(one, other);
        // SHA-256 of "a".
        assert_eq!(one, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    }
}
