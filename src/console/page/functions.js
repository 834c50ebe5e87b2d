// The functions that this page can run itself when the agent calls them, and how they are declared to the model.
// Knows nothing of the page: what a function changes there is done by whoever hands in the `Surroundings`.

/**
 * What functions may use and change.
 * @typedef {object} Surroundings
 * @property {() => Date} now
 * @property {() => string} timeZone the reader's own
 * @property {(accent: string) => void} setAccent
 * @property {() => string} accent
 */

/** @typedef {{content: string} | {error: string}} Answer */

/** The accent colours of the style sheet. */
export const ACCENTS = Object.freeze(["teal", "indigo", "rose", "amber", "blue"]);

/**
 * @typedef {object} OwnFunction
 * @property {string} description
 * @property {object} parameters
 * @property {(given: Record<string, unknown>, surroundings: Surroundings) => object} run throws an Error whose message is for the model
 */

/** @type {Readonly<Record<string, OwnFunction>>} */
const OWN = Object.freeze({
  get_current_time: {
    description: "The present date and time",
    parameters: {
      type: "object",
      properties: {
        timezone: {
          type: "string",
          description: "IANA name such as Europe/Berlin; the user's own if left out",
        },
      },
    },
    run: ({ timezone }, surroundings) => currentTime(surroundings.now(), timezone ?? surroundings.timeZone()),
  },
  repaint: {
    description: "Repaints the page that the user looks at in another accent colour",
    parameters: {
      type: "object",
      properties: { color: { type: "string", enum: [...ACCENTS], description: "the next one if left out" } },
    },
    run: ({ color }, surroundings) => repaint(color, surroundings),
  },
});

/** The names of the page's own functions, each with what it is for. */
export const OWN_FUNCTIONS = Object.freeze(
  Object.entries(OWN).map(([name, { description }]) => ({ name, description })),
);

/**
 * How the page's own functions are declared in Settings.
 * @param {Record<string, boolean>} wanted by name; those that are not in it are wanted
 */
export function declarations(wanted) {
  return Object.entries(OWN)
    .filter(([name]) => wanted[name] ?? true)
    .map(([name, { description, parameters }]) => ({ name, description, parameters }));
}

/**
 * Whether the page has code for a function.
 * @param {string} name
 */
export function isOwn(name) {
  return Object.hasOwn(OWN, name);
}

/**
 * Runs one of the page's own functions; whatever goes wrong becomes an error that the model reads.
 * @param {string} name for which `isOwn` is true
 * @param {string} given the arguments as the model wrote them: JSON text
 * @param {Surroundings} surroundings
 * @returns {Answer}
 */
export function run(name, given, surroundings) {
  try {
    const parsed = given.trim() === "" ? {} : JSON.parse(given);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
      throw new Error("the arguments must be an object");
    return { content: JSON.stringify(OWN[name].run(parsed, surroundings)) };
  } catch (error) {
    return {
      error:
        error instanceof SyntaxError
          ? "the arguments must be JSON"
          : error instanceof Error
            ? error.message
            : String(error),
    };
  }
}

/**
 * @param {Date} now
 * @param {unknown} timezone
 */
function currentTime(now, timezone) {
  if (typeof timezone !== "string") throw new Error("timezone must be a text such as Europe/Berlin");
  let format;
  try {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: timezone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      timeZoneName: "longOffset",
    });
  } catch {
    throw new Error(`${timezone} is no time zone; one is written as Europe/Berlin`);
  }
  const part = Object.fromEntries(format.formatToParts(now).map(({ type, value }) => [type, value]));
  const offset = part.timeZoneName.replace("GMT", "").replace("+00:00", "") || "Z";
  return {
    time: `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}${offset}`,
    timezone,
  };
}

/**
 * @param {unknown} color
 * @param {Surroundings} surroundings
 */
function repaint(color, surroundings) {
  const next = ACCENTS[(ACCENTS.indexOf(surroundings.accent()) + 1) % ACCENTS.length];
  const wanted = color ?? next;
  if (typeof wanted !== "string" || !ACCENTS.includes(wanted)) {
    throw new Error(`color must be one of ${ACCENTS.join(", ")}`);
  }
  surroundings.setAccent(wanted);
  return { color: wanted };
}
