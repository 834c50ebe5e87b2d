//! What a connection passed over in silence, as numbers: nobody is told of it, and the log's last line of
//! the connection says how often it happened. Knows no event.

/// How often something happened that neither peer is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events of a type that the Realtime API does not document.
    pub unknown_events: u64,
    /// `response.cancel` that met no running response (`response_cancel_not_active`).
    pub lost_cancels: u64,
    /// `response.create` that met another response (`conversation_already_has_active_response`, R7).
    pub lost_races: u64,
}

impl Counts {
    /// Those that are not zero, by name.
    pub fn happened(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [
            ("unknown_events", self.unknown_events),
            ("lost_cancels", self.lost_cancels),
            ("lost_races", self.lost_races),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_named() {
        assert_eq!(Counts::default().happened().count(), 0);
        let counts = Counts { unknown_events: 2, lost_cancels: 0, lost_races: 1 };
        assert_eq!(counts.happened().collect::<Vec<_>>(), [("unknown_events", 2), ("lost_races", 1)]);
    }
}
