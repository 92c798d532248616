/** The chapters of `docs/learn` as a test reads them: their structure, and the commands with what they print. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../support/program.ts";

export const directory = join(repository, "docs/learn");

export interface Step {
  /** As it is typed, its further lines included. */
  readonly command: string;
  /** What it prints, without the last newline. `…` stands for anything in a line, alone in a line for any lines. */
  readonly output: string;
}

export interface Chapter {
  /** `01-service.md` */
  readonly name: string;
  readonly text: string;
}

/** In the order in which they are read: README first. */
export function chapters(language = ""): readonly Chapter[] {
  const names = globSync("*.md", { cwd: join(directory, language) }).sort(
    (a, b) => Number(b === "README.md") - Number(a === "README.md") || (a < b ? -1 : 1),
  );
  return names.map((name) => ({ name, text: readFileSync(join(directory, language, name), "utf8") }));
}

const fence = /^```(\w*)\n([\s\S]*?)^```$/gm;

export interface Block {
  readonly language: string;
  readonly content: string;
}

export function blocks({ text }: Chapter): readonly Block[] {
  return [...text.matchAll(fence)].map(([, language = "", content = ""]) => ({ language, content }));
}

/** Of a block in language `console`: commands begin with `$ `, and go on with `> `. */
export function steps({ content }: Block): readonly Step[] {
  const found: { command: string; output: string[] }[] = [];
  for (const line of content.replace(/\n$/, "").split("\n")) {
    const last = found.at(-1);
    if (line.startsWith("$ ")) found.push({ command: line.slice(2), output: [] });
    else if (line.startsWith("> ") && last?.output.length === 0) last.command += `\n${line.slice(2)}`;
    else last?.output.push(line);
  }
  return found.map(({ command, output }) => ({ command, output: output.join("\n") }));
}

/** What two languages must have in common: levels of headings, blocks, tables' shapes, pictures and where links lead. */
export function outline(chapter: Chapter): readonly string[] {
  const shape: string[] = [];
  let inBlock = false;
  for (const line of chapter.text.split("\n")) {
    if (line.startsWith("```")) inBlock = !inBlock;
    else if (inBlock) continue;
    else if (/^#+ /.test(line)) shape.push(line.replace(/ .*/, ""));
    else if (line.startsWith("|")) shape.push(`row of ${line.split("|").length - 2}`);
    else if (line.startsWith("- ")) shape.push("-");
    for (const [, picture] of inBlock ? [] : line.matchAll(/!\[[^\]]*\]\(([^)]*)\)/g))
      shape.push(`picture ${picture?.replace(".zh-CN", "").replace(/^(\.\.\/)+/, "")}`);
  }
  return shape;
}
