//! A simulator behind a real socket, for its tests. Knows none of the simulators.

use actix_web::{App, HttpServer, dev::ServerHandle, web::ServiceConfig};

/// A server of one simulator; it runs until it is stopped by its handle.
pub(super) struct Server {
    /// Where it serves the path that it was started with.
    pub(super) url: String,
    pub(super) handle: ServerHandle,
}

impl Server {
    /// Serves what `configure` mounts; `path` is what of it the URL says.
    pub(super) fn start<C: FnOnce(&mut ServiceConfig) + 'static>(
        path: &str,
        configure: impl Fn() -> C + Clone + Send + 'static,
    ) -> Self {
        let server = HttpServer::new(move || App::new().configure(configure()))
            .workers(1)
            .bind(("127.0.0.1", 0))
            .expect("a port of the loopback");
        let url = format!("http://{}{path}", server.addrs()[0]);
        let server = server.disable_signals().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { url, handle }
    }
}
