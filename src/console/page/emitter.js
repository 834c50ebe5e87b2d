// An EventTarget whose events have names and details that the type checker knows.
// It must not know what the events are about.

/**
 * @template {Record<string, any>} Details what `detail` is, by the name of the event
 */
export class Emitter extends EventTarget {
  /**
   * Calls `listener` with the detail of each event of that name, until the function that it returns is called.
   * @template {keyof Details & string} Name
   * @param {Name} name
   * @param {(detail: Details[Name]) => void} listener
   * @returns {() => void}
   */
  on(name, listener) {
    const heard = (/** @type {Event} */ event) => listener(/** @type {CustomEvent} */ (event).detail);
    this.addEventListener(name, heard);
    return () => this.removeEventListener(name, heard);
  }

  /**
   * @template {keyof Details & string} Name
   * @param {Name} name
   * @param {Details[Name]} detail
   * @protected
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
