//! The command-line client: one conversation with a voice agent over the Voice Agent protocol. Here the
//! socket, the files and the clocks meet `conversation.rs`, which alone decides what is said.

mod answer;
mod clock;
mod connection;
mod conversation;
mod error;
mod microphone;
mod recording;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use actix_http::ws::Message;
use clap::{ArgGroup, Args, builder::NonEmptyStringValueParser};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::{
    connection::{Connection, Received},
    conversation::{Conversation, Input, Now, Step, Turn, one_line},
    microphone::Microphone,
};
use crate::{
    protocol::{
        agent::{
            Agent, AgentSettings, Audio, AudioInput, AudioOutput, OneOrMany, Provider, ServerMessage,
            Settings, Think,
        },
        audio::{AudioFormat, PCM_16K, PCM_24K},
    },
    tls::{authorities, client_config},
};

pub use error::TalkError;

/// The arguments of `voxbridge talk`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(group(ArgGroup::new("turn").required(true).args(["text", "audio"])))]
pub struct TalkArgs {
    /// The agent's address, ws:// or wss://
    #[arg(long, value_name = "URL", value_parser = websocket_url)]
    pub url: Url,
    /// What to write to the agent; given several times, one turn after the other
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub text: Vec<String>,
    /// A WAV file to say to the agent
    #[arg(long, value_name = "FILE")]
    pub audio: Option<PathBuf>,
    /// Where to write what the agent says, as a WAV file
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// The time for everything, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout: u64,
    /// The agent's instructions
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Certificates in PEM of authorities that are trusted besides those that browsers trust
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Sent as the bearer token
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

fn websocket_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "ws" | "wss" => Ok(url),
        scheme => Err(format!("{scheme} is not ws or wss")),
    }
}

/// Says the turns of `args` and writes the conversation to `out` as it happens, one line for each event.
/// Runs on an actix runtime. Every trouble ends it: an `Error` of the server, a close before the last
/// answer is complete, the end of the time. What was heard until then is saved all the same.
pub async fn talk(args: TalkArgs, out: &mut dyn Write) -> Result<(), TalkError> {
    let mut talk = Talk { heard: args.save.is_some().then(Vec::new), out };
    let outcome = talk.run(&args).await;
    let Some((path, pcm)) = args.save.as_deref().zip(talk.heard.take()) else { return outcome };
    if outcome.is_err() && pcm.is_empty() {
        return outcome;
    }
    let saved = talk.save(path, &pcm);
    // The first trouble is the one to tell.
    outcome.and(saved)
}

struct Talk<'a> {
    /// What the agent said, if it is to be saved.
    heard: Option<Vec<u8>>,
    out: &'a mut dyn Write,
}

impl Talk<'_> {
    async fn run(&mut self, args: &TalkArgs) -> Result<(), TalkError> {
        let timeout = Duration::from_secs(args.timeout);
        let deadline = Instant::now() + timeout;
        let timed_out = |_| TalkError::TimedOut { seconds: args.timeout };
        let (format, turns) = turns(args, timeout)?;
        let conversation = Conversation::new(settings(format, args.prompt.clone()), turns);
        let tls = client_config(&match &args.ca {
            Some(file) => authorities(&file.display().to_string()).map_err(TalkError::Authorities)?,
            None => Vec::new(),
        });
        let open = Connection::open(&args.url, args.token.as_deref(), tls, timeout);
        let mut connection = timeout_at(deadline, open).await.map_err(timed_out)??;
        let converse = self.converse(&mut connection, conversation);
        let outcome = timeout_at(deadline, converse).await.map_err(timed_out);
        connection.close().await;
        outcome?
    }

    async fn converse(
        &mut self,
        connection: &mut Connection,
        mut conversation: Conversation,
    ) -> Result<(), TalkError> {
        loop {
            let input = match next(connection, conversation.deadline()).await? {
                None => Input::Elapsed,
                Some(Received::Text(text)) => match ServerMessage::decode(&text) {
                    Ok(message) => Input::Message(Box::new(message)),
                    Err(error) => {
                        self.print(&one_line(&format!("warning: unreadable message: {error}")))?;
                        continue;
                    }
                },
                Some(Received::Audio(bytes)) => {
                    if let Some(heard) = &mut self.heard {
                        heard.extend_from_slice(&bytes);
                    }
                    Input::Audio(bytes.len())
                }
                Some(Received::Ping(bytes)) => {
                    connection.send(Message::Pong(bytes)).await;
                    continue;
                }
                Some(Received::Closed { code, reason }) => Input::Closed { code, reason },
            };
            let now = Now { instant: Instant::now().into_std(), utc: SystemTime::now() };
            for step in conversation.handle(input, now) {
                match step {
                    Step::Print(line) => self.print(&line)?,
                    Step::Send(message) => connection.send(Message::Text(message.encode().into())).await,
                    Step::SendAudio(frame) => connection.send(Message::Binary(frame)).await,
                    Step::End(outcome) => return outcome,
                }
            }
        }
    }

    fn print(&mut self, line: &str) -> Result<(), TalkError> {
        let print = |out: &mut dyn Write| -> io::Result<()> {
            writeln!(out, "{line}")?;
            out.flush()
        };
        print(self.out).map_err(|error| TalkError::Output(error.to_string()))
    }

    fn save(&mut self, path: &Path, pcm: &[u8]) -> Result<(), TalkError> {
        recording::write(path, pcm).map_err(|reason| TalkError::Save { path: path.to_owned(), reason })?;
        if pcm.is_empty() {
            return self.print(&format!("no audio came, {} is empty", path.display()));
        }
        let seconds = PCM_24K.duration_of(pcm.len()).as_secs_f64();
        self.print(&format!("saved {seconds:.2} s to {}", path.display()))
    }
}

/// What the server sends next; none once `deadline` has passed. The deadline goes first, so that no flood
/// of frames keeps the microphone waiting.
async fn next(
    connection: &mut Connection,
    deadline: Option<std::time::Instant>,
) -> Result<Option<Received>, TalkError> {
    let Some(deadline) = deadline.map(Instant::from_std) else {
        return connection.receive().await.map(Some);
    };
    if deadline <= Instant::now() {
        return Ok(None);
    }
    timeout_at(deadline, connection.receive()).await.ok().transpose()
}

/// What is said, and in which format if it is spoken.
fn turns(args: &TalkArgs, timeout: Duration) -> Result<(AudioFormat, Vec<Turn>), TalkError> {
    let Some(path) = &args.audio else {
        return Ok((PCM_16K, args.text.iter().cloned().map(Turn::Text).collect()));
    };
    let recording = recording::read(path, timeout)
        .map_err(|reason| TalkError::Recording { path: path.clone(), reason })?;
    let format = recording.format;
    Ok((format, vec![Turn::Speech(Box::new(Microphone::new(recording)))]))
}

/// The session: audio goes up in `input` and comes down as 24 kHz linear16.
fn settings(input: AudioFormat, prompt: Option<String>) -> Settings {
    let provider = [("type", json!("open_ai")), ("model", json!("gpt-4o-mini"))];
    let provider: Map<String, Value> =
        provider.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let think = Think {
        provider: Some(Provider(provider)),
        prompt,
        functions: Some(vec![clock::declaration()]),
        ..Think::default()
    };
    let agent = AgentSettings { think: Some(OneOrMany::One(Box::new(think))), ..AgentSettings::default() };
    Settings {
        audio: Some(Audio {
            input: Some(AudioInput {
                encoding: Some(input.encoding.name().to_owned()),
                sample_rate: Some(input.sample_rate),
            }),
            output: Some(AudioOutput {
                encoding: Some(PCM_24K.encoding.name().to_owned()),
                sample_rate: Some(PCM_24K.sample_rate),
                container: Some("none".to_owned()),
                ..AudioOutput::default()
            }),
        }),
        agent: Some(Agent::Settings(Box::new(agent))),
        ..Settings::default()
    }
}

#[cfg(test)]
mod tests;
