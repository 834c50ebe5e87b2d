//! `POST /function-call`: runs one function call for a page that was handed it, on the pool that runs the
//! calls of sessions. Knows neither sessions nor how a function is run.

use std::future::pending;

use actix_web::{
    HttpRequest, HttpResponse, Resource,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
    web,
};
use log::Level;
use serde_json::json;
use tokio::time::Instant;

use super::{
    body::{self, Readers},
    call_body::{self, CallBody},
    call_refusal::Refusal,
    client_address::Sender,
    credentials::identify,
    origins::{Origins, Verdict},
    refusal_log::{count_refusal, line_of},
    refuse::Refuse,
    sessions::Sessions,
    upgrade::is_loggable,
};
use crate::{
    actors::ClientSocket,
    config::Config,
    describe::milliseconds,
    functions::{Call, ExecutorPool, Failure},
    identity::Identities,
    logging::gateway_log,
    metrics::FunctionMetrics,
    protocol::shorten,
};

/// The methods of the path.
pub(super) const METHODS: &str = "POST, OPTIONS";
/// What a page may send along: the body's type, its name for the call, who it is, and the trace it belongs to.
const HEADERS: &str = "content-type, x-trace-id, authorization, traceparent";
/// How long a browser may go by one preflight, seconds.
const PREFLIGHT_AGE: &str = "600";

/// The resource of the path.
pub(super) fn resource() -> Resource {
    web::resource("/function-call").default_service(web::to(handle))
}

async fn handle(
    request: HttpRequest,
    payload: web::Payload,
    (origins, identities): (web::Data<Origins>, web::Data<Identities>),
    sessions: web::Data<Sessions>,
    config: web::Data<Config>,
    (pool, counted): (web::Data<ExecutorPool>, web::Data<FunctionMetrics>),
    readers: web::Data<Readers>,
) -> HttpResponse {
    let mut line = LogLine::begin(&request);
    let verdict = origins.judge_call(request.headers());
    let shared =
        Shared { limit: config.limits.max_message_bytes, pool, counted, sessions, readers, identities };
    let answer = if verdict == Verdict::Refused {
        Err(Refusal::Origin)
    } else if verdict == Verdict::Unlisted {
        Err(Refusal::Unlisted)
    } else if request.method() == Method::OPTIONS {
        line.ended = Ended::Preflight;
        Ok(preflight())
    } else if request.method() != Method::POST {
        Err(Refusal::Method)
    } else if shared.sessions.stopping() {
        Err(Refusal::Stopping)
    } else {
        run(&request, payload, &shared, &mut line).await
    };
    let mut answer = answer.unwrap_or_else(|refusal| {
        if !refusal.was_run() {
            count_refusal(&request, &refusal);
        }
        line.ended = Ended::Refused(refusal);
        refusal.answer()
    });
    allow(&verdict, answer.headers_mut());
    answer
}

/// What the calls of all pages have in common.
struct Shared {
    /// The longest body, bytes.
    limit: usize,
    pool: web::Data<ExecutorPool>,
    counted: web::Data<FunctionMetrics>,
    sessions: web::Data<Sessions>,
    readers: web::Data<Readers>,
    identities: web::Data<Identities>,
}

async fn run(
    request: &HttpRequest,
    payload: web::Payload,
    shared: &Shared,
    line: &mut LogLine,
) -> Result<HttpResponse, Refusal> {
    let Shared { limit, pool, counted, sessions, readers, identities } = shared;
    let identity = identify(request, identities)?;
    line.subject.clone_from(&identity.subject);
    let CallBody { id, name, arguments } =
        call_body::parse(&body::read(request, payload, readers, *limit).await?)?;
    line.function = Some(name.clone());
    if !identity.rights.allow_function(&name) {
        return Err(Refusal::Function);
    }
    identities.admit(&identity)?;
    let traceparent = text_of(request, "traceparent");
    let (begun, counted) = (Instant::now(), counted.begins(&name));
    let trace = line.trace.clone();
    let call = Call { id, name, arguments, backend: None, endpoint: None, trace, traceparent };
    let outcome = match pool.run(call) {
        // What is dropped here is cancelled.
        Ok(running) => tokio::select! {
            biased;
            outcome = running => outcome,
            () = closed(request) => return Err(Refusal::Gone),
            () = sessions.stopped() => return Err(Refusal::Stopping),
        },
        Err(failure) => Err(failure),
    };
    counted.ends(&outcome, begun.elapsed());
    match outcome {
        Ok(content) => {
            line.ended = Ended::Answered;
            Ok(HttpResponse::Ok().json(json!({ "content": content })))
        }
        Err(Failure::Busy) => Err(Refusal::Busy),
        Err(Failure::TimedOut) => Err(Refusal::TimedOut),
        Err(Failure::Stopped) => Err(Refusal::Stopping),
        // The caller asked properly; what went wrong is for the model to know.
        Err(failure) => {
            let answer = HttpResponse::Ok().json(json!({ "error": failure.to_string() }));
            line.ended = Ended::Failed(failure);
            Ok(answer)
        }
    }
}

/// Ready when the client is gone. The server itself looks after that only once it has something to write.
async fn closed(request: &HttpRequest) {
    match request.conn_data::<ClientSocket>() {
        Some(socket) => socket.closed_by_peer().await,
        None => pending().await,
    }
}

fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, METHODS))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "POST"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE))
        .finish()
}

/// Lets the page read the answer, if it may. No credentials are involved, so that `*` does for any page.
fn allow(verdict: &Verdict, headers: &mut HeaderMap) {
    let origin = match verdict {
        Verdict::Any => HeaderValue::from_static("*"),
        Verdict::Listed(origin) => {
            headers.insert(header::VARY, HeaderValue::from_static("origin"));
            origin.clone()
        }
        Verdict::NoPage | Verdict::Refused | Verdict::Unlisted => return,
    };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
}

fn text_of(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// What the log says of a request, whether or not it comes to its end: arguments and results are no part of it.
struct LogLine {
    trace: Option<String>,
    sender: Sender,
    /// Whose token it came with.
    subject: Option<String>,
    function: Option<String>,
    began: Instant,
    ended: Ended,
}

enum Ended {
    /// The connection broke.
    Early,
    Preflight,
    Answered,
    Failed(Failure),
    Refused(Refusal),
}

impl LogLine {
    fn begin(request: &HttpRequest) -> Self {
        let trace = text_of(request, "x-trace-id").or_else(|| text_of(request, "traceparent"));
        Self {
            trace: trace.filter(|name| is_loggable(name)),
            sender: Sender::of(request),
            subject: None,
            function: None,
            began: Instant::now(),
            ended: Ended::Early,
        }
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let level = match &self.ended {
            Ended::Preflight => return,
            Ended::Failed(failure) => failure.log_level(),
            Ended::Refused(refusal) if !refusal.was_run() => {
                let (_, code) = refusal.status_and_code();
                if let Some(left_out) = line_of(code, refusal.reason()) {
                    self.write(Level::Info, left_out.number());
                }
                return;
            }
            Ended::Early | Ended::Answered | Ended::Refused(_) => Level::Info,
        };
        self.write(level, None);
    }
}

impl LogLine {
    fn write(&self, level: Level, left_out: Option<u64>) {
        let subject = self.subject.clone().map(shorten);
        let function = self.function.clone().map_or_else(|| "-".to_owned(), shorten);
        let fields = self.sender.fields().with_some("subject", subject).with("function", function);
        let fields = fields.with("duration_ms", milliseconds(self.began.elapsed()));
        let fields = match &self.ended {
            Ended::Early => fields.with("outcome", "connection_lost"),
            Ended::Preflight => fields.with("status", 204_u16).with("outcome", "preflight"),
            Ended::Answered => fields.with("status", 200_u16).with("outcome", "ok"),
            Ended::Failed(failure) => fields.with("status", 200_u16).and(failure.fields()),
            Ended::Refused(refusal) => {
                let (status, code) = refusal.status_and_code();
                fields.with("status", status).with("outcome", code).with_some("reason", refusal.reason())
            }
        };
        let trace = self.trace.as_deref().unwrap_or("-");
        gateway_log!(level, trace = trace, ..fields.with_some("left_out", left_out); "function call");
    }
}
