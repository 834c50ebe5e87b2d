// Where the gateway's paths are for this page, also behind a proxy that serves it below a prefix.
// It must not know what is asked for there.

/** What a subprotocol, and with it a token in one, may consist of: RFC 9110, section 5.6.2. */
const SUBPROTOCOL = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * A path of the gateway, seen from the page.
 * @param {string} path such as `/v1/backends`
 * @param {string} [base] the page's own address
 * @returns {URL}
 */
export function addressOf(path, base = document.baseURI) {
  return new URL(path.replace(/^\/*/, "./"), base);
}

/**
 * What a WebSocket is made of. The token goes into the subprotocols, where no log of a proxy has it, and only where
 * it has characters that cannot stand there into the query.
 * @param {string} path a backend's
 * @param {string} token empty: none
 * @param {string} [base] the page's own address
 * @returns {{ url: string, protocols: string[] }}
 */
export function socketOf(path, token, base) {
  const url = addressOf(path, base);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  if (token === "") return { url: url.href, protocols: [] };
  // No browser offers the same subprotocol twice.
  if (SUBPROTOCOL.test(token) && token !== "token") return { url: url.href, protocols: ["token", token] };
  url.searchParams.append("token", token);
  return { url: url.href, protocols: [] };
}
