//! The stage of one compatibility case: a mock of its own, a gateway before it, a client on that.

use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::client::Client;
use super::gateway::{Config, Gateway};
use super::mock::Mock;
use super::ms;
use super::script::Script;

/// Mock, gateway and client. The clock of a row is one of its two moments.
pub(crate) struct Row {
    pub(crate) client: Client,
    pub(crate) gateway: Gateway,
    pub(crate) mock: Mock,
    /// Before the client connected.
    pub(crate) began: Instant,
    /// When the opening was answered; `began` until then.
    pub(crate) opened: Instant,
}

impl Row {
    /// Connected, and nothing sent yet.
    pub(crate) async fn connected(script: Script) -> Self {
        Self::connected_to(script, |config| config).await
    }

    /// Connected to a gateway whose configuration is changed.
    pub(crate) async fn connected_to(script: Script, change: impl FnOnce(Config) -> Config) -> Self {
        let mock = Mock::start(script).await;
        let gateway = change(Config::for_mock(&mock)).start().await;
        let began = Instant::now();
        let client = gateway.connect().await;
        Self { client, gateway, mock, began, opened: began }
    }

    /// After the usual opening.
    pub(crate) async fn opened(script: Script) -> Self {
        let mut row = Self::connected(script).await;
        row.client.open_s().await;
        row.opened = Instant::now();
        row
    }

    /// After an opening with these Settings.
    pub(crate) async fn opened_with(script: Script, settings: &Value) -> Self {
        let mut row = Self::connected(script).await;
        row.client.open_with(settings).await;
        row.opened = Instant::now();
        row
    }

    /// Waits for a moment after the row began.
    pub(crate) async fn at(&self, millis: u64) {
        sleep_until(self.began + ms(millis)).await;
    }

    /// Waits for a moment after the opening.
    pub(crate) async fn after_opening(&self, millis: u64) {
        sleep_until(self.opened + ms(millis)).await;
    }
}
