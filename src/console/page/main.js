// The page's beginning: which backends there are and where they are reached.
// Must not know what is spoken there.

const list = /** @type {HTMLElement} */ (document.querySelector("#backends"));
const status = /** @type {HTMLElement} */ (document.querySelector("[role=status]"));

const answer = await fetch("v1/backends");
if (answer.ok) {
  /** @type {{backends: {name: string, paths: string[]}[]}} */
  const { backends } = await answer.json();
  for (const { name, paths } of backends) {
    const item = document.createElement("li");
    item.textContent = `${name}: ${paths.join(", ")}`;
    list.append(item);
  }
} else {
  status.textContent = `The gateway does not say: ${answer.status}`;
}
