//! Simulators of the services that backends reach, mounted under `/sim/`: as strict as the real ones, with a
//! voice that can be heard, and trouble on request. They are the backends of the default configuration and of the
//! tests.
//!
//! They share no types with the gateway on purpose: what both got wrong would pass unseen. They must not know the
//! gateway, or where they are mounted beside their own paths.
//!
//! | Module | What it is |
//! |---|---|
//! | `openai` | the OpenAI Realtime API, and Azure's |
//! | `codec`, `vad`, `voice` | audio: formats, where speech is, and speech itself |

mod codec;
pub mod openai;
mod vad;
mod voice;
