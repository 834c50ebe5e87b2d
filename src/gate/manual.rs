//! Turn-taking without voice activity detection (rule R14): when the audio that went up is committed.

use std::time::{Duration, Instant};

use super::Rule;

/// Quiet after the last audio that ends a turn.
const DEBOUNCE: Duration = Duration::from_millis(400);
/// The longest that enough audio waits for quiet.
const LIMIT: Duration = Duration::from_millis(600);
/// Enough for a first commit.
const FIRST_ENOUGH: Duration = Duration::from_millis(1_000);
/// Enough for a later one, and the least that upstream accepts.
pub(super) const ENOUGH: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct ManualCommit {
    /// Audio since the last commit.
    pending: Duration,
    committed: bool,
    quiet_at: Option<Instant>,
    limit_at: Option<Instant>,
}

impl ManualCommit {
    /// Audio of this length went up, whole samples alone: conversion gives at least what they come to.
    pub(super) fn appended(&mut self, length: Duration, now: Instant) {
        self.pending += length;
        self.quiet_at = Some(now + DEBOUNCE);
        let enough = self.pending >= self.enough() || Rule::ManualCommit.is_off();
        if enough && self.limit_at.is_none() {
            self.limit_at = Some(now + LIMIT);
        }
    }

    /// What a commit needs now.
    fn enough(&self) -> Duration {
        if self.committed { ENOUGH } else { FIRST_ENOUGH }
    }

    /// When the audio is to be committed, if it is enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (quiet, limit) = (self.quiet_at?, self.limit_at?);
        Some(quiet.min(limit))
    }

    /// Whether audio is left that a response's end is to commit.
    pub(super) fn has_rest(&self) -> bool {
        let later = self.committed || Rule::ManualCommit.is_off();
        let something = !self.pending.is_zero() || Rule::ManualCommit.is_off();
        later && something
    }

    /// The silence that fills what is pending up to `threshold`.
    pub(super) fn padding(&self, threshold: Duration) -> Option<Duration> {
        (self.pending < threshold).then(|| threshold - self.pending)
    }

    /// The silence that a commit at the client's end needs; none if there is nothing to commit.
    pub(super) fn closing_padding(&self) -> Option<Option<Duration>> {
        let something = !self.pending.is_zero() || Rule::ManualCommit.is_off();
        something.then(|| self.padding(self.enough()))
    }

    /// The audio was committed.
    pub(super) fn committed(&mut self) {
        *self = Self { committed: true, ..Self::default() };
    }
}
