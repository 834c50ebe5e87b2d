//! voxbridge: a real-time voice-agent gateway.
