//! `GET /metrics`: what the process has counted, for whoever may know of all backends. Knows no metric.

use std::{fmt, sync::Arc};

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use tokio::sync::Semaphore;

use super::{
    credentials::{identify_unused, refused},
    refusal_log::log_refusal,
    refuse::Refuse,
};
use crate::{
    actors::Budget,
    identity::Identities,
    metrics::{BudgetReading, CONTENT_TYPE, Metrics},
};

/// What is collected, one scrape at a time: each takes a thread for as long as it takes, and names are looked up on the
/// same threads.
pub(super) struct Scrapes {
    metrics: Arc<Metrics>,
    budget: Arc<Budget>,
    turn: Semaphore,
}

/// Why there are no metrics. `Display` is the text for whoever wanted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoMetrics {
    /// The token is for some backends alone.
    Backend,
    /// The program stops.
    Stopping,
}

impl Scrapes {
    pub(super) fn new(metrics: Arc<Metrics>, budget: Arc<Budget>) -> Self {
        Self { metrics, budget, turn: Semaphore::new(1) }
    }

    /// All metrics as text; nothing if the program is at its end.
    async fn text(&self) -> Option<String> {
        let _turn = self.turn.acquire().await.ok()?;
        let metrics = Arc::clone(&self.metrics);
        let budget = BudgetReading {
            held: self.budget.held(),
            high_water: self.budget.high_water(),
            limit: self.budget.limit(),
        };
        web::block(move || metrics.text(budget)).await.ok()
    }
}

/// A token for one use is not used up.
pub(super) async fn metrics(
    request: HttpRequest,
    scrapes: web::Data<Scrapes>,
    identities: web::Data<Identities>,
) -> HttpResponse {
    let identity = match identify_unused(&request, &identities) {
        Ok(identity) => identity,
        Err(stranger) => return refused(&request, stranger),
    };
    if identity.rights.backends.is_some() {
        log_refusal(&request, request.path(), identity.subject.as_deref(), &NoMetrics::Backend);
        return NoMetrics::Backend.answer();
    }
    match scrapes.text().await {
        Some(text) => HttpResponse::Ok().insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).body(text),
        None => NoMetrics::Stopping.answer(),
    }
}

impl Refuse for NoMetrics {
    fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::Backend => (403, "backend_not_allowed"),
            Self::Stopping => (503, "stopping"),
        }
    }
}

impl fmt::Display for NoMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backend => "metrics tell of all backends, and the token is not for all of them",
            Self::Stopping => "the gateway is going away",
        })
    }
}
