// How a page looks, judged by measures: axe-core's rules, layout, focus that can be seen.
// It knows nothing of what the page is for.

import { createRequire } from "node:module";

const { source } = createRequire(import.meta.url)("axe-core");

/** Waits until nothing that has an end moves any more, because half-way colours and places count for nothing. */
export function settled(page) {
  return page.evaluate(async () => {
    const ending = document
      .getAnimations()
      .filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map(({ finished }) => finished));
  });
}

/** What axe-core finds wrong, in light and in dark, one line for each rule and element. */
export async function violations(page) {
  const found = [];
  for (const value of ["dark", "light"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
    await settled(page);
    await page.evaluate(source);
    const lines = await page.evaluate(async () => {
      const { violations } = await globalThis.axe.run(document, { resultTypes: ["violations"] });
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, any }) => `${id}: ${html.slice(0, 120)} ${any[0]?.message ?? ""}`),
      );
    });
    found.push(...lines.map((line) => `${value}: ${line}`));
  }
  return found;
}

/** What is wrong with the layout in a window of this size: what is too wide, cut off, or on top of something else. */
export async function misplaced(page, { width, height, scale = 1 }) {
  await page.setViewport({ width, height, deviceScaleFactor: scale });
  await settled(page);
  return page.evaluate(findMisplaced);
}

// A telephone, a desk at 200 %, a wide screen.
const WINDOWS = {
  360: { width: 360, height: 740 },
  "200 %": { width: 640, height: 450, scale: 2 },
  1600: { width: 1600, height: 1000 },
};

/** All of this for one state of a page, with pictures of it. */
export async function judge(stage, tab, state) {
  const { page } = tab;
  const before = page.viewport();
  stage.check(`${state}: nothing that axe-core finds wrong`, [], await violations(page));
  for (const [name, size] of Object.entries(WINDOWS)) {
    stage.check(`${state}: layout at ${name}`, [], await misplaced(page, size));
    await tab.screenshot(`${state}-${name.replace(" %", "-percent")}`, { whole: size.width < 800 });
  }
  await page.setViewport(before);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
  await settled(page);
  await tab.screenshot(`${state}-dark`);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "light" }]);
}

/** Presses Tab until the focus has gone around: what was reached, with its role, name and how its focus is seen. */
export async function tour(page, limit = 150) {
  const stops = [];
  await page.evaluate(() => document.activeElement?.blur());
  for (let step = 0; step < limit; step += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(describeFocus);
    if (!stop || stops.some(({ key }) => key === stop.key)) return stops;
    stops.push(stop);
  }
  throw new Error(`the focus does not come around in ${limit} steps`);
}

/** Names of animations that run, which is none where motion is not wanted. */
export function moving(page) {
  return page.evaluate(() =>
    document
      .getAnimations()
      .filter(
        (animation) => animation.playState === "running" && animation.effect.getComputedTiming().duration > 1,
      )
      .map((animation) => animation.animationName ?? animation.transitionProperty),
  );
}

// Runs in the page.
function describeFocus() {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  globalThis.stops ??= new WeakMap();
  if (!globalThis.stops.has(element)) globalThis.stops.set(element, Math.random());
  const style = getComputedStyle(element);
  const rect = element.getBoundingClientRect();
  return {
    key: globalThis.stops.get(element),
    name:
      element.getAttribute("aria-label") ??
      element.labels?.[0]?.innerText ??
      element.innerText?.trim().split("\n")[0] ??
      "",
    tag: element.localName,
    outlined: style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) >= 2,
    shown: rect.width > 4 && rect.height > 4 && rect.bottom > 0 && rect.top < innerHeight,
  };
}

// Runs in the page.
function findMisplaced() {
  const problems = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth)
    problems.push(`the page is ${root.scrollWidth} px wide in a window of ${innerWidth} px`);

  const shown = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
  const named = (element) =>
    `${element.localName}${element.id ? `#${element.id}` : ""} "${(element.getAttribute("aria-label") ?? element.textContent).trim().slice(0, 30)}"`;

  // Scrolls elements have parts that are not seen, which is as it should be; what hides without scrolling cuts off.
  function seenPart(element, box) {
    let { left, top, right, bottom } = box;
    let cut = false;
    for (let around = element; around && around !== document.body; around = around.parentElement) {
      const { overflowX, overflowY, textOverflow } = getComputedStyle(around);
      const frame = around.getBoundingClientRect();
      const hides = (overflow) => overflow === "hidden" || overflow === "clip";
      if (
        hides(overflowX) &&
        textOverflow !== "ellipsis" &&
        (left < frame.left - 1 || right > frame.right + 1)
      )
        cut = true;
      if (hides(overflowY) && (top < frame.top - 1 || bottom > frame.bottom + 1)) cut = true;
      if (overflowX !== "visible") [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
      if (overflowY !== "visible") [top, bottom] = [Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
    }
    return { left, top, right, bottom, cut };
  }

  const floats = (element) => {
    for (let around = element; around; around = around.parentElement) {
      if (["fixed", "sticky"].includes(getComputedStyle(around).position)) return true;
    }
    return false;
  };

  const modal = document.querySelector(":modal");
  const things = [];
  for (const element of (modal ?? document.body).querySelectorAll("*")) {
    const control = element.matches("button, a, input, select, textarea, summary");
    const text = [...element.childNodes].filter(
      (node) => node.nodeType === Node.TEXT_NODE && node.data.trim(),
    );
    if ((!control && !text.length) || !shown(element) || element.closest("svg, option, datalist")) continue;
    const own = element.getBoundingClientRect();
    if (own.width <= 1 || own.height <= 1) continue; // for screen readers alone
    if (getComputedStyle(element).clipPath !== "none") continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const box = control ? own : range.getBoundingClientRect();
    if (box.width === 0) continue;
    const part = seenPart(element, box);
    const ellipsis = getComputedStyle(element).textOverflow === "ellipsis";
    if (part.cut && !ellipsis) problems.push(`${named(element)} is cut off`);
    if (control && element.localName === "button" && element.scrollWidth > element.clientWidth + 1)
      problems.push(`${named(element)} does not hold its text`);
    if (!floats(element) && (part.left < -1 || part.right > innerWidth + 1))
      problems.push(`${named(element)} is outside of the window`);
    if (part.right - part.left > 2 && part.bottom - part.top > 2)
      things.push({ element, part, floating: floats(element) });
  }
  for (const [index, one] of things.entries()) {
    for (const other of things.slice(index + 1)) {
      if (one.floating !== other.floating) continue; // what floats is meant to be above what scrolls
      if (one.element.contains(other.element) || other.element.contains(one.element)) continue;
      const wide = Math.min(one.part.right, other.part.right) - Math.max(one.part.left, other.part.left);
      const high = Math.min(one.part.bottom, other.part.bottom) - Math.max(one.part.top, other.part.top);
      if (wide > 3 && high > 3) problems.push(`${named(one.element)} and ${named(other.element)} overlap`);
    }
  }
  return [...new Set(problems)];
}
