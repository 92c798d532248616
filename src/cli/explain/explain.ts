/** `fairlead explain TARGET`: what becomes of a request, why, and what to change. */
import { explainCodes, explain as explainTarget, type Explanation, type Question } from "../../decide/explain/explain.ts";
import { FairleadError } from "../../lib/errors.ts";
import type { Terminal } from "../terminal.ts";
import { explanationText } from "./explanation-text.ts";
import { readSnapshot, type SnapshotChoice } from "./read-snapshot.ts";

export interface ExplainOptions extends SnapshotChoice {
  readonly target: string;
  readonly from?: string;
  readonly namespace?: string;
  readonly method?: string;
  /** `Name: value` */
  readonly header?: readonly string[];
  readonly live: boolean;
  readonly output: "text" | "json" | "sarif";
}

/** Exit code 0: it arrives, or leaves the cluster; 1: it does not arrive, or what decides could not be read. */
export async function explain(options: ExplainOptions, terminal: Terminal): Promise<number> {
  if (options.output === "sarif") throw new FairleadError("FL_USAGE", "-o sarif is for --all", { hint: "Use -o text or -o json here." });
  const question = questionOf(options);
  const { snapshot } = await readSnapshot(options);
  const predicted = explainTarget(snapshot, question);
  const explanation = options.live ? await (await import("./live.ts")).tryLive(predicted, snapshot, options) : predicted;
  terminal.print(options.output === "json" ? JSON.stringify(explanation, null, 2) : explanationText(explanation, terminal.paint));
  return exitCode(explanation);
}

function exitCode({ code }: Explanation): number {
  return explainCodes[code].kind === "broken" || code === "NotRead" ? 1 : 0;
}

/** Throws FL_USAGE. */
function questionOf({ target, from, namespace, method, header = [] }: ExplainOptions): Question {
  if (target === "")
    throw new FairleadError("FL_USAGE", "explain what?", {
      hint: "Such as fairlead explain http://web.shop/cart --from pod/shop/client, svc/web, or --all",
    });
  const headers = Object.fromEntries(header.map(headerOf));
  return {
    target,
    ...(from === undefined ? {} : { from }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(method === undefined ? {} : { method: method.toUpperCase() }),
    ...(header.length === 0 ? {} : { headers }),
  };
}

function headerOf(text: string): readonly [string, string] {
  const [, name, value] = /^([^\s:]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new FairleadError("FL_USAGE", `--header ${text}: no header`, { hint: "Example: -H 'x-user: ann'" });
  return [name.toLowerCase(), value];
}
