/** An explanation for people: the verdict first, then the path, then what to change. */
import { explainCodes, type Candidate, type Change, type Explanation, type Step } from "../../decide/explain/explain.ts";
import type { LiveExplanation } from "../../decide/explain/live.ts";
import { table, type Paint } from "../terminal.ts";

/** Of one step: the rest is counted, -o json has all. */
const mostCandidates = 12;

export function explanationText(explanation: Explanation | LiveExplanation, paint: Paint): string {
  const { path, changes, warnings, limits } = explanation;
  const sections = [verdict(explanation, paint)];
  const section = (title: string, lines: readonly string[]) => {
    if (lines.length > 0) sections.push([paint.bold(title), ...lines.map((line) => `  ${line}`)].join("\n"));
  };
  section(
    "Path",
    path.flatMap((step) => stepLines(step, paint)),
  );
  section(
    "What to change",
    changes.map((change, i) => changeLine(change, i + 1, paint)),
  );
  if ("live" in explanation) section("Tried", liveLines(explanation, paint));
  section(
    "Besides",
    warnings.map(({ code, text }) => `${paint.yellow("!")} ${text} ${paint.dim(`[${code}]`)}`),
  );
  section(
    "Taken for granted",
    limits.map((text) => paint.dim(text)),
  );
  return sections.join("\n\n");
}

function verdict({ code, certainty, verdict: text }: Explanation, paint: Paint): string {
  const colour = { fine: paint.green, broken: paint.red, unknown: paint.yellow }[explainCodes[code].kind];
  return `${colour(text)} ${paint.dim(`[${code}${certainty === "likely" ? ", likely" : ""}]`)}`;
}

function liveLines({ live }: LiveExplanation, paint: Paint): readonly string[] {
  const rows = live.attempts.map(({ connected, url, answer, what }) => [
    connected ? paint.green("✓") : paint.red("✗"),
    url,
    answer,
    paint.dim(what),
  ]);
  return table(rows).split("\n");
}

function stepLines({ kind, ok, text, candidates }: Step, paint: Paint): readonly string[] {
  const shown = candidates.length === 1 && ok ? [] : candidates.slice(0, mostCandidates);
  const rows = table(shown.map((candidate) => candidateRow(candidate, paint))).split("\n");
  const more = candidates.length - shown.length;
  return [
    `${ok ? paint.green("✓") : paint.red("✗")} ${paint.cyan(kind.padEnd(14))} ${text}`,
    ...(shown.length === 0 ? [] : rows.map((row) => `    ${row}`)),
    ...(shown.length > 0 && more > 0 ? [`    … ${more} more (-o json has all)`] : []),
  ];
}

function candidateRow({ kept, name, reason, detail }: Candidate, paint: Paint): readonly string[] {
  return [kept ? paint.green("✓") : paint.dim("✗"), name, paint.dim(reason), detail];
}

function changeLine({ text, result }: Change, number: number, paint: Paint): string {
  if (result === undefined) return `${number}. ${text}`;
  const mends = explainCodes[result].kind !== "broken";
  const after = mends ? paint.green("tried: then it arrives") : paint.yellow(`tried: not enough, then ${result}`);
  return `${number}. ${text} (${after})`;
}
