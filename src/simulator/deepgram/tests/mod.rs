//! Tests of whole sessions.

mod door;
