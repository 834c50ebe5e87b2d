// What the agent is doing, as far as the messages and the speaker tell: listens, hears the user, thinks, speaks.
// Pure: knows nothing of how that is shown.

/** @typedef {"listening" | "hearing" | "thinking" | "speaking"} Doing */

export class Activity {
  /** @type {Doing} */
  doing = "listening";
  #audible = false;

  /**
   * @param {"sent" | "received"} direction
   * @param {{type: string, role?: string}} message
   */
  take(direction, { type, role }) {
    if (direction === "sent") {
      // Whoever types while the agent speaks does not silence it.
      if (type === "InjectUserMessage" && this.doing !== "speaking") this.doing = "thinking";
      return;
    }
    switch (type) {
      case "UserStartedSpeaking":
        this.#audible = false;
        this.doing = "hearing";
        break;
      case "AgentThinking":
      case "FunctionCallRequest":
        if (!this.#audible) this.doing = "thinking";
        break;
      case "AgentStartedSpeaking":
        this.doing = "speaking";
        break;
      case "ConversationText":
        if (role === "user" && this.doing === "hearing") this.doing = "thinking";
        break;
      case "Error":
        // There will be no answer.
        if (this.doing === "thinking") this.doing = "listening";
        break;
      case "AgentAudioDone":
        // What was received may still be playing, or the user may have begun.
        if (!this.#audible && this.doing !== "hearing") this.doing = "listening";
        break;
    }
  }

  /** Audio of the agent is there. */
  audio() {
    this.#audible = true;
    this.doing = "speaking";
  }

  /** The speaker has nothing more to play. */
  quiet() {
    this.#audible = false;
    if (this.doing === "speaking") this.doing = "listening";
  }
}
