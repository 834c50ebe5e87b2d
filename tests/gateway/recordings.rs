//! Recordings as they are on disk while real connections go through: their steps and their audio, what is not in them,
//! and that no trouble with them is felt.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::client::Client;
use crate::peers::gateway::{Config, Gateway, PATH, run};
use crate::peers::mock::Mock;
use crate::peers::raw::{RawPeer, RawUpstream};
use crate::peers::raw_frame::RawFrame;
use crate::peers::recordings::Recordings;
use crate::peers::s;
use crate::peers::script::Script;
use crate::peers::sound::heard;

/// A gateway that records into a directory of this test, with more lines of `[logging]`.
struct Stage {
    mock: Mock,
    gateway: Gateway,
    directory: TempDir,
}

impl Stage {
    async fn start(script: Script, lines: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let mock = Mock::start(script).await;
        let section = format!("[logging]\nrecord_dir = {:?}\n{lines}", directory.path());
        let gateway = Config::for_mock(&mock).section(&section).start().await;
        Self { mock, gateway, directory }
    }

    fn recordings(&self) -> Recordings {
        Recordings::in_directory(self.directory.path().to_owned())
    }

    /// A typed turn and audio, to its end.
    async fn converse(&self) -> Client {
        let mut client = self.gateway.connect().await;
        client.open_s().await;
        client.send_silence(640).await;
        client.inject("xylophone").await;
        client.expect_spoken("assistant", s(5)).await;
        client.close(1000, "done").await;
        client.expect_close(s(5)).await;
        client
    }
}

fn kinds<'a>(steps: &'a [Value], way: &str) -> Vec<&'a str> {
    let kind =
        |value: &'a Value| value.as_str().or_else(|| value.as_object()?.keys().next().map(String::as_str));
    let effects = |step: &'a Value| step["out"].as_array().into_iter().flatten().collect::<Vec<_>>();
    let values = steps.iter().flat_map(|step| if way == "in" { vec![&step["in"]] } else { effects(step) });
    values.filter_map(kind).collect()
}

#[tokio::test]
async fn each_connection_has_a_file_with_its_steps_and_nothing_that_was_said() {
    let stage = Stage::start(Script::default(), "").await;
    for _ in 0..2 {
        stage.converse().await;
    }
    for recording in stage.recordings().ended(2).await {
        let (header, steps) = (&recording.lines[0], recording.steps());
        assert_eq!((&header["voxbridge_recording"], &header["masked"]), (&json!(1), &json!(true)));
        let id = header["request_id"].as_str().expect("it has one");
        assert!(stage.gateway.log().contains(&format!("conn={id} ")));
        assert_eq!(recording.end(), "finished");
        let numbers: Vec<_> = steps.iter().map(|step| step["n"].as_u64()).collect();
        assert_eq!(numbers, (1..=steps.len() as u64).map(Some).collect::<Vec<_>>());
        assert!(steps.is_sorted_by_key(|step| step["t_ns"].as_u64()));
        let inputs = kinds(steps, "in");
        for kind in ["client_connected", "client", "client_audio", "upstream_opened", "upstream", "delivered"]
        {
            assert!(inputs.contains(&kind), "{kind} in {inputs:?}");
        }
        assert_eq!(inputs.iter().filter(|kind| **kind == "client_audio").count(), 1);
        let effects = kinds(steps, "out");
        assert_eq!(effects.last(), Some(&"finished"));
        assert!(!recording.text.contains("xylophone") && recording.text.contains("InjectUserMessage"));
        assert!(!recording.text.contains("helpful assistant"), "the prompt");
    }
    assert_eq!(stage.recordings().files("").len(), 2, "no audio unless it is asked for");
}

#[tokio::test]
async fn with_log_content_it_has_what_was_said() {
    let stage = Stage::start(Script::default(), "log_content = true").await;
    stage.converse().await;
    let recording = stage.recordings().ended(1).await.remove(0);
    assert!(recording.text.contains("xylophone") && recording.text.contains("helpful assistant"));
    assert_eq!(recording.lines[0]["masked"], json!(false));
}

/// The audio of a WAV file that others can read.
fn audio(path: &std::path::Path, format: (u16, u32)) -> Vec<u8> {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((u16::from_le_bytes([bytes[20], bytes[21]]), number(24)), format);
    assert_eq!(number(4) as usize, bytes.len() - 8);
    let length = number(40) as usize;
    assert_eq!(bytes.len(), 44 + length + length % 2);
    bytes[44..44 + length].to_vec()
}

#[tokio::test]
async fn both_voices_are_in_wav_files_as_the_client_sent_and_heard_them() {
    let stage = Stage::start(Script { echo: true, ..Script::default() }, "record_audio = true").await;
    let asked = |encoding: &str, sample_rate: u32| json!({"encoding": encoding, "sample_rate": sample_rate});
    for (input, output, formats) in [
        (asked("linear16", 16_000), asked("linear16", 24_000), [(1, 16_000), (1, 24_000)]),
        // Converted on both ways, and to another rate.
        (asked("linear16", 48_000), asked("linear16", 8_000), [(1, 48_000), (1, 8_000)]),
        (asked("mulaw", 8_000), asked("alaw", 16_000), [(7, 8_000), (6, 16_000)]),
    ] {
        let settings = json!({"type": "Settings", "agent": {"think": {"prompt": "Be brief."}},
            "audio": {"input": input, "output": output}});
        let mut client = stage.gateway.connect().await;
        // Some of it before anybody knows its format.
        let spoken: Vec<u8> = (0..30_001_u32).map(|n| (n * 7 % 251) as u8).collect();
        let (early, late) = spoken.split_at(1_501);
        client.send_binary(early.to_vec()).await;
        client.open_with(&settings).await;
        for frame in late.chunks(961) {
            client.send_binary(frame.to_vec()).await;
        }
        client.inject("the end").await;
        client.expect_spoken("assistant", s(10)).await;
        client.close(1000, "done").await;
        client.expect_close(s(5)).await;
        let all = stage.mock.upgrades().len();
        let recording = stage.recordings().ended(all).await.pop().expect("there is one");
        assert_eq!(audio(&recording.wav("user"), formats[0]), spoken);
        let heard = heard(&client.journal());
        assert!(heard.len() > 1_000, "{} bytes", heard.len());
        assert_eq!(audio(&recording.wav("agent"), formats[1]), heard);
    }
    assert!(stage.gateway.log().contains("logging.record_audio: what users and agents say is written to"));
}

#[tokio::test]
async fn what_is_passed_through_is_recorded_as_it_goes() {
    let directory = TempDir::new().expect("a temporary directory");
    let upstream = RawUpstream::start().await;
    let config = Config::passed_through(&upstream.url("/v1/agent/converse"), "/dg")
        .backend(&format!("transcription_url = \"{}\"", upstream.url("/v1/listen")))
        .backend("dialect = \"deepgram\"")
        .section(&format!("[logging]\nrecord_dir = {:?}\nrecord_audio = true", directory.path()));
    let gateway = config.start().await;
    let recordings = Recordings::in_directory(directory.path().to_owned());
    let pcm = json!({"input": {"encoding": "linear16", "sample_rate": 16_000},
        "output": {"encoding": "mulaw", "sample_rate": 8_000}});
    let opus = json!({"input": {"encoding": "opus", "sample_rate": 48_000}, "output": {"encoding": "linear16",
        "sample_rate": 24_000, "container": "wav"}});
    for (n, (path, formats, expected)) in [
        ("/dg", Some(pcm), [Some((1, 16_000)), Some((7, 8_000))]),
        ("/dg", Some(opus), [None, None]),
        ("/dg/v1/listen?encoding=alaw&sample_rate=8000", None, [Some((6, 8_000)), None]),
        ("/dg/v1/listen", None, [None, None]),
    ]
    .into_iter()
    .enumerate()
    {
        let (client, dialled) = tokio::join!(RawPeer::connect(gateway.port(), path, ""), upstream.accept());
        let (mut client, mut upstream) = (client, dialled);
        let mut sent = 0;
        if let Some(formats) = &formats {
            let settings = json!({"type": "Settings", "audio": formats, "agent": {"greeting": "xylophone"}});
            let text = settings.to_string();
            let (first, rest) = text.split_at(text.len() / 2);
            client.send(&RawFrame::new(1, false, first.to_owned())).await;
            client.send(&RawFrame::new(0, true, rest.to_owned())).await;
            sent += 2;
        }
        let (user, agent): (Vec<u8>, Vec<u8>) = ((0..=250).collect(), (5..=200).collect());
        client.send(&RawFrame::binary(user.clone())).await;
        client.send(&RawFrame::new(2, false, user.clone())).await;
        client.send(&RawFrame::new(0, true, user.clone())).await;
        upstream.expect_data(sent + 3).await;
        upstream.send(&RawFrame::text("{\"type\":\"ConversationText\",\"content\":\"wombat\"}")).await;
        upstream.send(&RawFrame::binary(agent.clone())).await;
        client.expect_data(2).await;
        client.send(&RawFrame::close(Some(1000), "done")).await;
        upstream.expect_close().await;
        upstream.send(&RawFrame::close(Some(1000), "done")).await;
        client.expect_end().await;
        let recording = recordings.ended(n + 1).await.pop().expect("there is one");
        for (whose, expected, bytes) in [("user", expected[0], user.repeat(3)), ("agent", expected[1], agent)]
        {
            match expected {
                Some(format) => assert_eq!(audio(&recording.wav(whose), format), bytes),
                None => assert!(!recording.wav(whose).exists(), "{path}"),
            }
        }
        let notes = recording.lines.iter().filter(|line| line.get("note").is_some()).count();
        assert_eq!(notes == 1, expected[0].is_none(), "{path}: {}", recording.text);
        assert!(!recording.text.contains("xylophone") && !recording.text.contains("wombat"));
        assert_eq!(recording.end(), "finished");
    }
}

#[tokio::test]
async fn a_directory_that_is_lost_is_not_felt_and_later_ones_are_recorded_again() {
    let stage = Stage::start(Script::default(), "").await;
    let directory = stage.directory.path();
    let mut client = stage.gateway.connect().await;
    client.open_s().await;
    fs::remove_dir_all(directory).expect("it can be removed");
    fs::write(directory, "a file").expect("it can be written");
    client.assert_goes_on().await;
    client.close(1000, "done").await;
    client.expect_close(s(5)).await;
    for _ in 0..3 {
        stage.converse().await;
    }
    let error = "recordings cannot be written: ";
    stage.gateway.expect_log(&["ERROR", error], s(5)).await;
    assert_eq!(stage.gateway.log().matches(error).count(), 1, "one line for a trouble");
    fs::remove_file(directory).expect("it can be removed");
    stage.converse().await;
    assert_eq!(stage.recordings().ended(1).await[0].end(), "finished");
    stage.gateway.expect_log(&["INFO", "recordings are written again"], s(5)).await;
}

fn size_of_all(recordings: &Recordings) -> u64 {
    let files = recordings.files("");
    files.iter().map(|path| fs::metadata(path).expect("it is there").len()).sum()
}

#[tokio::test]
async fn a_recording_that_is_as_large_as_may_be_ends_and_the_session_goes_on() {
    let stage = Stage::start(Script::default(), "record_session_bytes = 65536\nrecord_audio = true").await;
    let mut client = stage.gateway.connect().await;
    client.open_s().await;
    client.send_silence(60_000).await;
    client.send_silence(60_000).await;
    let recording = stage.recordings().ended(1).await.remove(0);
    assert_eq!(recording.end(), "cap");
    client.assert_goes_on().await;
    stage.gateway.expect_log(&["WARN", "the recording ends", "logging.record_session_bytes"], s(5)).await;
    assert!(size_of_all(&stage.recordings()) <= 65_536 + 2 * 44);
}

#[tokio::test]
async fn the_oldest_recordings_go_when_there_are_too_many() {
    let stage = Stage::start(
        Script::default(),
        "record_session_bytes = 524288\nrecord_total_bytes = 1048576\nrecord_audio = true",
    )
    .await;
    let bystander = stage.directory.path().join("diary.jsonl");
    fs::write(&bystander, "{\"end\":").expect("it can be written");
    for session in 1..=4 {
        let mut client = stage.gateway.connect().await;
        client.open_s().await;
        client.send_silence(300_000).await;
        client.close(1000, "done").await;
        client.expect_close(s(5)).await;
        // The fourth finds the first one gone.
        stage.recordings().ended(session.min(3)).await;
    }
    let left = size_of_all(&stage.recordings());
    assert!((600_000..1_400_000).contains(&left), "{left} bytes");
    assert!(bystander.exists());
}

#[tokio::test]
async fn a_reload_is_for_new_sessions() {
    let (first, second) = (TempDir::new().expect("a directory"), TempDir::new().expect("a directory"));
    let mock = Mock::start(Script::default()).await;
    let section = format!("[logging]\nrecord_dir = {:?}", first.path());
    let gateway = Config::for_mock(&mock).section(&section).start().await;
    let mut old = gateway.connect().await;
    old.open_s().await;
    let (from, to) = (first.path().display().to_string(), second.path().display().to_string());
    gateway.reload_with(|toml| toml.replace(&from, &to)).await;
    let mut new = gateway.connect().await;
    new.open_s().await;
    for client in [&mut old, &mut new] {
        client.assert_goes_on().await;
        client.close(1000, "done").await;
        client.expect_close(s(5)).await;
    }
    for directory in [&first, &second] {
        Recordings::in_directory(directory.path().to_owned()).ended(1).await;
    }
    gateway.reload_with(|toml| toml.replace(&to, "")).await;
    let mut unrecorded = gateway.connect().await;
    unrecorded.open_s().await;
    let file = first.path().join("file");
    fs::write(&file, "").expect("it can be written");
    let no_directory = format!("record_dir = \"{}\"", file.display());
    gateway
        .refuse_with(
            |toml| toml.replace("record_dir = \"\"", &no_directory),
            &["logging.record_dir", "File exists"],
        )
        .await;
    assert_eq!(second.path().read_dir().expect("it is there").count(), 1);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_refused_at_start() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    let section = format!("[logging]\nrecord_dir = {:?}", file.path());
    let toml = Config::for_url("wss://127.0.0.1:9").section(&section).toml();
    for arguments in [&["--config", "FILE"][..], &["check", "--config", "FILE"]] {
        let (finished, config) = run(arguments, &toml).await;
        assert_eq!(finished.status, Some(2));
        let expected = format!("{}: logging.record_dir: no file can be made in", config.display());
        assert!(finished.stderr.contains(&expected), "{}", finished.stderr);
    }
}

/// What the process had not written when it was asked to stop is written.
#[tokio::test]
async fn the_end_of_the_program_is_in_the_recordings() {
    let mut stage = Stage::start(Script::default(), "").await;
    let mut client = Client::connect(&stage.gateway.url(PATH)).await;
    client.open_s().await;
    stage.gateway.terminate().await;
    stage.gateway.exit(s(20)).await;
    let recording = stage.recordings().ended(1).await.remove(0);
    assert_eq!(recording.end(), "finished");
    assert!(kinds(recording.steps(), "in").contains(&"drain"));
}
