/**
 * `docs/learn` is run from its first command to its last, on one cluster: what it shows is what comes back. The Chinese chapters
 * have the same commands, outputs, tables and pictures. `UPDATE=1` writes what came back into both.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findKubectls } from "../support/kubectl.ts";
import { ways } from "../support/modes.ts";
import { repository } from "../support/program.ts";
import { missingTools } from "../support/tools.ts";
import { blocks, chapters, directory, outline, steps, type Chapter } from "./chapters.ts";
import { settled, shows } from "./compare.ts";
import { openSession, type Session } from "./session.ts";

const english = chapters();
const chinese = chapters("zh-CN");
const update = process.env["UPDATE"] === "1";
const kubectl = findKubectls().at(-1)?.path;

describe("in Chinese as in English", () => {
  test("there are the same chapters", () => {
    expect(chinese.map(({ name }) => name)).toEqual(english.map(({ name }) => name));
    expect(english.length).toBeGreaterThan(10);
  });
  test.each(chinese.map((chapter) => [chapter.name, chapter] as const))("%s", (name, chapter) => {
    const original = english.find((other) => other.name === name) as Chapter;
    expect(outline(chapter)).toEqual(outline(original));
    if (!update) expect(blocks(chapter)).toEqual(blocks(original));
  });
});

describe("every command does what it shows", () => {
  const home = mkdtempSync(join(tmpdir(), "fairlead-learn-"));
  const missing =
    kubectl === undefined
      ? "no kubectl on this machine"
      : ways.some(({ mode, missing }) => mode === "namespaces" && missing === undefined)
        ? missingTools("curl")
        : "this machine allows no namespaces";
  let session: Session;

  beforeAll(() => {
    const path = [join(repository, "bin"), ...(kubectl === undefined ? [] : [dirname(kubectl)]), process.env["PATH"]].join(":");
    const own = {
      PATH: path,
      HOME: home,
      XDG_DATA_HOME: join(home, "data"),
      FAIRLEAD_NAME: `learn-${process.pid}`,
      NO_COLOR: "1",
      LANG: "C.UTF-8",
    };
    session = openSession(repository, own);
    if (kubectl !== undefined) writeFileSync(join(home, "kubectl"), `#!/bin/sh\nexec ${kubectl} "$@"\n`, { mode: 0o755 });
  });

  afterAll(async () => {
    await session.run("fairlead down");
    session.close();
    rmSync(home, { recursive: true, force: true });
  }, 60_000);

  test.for(english.map((chapter) => [chapter.name, chapter] as const))("%s", { timeout: 240_000 }, async ([, chapter], context) => {
    if (missing !== undefined) return context.skip(missing);
    let text = chapter.text;
    for (const block of blocks(chapter).filter(({ language }) => language === "console")) {
      let shown = "";
      for (const { command, output } of steps(block)) {
        const got = await seen(session, command, output);
        const right = shows(output, got);
        if (!update && !right) expect(settled(got), `$ ${command}`).toBe(settled(output));
        shown += `$ ${command.replaceAll("\n", "\n> ")}\n${right && (update ? output.includes("…") : true) ? withNewline(output) : withNewline(got)}`;
      }
      text = text.replace(block.content, () => shown);
    }
    if (update) rewrite(chapter, text);
  });
});

/** Commands that only look: what they show may take a moment to become true, for a reader as well. */
const looks = /^(kubectl (get|exec)|fairlead (dns|proxy|ingress|explain|status)|curl|[A-Z]+=\$)/;
const patienceMs = 15_000;

async function seen(session: Session, command: string, output: string): Promise<string> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const got = await session.run(command);
    if (update || shows(output, got) || !looks.test(command) || performance.now() > end) return got;
  }
}

const withNewline = (text: string) => (text === "" ? "" : `${text}\n`);

/** The English chapter as it came back, and its blocks into the Chinese one. */
function rewrite(chapter: Chapter, text: string): void {
  writeFileSync(join(directory, chapter.name), text);
  const other = chinese.find(({ name }) => name === chapter.name);
  if (other === undefined) return;
  const now = blocks({ ...chapter, text });
  let index = 0;
  const copied = other.text.replace(/^```(\w*)\n([\s\S]*?)^```$/gm, () => {
    const block = now[index++];
    return `\`\`\`${block?.language}\n${block?.content}\`\`\``;
  });
  writeFileSync(join(directory, "zh-CN", chapter.name), copied);
}
