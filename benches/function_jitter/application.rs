//! The HTTP application that runs the function: it takes one request at a time and answers when it is told.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
    time::timeout,
};

/// A running application.
pub(crate) struct Application {
    port: u16,
    asked: Arc<Notify>,
    answer: Arc<Notify>,
}

impl Application {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (was_asked, may_answer) = (Arc::clone(&asked), Arc::clone(&answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // The last byte of the request's body.
                let mut request = Vec::new();
                while !request.ends_with(b"}") {
                    let read = stream.read_buf(&mut request).await.expect("the request can be read");
                    assert!(read > 0, "the gateway hung up on its request");
                }
                was_asked.notify_one();
                may_answer.notified().await;
                let body = "{\"content\":\"done\"}";
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(format!("{head}{body}").as_bytes()).await.expect("the gateway still waits");
            }
        });
        Self { port, asked, answer }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/functions", self.port)
    }

    /// Waits for the request.
    pub(crate) async fn expect_request(&self) {
        timeout(Duration::from_secs(5), self.asked.notified()).await.expect("the function is called");
    }

    pub(crate) fn answer(&self) {
        self.answer.notify_one();
    }
}
