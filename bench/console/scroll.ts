/** Measures the console in Chromium over a made-up cluster; see README.md beside this file. Prints tables; exits 0 whatever the figures are. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { buildWeb } from "../../scripts/build-web.ts";
import { findChromium, launchChromium, noChromium } from "../../test/support/browser.ts";
import { consoleOver, manyServices } from "../../test/support/console-world.ts";

const { values } = parseArgs({
  options: {
    services: { type: "string", default: "10000" },
    seconds: { type: "string", default: "10" },
    chromium: { type: "string" },
  },
});

interface Frames {
  readonly what: string;
  readonly frames: number;
  readonly p50: number;
  readonly p95: number;
  readonly worst: number;
  /** Of all frames. */
  readonly under20ms: number;
  /** Milliseconds of the page's main thread for each: script, style and layout. */
  readonly work: number;
}

/** Seconds that the page's main thread has worked. */
async function workOf(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    const parts = ["ScriptDuration", "LayoutDuration", "RecalcStyleDuration"];
    return metrics.filter(({ name }) => parts.includes(name)).reduce((sum, { value }) => sum + value, 0);
  };
}

/** Scrolls what the wheel is over, and notes the time between frames. */
async function scroll(page: Page, what: string, target: string, seconds: number): Promise<Frames> {
  await page.locator(target).hover();
  const worked = await workOf(page);
  const before = await worked();
  await page.evaluate(() => {
    const times: number[] = [];
    const state = { times, running: true };
    Object.assign(globalThis, { frames: state });
    const { requestAnimationFrame: next } = globalThis as unknown as { requestAnimationFrame(run: (at: number) => void): void };
    const look = (at: number) => {
      times.push(at);
      if (state.running) next(look);
    };
    next(look);
  });
  const end = performance.now() + seconds * 1000;
  for (let step = 0; performance.now() < end; step++) {
    // Down for two thirds of the time, then up again.
    await page.mouse.wheel(0, step % 150 < 100 ? 240 : -480);
    await new Promise((resolve) => setTimeout(resolve, 16));
  }
  const times = await page.evaluate(() => {
    const { frames } = globalThis as unknown as { frames: { times: number[]; running: boolean } };
    frames.running = false;
    return frames.times;
  });
  return framesOf(what, times, (await worked()) - before);
}

function framesOf(what: string, times: readonly number[], workSeconds: number): Frames {
  const gaps = times
    .slice(1)
    .map((time, i) => time - (times[i] as number))
    .sort((a, b) => a - b);
  const at = (share: number) => Number((gaps[Math.min(gaps.length - 1, Math.floor(gaps.length * share))] ?? Number.NaN).toFixed(1));
  const good = gaps.filter((gap) => gap < 20).length;
  const share = Number((good / gaps.length).toFixed(4));
  const work = Number(((workSeconds * 1000) / gaps.length).toFixed(2));
  return { what, frames: gaps.length, p50: at(0.5), p95: at(0.95), worst: at(1), under20ms: share, work };
}

async function arrival(browser: Browser, url: string) {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  const { hash, origin } = new URL(url);
  const began = performance.now();
  await page.goto(`${origin}/services${hash}`);
  await page.locator(".list-row").first().waitFor();
  const first = performance.now() - began;
  await page.getByRole("status").getByText("Live").waitFor();
  return { page, firstRows: Math.round(first), everything: Math.round(performance.now() - began) };
}

const chromium = values.chromium ?? findChromium();
if (chromium === undefined) {
  console.log(`skipped: ${noChromium}`);
  process.exit(0);
}
const assets = mkdtempSync(join(tmpdir(), "fairlead-console-"));
const count = Number(values.services);
const seconds = Number(values.seconds);
await buildWeb(assets);
const served = consoleOver(manyServices(count), assets);
await served.start();
const browser = await launchChromium(chromium);
try {
  const { page, firstRows, everything } = await arrival(browser, served.url);
  console.log(`${count} Services: first rows after ${firstRows} ms, everything after ${everything} ms`);
  const empty = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  await empty.setContent('<div id="plain" style="height:80vh;overflow-y:auto"><div style="height:400000px"></div></div>');
  const results = [await scroll(empty, "an empty page", "#plain", seconds), await scroll(page, "the list", ".list-body", seconds)];
  await page.getByRole("link", { name: "Map", exact: true }).first().click();
  await page.getByRole("application").waitFor();
  results.push(await scroll(page, "the tiles of the map", ".overview-frame", seconds));
  console.table(results);
  const asked = performance.now();
  await page.getByLabel(/What to explain/).fill(`svc/team-${String(Math.floor(count / 200)).padStart(3, "0")}/service-42`);
  await page.keyboard.press("Enter");
  await page.getByRole("complementary", { name: "Explanation" }).waitFor();
  console.log(`an explanation is on the page ${Math.round(performance.now() - asked)} ms after it was asked for`);
} finally {
  await browser.close();
  await served.stop();
  rmSync(assets, { recursive: true, force: true });
}
