//! The log of the process, whose level and format may change while it is written, and the one way in which a line
//! about a connection is written. Knows nothing of what is logged.

#[cfg(test)]
mod capture;
mod fields;
mod format;

use std::{
    fmt,
    io::Write,
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use env_logger::{
    Builder, Env, Logger,
    fmt::{Formatter, style::AnsiColor},
};
use log::{
    Level, LevelFilter, Log, Metadata, Record,
    kv::{Error, Key, Source, Value, VisitSource},
};

use crate::config::{LogFormat, Logging};
#[cfg(test)]
pub(crate) use capture::{Captured, capture_at, captured};
pub(crate) use fields::Fields;
use format::Styles;

/// What stands behind `log`'s macros.
struct Exchangeable(RwLock<Arc<Logger>>);

static LOG: OnceLock<Exchangeable> = OnceLock::new();

/// Starts the log. `RUST_LOG` wins over the configured level; other crates are heard from `warn` on. Two modules repeat
/// values of headers, which may be keys and tokens, and are not heard below that, whatever is asked for.
///
/// # Panics
///
/// If the process has a log already.
pub fn start(logging: &Logging) {
    let logger = logger(logging);
    let filter = logger.filter();
    let log = LOG.get_or_init(|| Exchangeable(RwLock::new(Arc::new(logger))));
    log::set_logger(log).expect("the log is started once");
    log::set_max_level(filter);
}

/// Goes on with another format and, where `RUST_LOG` says none, another level, if the log was started.
pub fn change(logging: &Logging) {
    let Some(Exchangeable(current)) = LOG.get() else { return };
    let logger = Arc::new(logger(logging));
    let filter = logger.filter();
    *current.write().unwrap_or_else(PoisonError::into_inner) = logger;
    log::set_max_level(filter);
}

fn logger(logging: &Logging) -> Logger {
    let filter = format!("warn,voxbridge={}", logging.level);
    let format = logging.format;
    Builder::from_env(Env::default().default_filter_or(filter))
        .filter_module("actix_http::h1::decoder", LevelFilter::Warn)
        .filter_module("awc::ws", LevelFilter::Warn)
        .format(move |out, record| {
            let (time, styles) = (out.timestamp_micros(), styles(format, out, record.level()));
            out.write_all(format::line(format, &time, styles, record).as_bytes())
        })
        .build()
}

/// As env_logger's own format has them.
fn styles(format: LogFormat, out: &Formatter, level: Level) -> Styles {
    let level = out.default_level_style(level);
    match format {
        LogFormat::Json => Styles::default(),
        LogFormat::Text if level == Styles::default().level => Styles::default(),
        LogFormat::Text => Styles { level, bracket: AnsiColor::BrightBlack.on_default() },
    }
}

impl Exchangeable {
    /// The lock is given back before anything is written: what is written may log something itself.
    fn current(&self) -> Arc<Logger> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Log for Exchangeable {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.current().enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        self.current().log(record);
    }

    fn flush(&self) {
        self.current().flush();
    }
}

/// Writes a line about a connection: `connection_log!(level, trace, name = value, name:% = value; "message")`, with
/// `:%` for what is shown by `Display` and `:?` by `Debug`. After the fields may stand `..fields`, a [`Source`] of more
/// of them. `conn`, `trace` and `backend` come first; a field whose value is `None` is left out; nothing is evaluated
/// unless the level is logged.
macro_rules! connection_log {
    ($level:expr, $trace:expr $(, $name:ident $(:$how:tt)? = $value:expr)* $(, ..$more:expr)? ; $($message:tt)*) => {{
        let level: log::Level = $level;
        if log::log_enabled!(level) {
            $crate::logging::write_of_connection(
                (level, module_path!()),
                $trace.fields(),
                &[$((stringify!($name), $crate::logging::connection_log!(@value $(:$how)? $value))),*],
                $crate::logging::connection_log!(@more $($more)?),
                format_args!($($message)*),
            );
        }
    }};
    (@value $value:expr) => { log::kv::ToValue::to_value(&$value) };
    (@value :% $value:expr) => { log::kv::Value::from_display(&$value) };
    (@value :? $value:expr) => { log::kv::Value::from_debug(&$value) };
    (@more) => { &$crate::logging::Fields::default() };
    (@more $more:expr) => { &$more };
}
pub(crate) use connection_log;

/// The same for a line about no connection, `gateway_log!(level, name = value, ..fields; "message")`. Where there are no
/// `..fields`, the macros of `log` do as well.
macro_rules! gateway_log {
    ($level:expr $(, $name:ident $(:$how:tt)? = $value:expr)* , ..$more:expr ; $($message:tt)*) => {{
        let level: log::Level = $level;
        if log::log_enabled!(level) {
            $crate::logging::write_of_gateway(
                (level, module_path!()),
                &[$((stringify!($name), $crate::logging::connection_log!(@value $(:$how)? $value))),*],
                &$more,
                format_args!($($message)*),
            );
        }
    }};
}
pub(crate) use gateway_log;

/// The fields of one line, in their order.
struct Line<'l> {
    connection: &'l [(&'static str, &'l str)],
    fields: &'l [(&'static str, Value<'l>)],
    more: &'l dyn Source,
}

impl Source for Line<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        for (name, value) in self.connection {
            visitor.visit_pair(Key::from_str(name), Value::from(*value))?;
        }
        for (name, value) in self.fields {
            visitor.visit_pair(Key::from_str(name), value.clone())?;
        }
        self.more.visit(visitor)
    }
}

/// What [`connection_log`] comes to.
pub(crate) fn write_of_connection(
    place: (Level, &str),
    connection: [(&'static str, &str); 3],
    fields: &[(&'static str, Value<'_>)],
    more: &dyn Source,
    message: fmt::Arguments<'_>,
) {
    write(place, &Line { connection: &connection, fields, more }, message);
}

/// What [`gateway_log`] comes to.
pub(crate) fn write_of_gateway(
    place: (Level, &str),
    fields: &[(&'static str, Value<'_>)],
    more: &dyn Source,
    message: fmt::Arguments<'_>,
) {
    write(place, &Line { connection: &[], fields, more }, message);
}

fn write((level, target): (Level, &str), line: &Line<'_>, message: fmt::Arguments<'_>) {
    let mut record = Record::builder();
    record.level(level).target(target).module_path(Some(target)).key_values(line);
    log::logger().log(&record.args(message).build());
}
