//! What of a configuration that was read again can take the place of the one in force, and how the two differ.
//! Knows nothing of who serves them.

use super::check::is_loopback;
use super::{AuthMode, Backend, Config};

/// A configuration in the place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct Succession {
    /// What is in force from now on.
    pub config: Config,
    /// A line for each key whose value has to wait for a restart.
    pub waiting: Vec<String>,
}

impl Config {
    /// This configuration in the place of `running`, from which it has whatever cannot change without a restart: where
    /// the process listens and whether with TLS, how many threads it has, and its simulators.
    ///
    /// # Errors
    ///
    /// A key and a reason: the two together would let anybody in from other machines.
    pub fn succeed(mut self, running: &Self) -> Result<Succession, String> {
        let mut waiting = Vec::new();
        let mut wait = |key: &str, differs: bool, stays: String| {
            if differs {
                waiting.push(format!("{key}: stays {stays} until a restart"));
            }
        };
        let (new, old) = (&mut self.server, &running.server);
        let or_none = |port: Option<u16>| port.map_or("unset".to_owned(), |port| port.to_string());
        wait("server.host", new.host != old.host, format!("\"{}\"", old.host));
        wait("server.port", new.port != old.port, old.port.to_string());
        wait("server.admin_port", new.admin_port != old.admin_port, or_none(old.admin_port));
        wait("server.workers", new.workers != old.workers, old.workers.to_string());
        let switched = new.tls.is_some() != old.tls.is_some();
        wait("server.tls_cert", switched, if old.tls.is_some() { "in use" } else { "unset" }.to_owned());
        wait("simulator", self.simulator != running.simulator, "as it is".to_owned());
        new.host.clone_from(&old.host);
        (new.port, new.admin_port, new.workers) = (old.port, old.admin_port, old.workers);
        if switched {
            new.tls.clone_from(&old.tls);
        }
        self.simulator.clone_from(&running.simulator);
        let is_anonymous = self.auth.mode == AuthMode::None && !self.auth.allow_anonymous;
        if is_anonymous && !is_loopback(&self.server.host) {
            let reason = format!(
                "is \"none\" and \"{}\", which stays until a restart, can be reached by others: needs auth.allow_anonymous = true",
                self.server.host
            );
            return Err(format!("auth.mode: {reason}"));
        }
        Ok(Succession { config: self, waiting })
    }

    /// What has changed since `earlier`, in a few words: backends by name, the rest by section.
    pub fn changes_since(&self, earlier: &Self) -> String {
        fn other<'b>(some: &'b [Backend], others: &[Backend]) -> Vec<&'b str> {
            let is_new = |one: &&Backend| !others.iter().any(|other| other.name == one.name);
            some.iter().filter(is_new).map(|one| one.name.as_str()).collect()
        }
        let is_changed =
            |one: &&Backend| earlier.backends.iter().any(|other| other.name == one.name && *other != **one);
        let changed = self.backends.iter().filter(is_changed).map(|one| one.name.as_str()).collect();
        let sections = [
            ("[server]", self.server != earlier.server),
            ("[logging]", self.logging != earlier.logging),
            ("[auth]", self.auth != earlier.auth),
            ("[console]", self.console != earlier.console),
            ("[limits]", (&self.limits, &self.process) != (&earlier.limits, &earlier.process)),
            ("[functions]", self.functions != earlier.functions),
        ];
        let sections = sections.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
        let parts: [(&str, Vec<&str>); 4] = [
            ("backends added", other(&self.backends, &earlier.backends)),
            ("backends removed", other(&earlier.backends, &self.backends)),
            ("backends changed", changed),
            ("sections changed", sections),
        ];
        let told = parts.iter().filter(|(_, names)| !names.is_empty());
        let told: Vec<_> = told.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
        if told.is_empty() { "nothing has changed".to_owned() } else { told.join("; ") }
    }
}
