/**
 * Our API server and the real one, asked the same: `KUBE_APISERVER=… ETCD=… sh bin/node test/peers/apiserver/compare.ts [--services N] [--seed N]
 * [--kinds A,B]`. Prints JSON: how many answers were the same as a whole, how many by status, and each kind of difference once.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseAllDocuments } from "yaml";
import { kinds } from "../../../src/api/kinds/index.ts";
import { apiVersionOf, resourcePath } from "../../../src/api/resources.ts";
import { normalized } from "./normalize.ts";
import { ours, type Peer, type Reply } from "./peer.ts";
import { serviceRounds, spoiltRound, type Round } from "./questions.ts";
import { startUpstream } from "./upstream.ts";

export interface Comparison {
  readonly asked: number;
  /** Status, warnings and body are the same. */
  readonly same: number;
  /** At least the status is. */
  readonly sameStatus: number;
  /** What differs, where, how often, for example in which answer. */
  readonly differences: readonly { readonly what: string; readonly count: number; readonly question: string }[];
}

export async function compare(rounds: readonly Round[], theirs: Peer, mine: Peer): Promise<Comparison> {
  const differences = new Map<string, { what: string; count: number; question: string }>();
  let [asked, same, sameStatus] = [0, 0, 0];
  for (const { label, questions, remove } of rounds) {
    let said = "";
    for (const question of questions) {
      // What a dry run says has no bearing on the next question.
      said = question.path.includes("dryRun") ? JSON.stringify(question.body) : said + JSON.stringify(question.body ?? "");
      const [a, b] = await Promise.all([theirs(question), mine(question)]);
      asked += 1;
      if (a.status === b.status) sameStatus += 1;
      const found = difference(shown(a, said), shown(b, said), "");
      if (found === undefined) same += 1;
      else
        note(
          `${label} ${question.method} ${a.status}/${b.status} ${found}`,
          `${question.method} ${question.path} ${JSON.stringify(question.body)}`,
        );
    }
    for (const path of remove) for (const peer of [theirs, mine]) await removed(peer, path);
  }
  return { asked, same, sameStatus, differences: [...differences.values()].sort((x, y) => y.count - x.count) };

  function note(what: string, question: string): void {
    const known = differences.get(what);
    if (known === undefined) differences.set(what, { what, count: 1, question: question.slice(0, 600) });
    else known.count += 1;
  }
}

const shown = ({ status, warnings, body }: Reply, said: string): unknown => normalized({ status, warnings, body }, said);

/** The first place at which two values differ. */
function difference(a: unknown, b: unknown, at: string): string | undefined {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return a === b ? undefined : `${at}: theirs ${short(a)}, ours ${short(b)}`;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const found = difference(left[key], right[key], `${at}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

const short = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 300);

async function removed(peer: Peer, path: string): Promise<void> {
  await peer({ method: "PATCH", path, body: { metadata: { finalizers: null } }, type: "application/merge-patch+json" });
  await peer({ method: "DELETE", path: `${path}?gracePeriodSeconds=0` });
}

/** Of the manifests beside this file. */
export function spoiltRounds(wanted?: readonly string[]): readonly Round[] {
  const text = readFileSync(join(import.meta.dirname, "manifests.yaml"), "utf8").replace("REQUEST", signingRequest());
  const manifests = parseAllDocuments(text).map((document) => document.toJSON() as Parameters<typeof spoiltRound>[0]);
  return manifests.flatMap((manifest) => {
    const kind = kinds.find(({ resource }) => resource.kind === manifest.kind && apiVersionOf(resource) === manifest.apiVersion);
    if (kind === undefined || (wanted !== undefined && !wanted.includes(manifest.kind))) return [];
    return [spoiltRound(manifest, resourcePath(kind.resource, "default"))];
  });
}

/** Base64 of a PEM block, by openssl; without it a request that both refuse. */
function signingRequest(): string {
  try {
    const words = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "/dev/null", "-subj", "/CN=thing"];
    return execFileSync("openssl", words, { stdio: ["ignore", "pipe", "ignore"] }).toString("base64");
  } catch {
    return "AA==";
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { services: { type: "string" }, seed: { type: "string" }, kinds: { type: "string" } } });
  const directory = mkdtempSync(join(tmpdir(), "kube-apiserver-"));
  const { KUBE_APISERVER: apiserver = "kube-apiserver", ETCD: etcd = "etcd" } = process.env;
  const upstream = await startUpstream({ apiserver, etcd, directory });
  try {
    const rounds = [...serviceRounds(Number(values.services ?? 300), Number(values.seed ?? 1)), ...spoiltRounds(values.kinds?.split(","))];
    console.log(JSON.stringify(await compare(rounds, upstream.ask, await ours()), undefined, 1));
  } finally {
    await upstream.stop();
    rmSync(directory, { recursive: true, force: true });
  }
  process.exit(0);
}
