/** Writes `docs/learn/pictures`: sh bin/node scripts/learn-pictures/write.ts */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { draw } from "./draw.ts";
import { pictures, type Language } from "./pictures.ts";

export const pictureDirectory = join(import.meta.dirname, "../../docs/learn/pictures");

/** File name → text, in all languages. */
export function pictureFiles(): ReadonlyMap<string, string> {
  const endings: Readonly<Record<Language, string>> = { en: ".svg", "zh-CN": ".zh-CN.svg" };
  return new Map(
    Object.entries(endings).flatMap(([language, ending]) =>
      Object.entries(pictures(language as Language)).map(([name, picture]): [string, string] => [`${name}${ending}`, draw(picture)]),
    ),
  );
}

if (import.meta.main) {
  mkdirSync(pictureDirectory, { recursive: true });
  for (const [name, text] of pictureFiles()) writeFileSync(join(pictureDirectory, name), text);
}
