// The codes that voxbridge, Deepgram and OpenAI give, in words: what happened, what to do about it.
// It must not know how they are shown. A test holds it to the tables of the README.

/** @typedef {Record<string, readonly [headline: string, advice: string]>} Codes */

/** Of `Error` messages. @type {Codes} */
export const ERRORS = {
  INVALID_SETTINGS: [
    "A setting cannot be used",
    "Correct the field that the message names, and connect again.",
  ],
  AGENT_ID_NOT_SUPPORTED: [
    "Stored agents are not known here",
    "Give the agent's settings in place of its id.",
  ],
  UNPARSABLE_CLIENT_MESSAGE: [
    "A message was not understood",
    "Look at the last message sent in the time line.",
  ],
  disallowed_client_message_type: [
    "This backend does not take such a message",
    "Leave it out; the session goes on.",
  ],
  MESSAGE_TOO_LARGE: ["A message was too large", "Send less at a time."],
  unmapped_upstream_event: ["The service sent something that is no JSON", "The session goes on without it."],
  unknown: ["The service reported an error without a code", "Ask again; the time line has its words."],
  session_max_duration: [
    "The session has reached its longest duration",
    "Connect again to go on where it ended.",
  ],
  idle_timeout: ["The session ended because nobody said anything", "Connect again to go on where it ended."],
  CLIENT_MESSAGE_TIMEOUT: ["The server waited for a message in vain", "Connect again to go on."],
  TOO_MUCH_INPUT_BEFORE_SETTINGS: [
    "Too much was sent before the settings were accepted",
    "Correct the settings, and connect again.",
  ],
  client_too_slow: [
    "This page does not read fast enough",
    "Close other tabs, or look at the network, and connect again.",
  ],
  client_silent: [
    "This page did not answer",
    "The network was away, or the computer asleep: connect again to go on.",
  ],
  upstream_too_slow: ["The service does not keep up", "Connect again in a moment."],
  upstream_unreachable: [
    "The service cannot be reached",
    "Check the backend's url, and whether voxbridge gets through to the network; the time line has the reason.",
  ],
  upstream_auth_failed: [
    "The service refused the key",
    "Check the backend's key, and what its account may use.",
  ],
  upstream_rate_limited: [
    "The service has too much to do for this account",
    "Wait a minute and connect again.",
  ],
  upstream_unavailable: [
    "The service refused the connection",
    "Check the backend's url and model; the time line has the status.",
  ],
  upstream_silent: ["The service does not answer", "Connect again in a moment."],
  upstream_closed_before_session_ready: [
    "The service ended the session before it began",
    "Check the settings and the backend's model; the log of voxbridge has the reason.",
  ],
  upstream_closed: ["The service ended the session", "Connect again to go on where it ended."],
  upstream_message_too_large: ["The service sent more than voxbridge takes", "Connect again to go on."],
  GATEWAY_OVERLOADED: ["voxbridge is short of memory", "Connect again in a minute."],
  SERVER_GOING_AWAY: [
    "voxbridge is stopping",
    "Connect again in a moment: another one may be there already.",
  ],

  // OpenAI's.
  max_output_tokens: ["The answer was cut off at its greatest length", "Ask for less, or allow more tokens."],
  content_filter: ["The service held back its answer", "Ask in another way."],
  insufficient_quota: ["The account has no credit left", "Top it up, or use another key."],
  rate_limit_exceeded: ["The service has too much to do for this account", "Wait a minute and ask again."],
  invalid_api_key: ["The service refused the key", "Check the backend's key."],
  model_not_found: [
    "The service does not know the model",
    "Check the backend's model, and what its account may use.",
  ],
  server_error: ["The service met an error", "Ask again."],

  // Deepgram's.
  NON_SETTINGS_MESSAGE_BEFORE_SETTINGS: ["Something came before the settings", "Connect again."],
  SETTINGS_ALREADY_APPLIED: ["Settings were sent twice", "Use an update to change them during a session."],
  FAILED_TO_START_LISTENING: [
    "Speech recognition did not start",
    "Check the model and the language it listens with.",
  ],
  FAILED_TO_LISTEN: ["Speech recognition did not start", "Check the model and the language it listens with."],
  ASR_CONNECTION_CLOSED: ["Speech recognition stopped", "Connect again to go on."],
  ASR_DRIVER_TIMEOUT: ["Speech recognition did not answer", "Connect again to go on."],
  USER_AUDIO_FORMAT: ["The sound does not have the format that the settings name", "Correct audio.input."],
  FAILED_TO_THINK: [
    "The language model did not answer",
    "Check the model that the settings name, and ask again.",
  ],
  FAILED_TO_SPEAK: ["The voice did not answer", "Check the voice that the settings name, and ask again."],
  NON_EXISTENT_FUNCTION_CALLED: ["The model called a function that is not there", "Ask again."],
  INVALID_AGENT_ID: ["There is no stored agent with this id", "Check the id."],
  INTERNAL_SERVER_ERROR: ["The service met an error", "Connect again to go on."],
  MAXIMUM_SESSION_LENGTH_REACHED: ["The session has reached its longest duration", "Connect again to go on."],
};

/** Of `Warning` messages. @type {Codes} */
export const WARNINGS = {
  MESSAGE_TOO_LARGE: ["Something of the agent was too large and was left out", "Ask for less at a time."],
  TOO_MANY_FUNCTION_CALLS: ["Some function calls were left out", "Answer those that wait first."],
  ENDPOINT_NOT_ALLOWED: [
    "A function's endpoint is not used",
    "Its calls come to this page; functions.allowed_endpoint_hosts would allow the endpoint.",
  ],
  UNKNOWN_FUNCTION_CALL: [
    "An answer came to no open call",
    "It was too late, or the call has an answer already.",
  ],
  NOT_IN_BETA_API: [
    "The service's older API cannot take a setting",
    "It was left out; a newer API version knows it.",
  ],
  FORCE_END_TURN_UNSUPPORTED: ["The service itself decides when a turn ends", "Pause, and it will."],
  LOCKED_BY_OPERATOR: ["The operator has fixed a setting", "What this page gives for it is not used."],
  VOICE_NOT_MAPPED: [
    "The backend does not know the voice",
    "Choose one that it knows; it speaks with its own.",
  ],
  LISTEN_NOT_MAPPED: ["The backend cannot use the speech recognition asked for", "It uses its own."],
  MODEL_NOT_CHANGED: ["The model stays as it is", "It is the backend's, in the configuration of voxbridge."],
  cannot_update_voice: [
    "The voice stays as it is",
    "Once the agent has spoken, only a new session takes another one.",
  ],
  update_timeout: ["The service did not answer a change", "Send it again."],
  INJECT_AGENT_MESSAGE_DURING_USER_SPEECH: ["The agent did not say it, because you spoke", "Send it again."],
  INJECT_AGENT_MESSAGE_DURING_AGENT_SPEECH: [
    "The agent did not say it, because it was speaking",
    "Send it again.",
  ],
  response_timeout: ["The service began an answer and did not go on", "Ask again."],

  // Deepgram's.
  THINK_REQUEST_FAILED: ["The language model failed, and another one is tried", ""],
  SPEAK_REQUEST_FAILED: ["The voice failed, and another one is tried", ""],
  FUNCTION_CALL_FAILED: ["A function on the server failed", "The model was told so."],
  SLOW_THINK_REQUEST: ["The language model takes long", ""],
  SLOW_SPEAK_REQUEST: ["The voice takes long", ""],
  PROMPT_TOO_LONG: [
    "The prompt is too long",
    "Shorten it: Deepgram takes 25,000 characters for its own models.",
  ],
  VOICE_PROMPT_ADDED: ["Deepgram has added to the prompt that it is spoken", ""],
  GPT_4O_STREAM_END_ERROR: ["The language model stopped early", "Ask again."],
  MAXIMUM_SESSION_LENGTH_APPROACHING: [
    "The session will soon reach its longest duration",
    "Connect again in time.",
  ],
};

/** Of refused upgrades and requests. @type {Codes} */
export const REFUSALS = {
  unknown_service: ["The address asks for a service that is not there", "Leave service out of the query."],
  no_transcription: ["This backend has no transcription", "Choose another backend."],
  bad_handshake: [
    "The WebSocket handshake was damaged",
    "A proxy on the way may change it: look at its configuration.",
  ],
  token_missing: ["A token is needed", "Enter one and press Use token."],
  token_invalid: ["The token is not valid", "Check it, and press Use token."],
  token_expired: ["The token has expired", "Enter a new one and press Use token."],
  origin_not_allowed: [
    "Pages of this address may not connect",
    "Add it to auth.allowed_origins, or open the page by an address that is listed there.",
  ],
  backend_not_allowed: ["The token is not for this backend", "Choose another backend, or use another token."],
  method_not_allowed: [
    "The request has the wrong method",
    "A proxy on the way may change it: look at its configuration.",
  ],
  upgrade_required: [
    "The connection did not become a WebSocket",
    "A proxy on the way does not pass Upgrade on: look at its configuration.",
  ],
  too_many_sessions_of_address: ["Too many sessions from this address", "End another one and connect again."],
  too_many_sessions_of_subject: [
    "Too many sessions with this token's subject",
    "End another one and connect again.",
  ],
  too_many_sessions: ["Every session is taken", "Connect again in a moment."],
  too_many_tokens: ["voxbridge remembers too many tokens for one use", "Connect again in a few minutes."],
  overloaded: ["voxbridge is short of memory", "Connect again in a minute."],
  stopping: ["voxbridge is stopping", "Connect again in a moment: another one may be there already."],

  // The page's own, where nothing says more.
  not_found: ["There is no such backend any more", "Load the page again to see those that there are."],
  unreachable: ["voxbridge cannot be reached", "Look whether it runs, and whether the network is there."],
  full_or_blocked: [
    "voxbridge is there, but took no WebSocket",
    "Every session may be taken, or a proxy on the way does not know WebSockets; the log of voxbridge says more.",
  ],
};
