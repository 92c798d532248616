/** What a test in another language may ask of its cluster: JSON-RPC 2.0, one request a line. */
import { errorMessage, FairleadError } from "../../lib/errors.ts";
import type { Fault, Partition, TestCluster } from "../../testing/index.ts";

type Params = Readonly<Record<string, unknown>>;
type Method = (params: Params) => unknown;

interface Request {
  readonly id: string | number | null;
  readonly method: string;
  readonly params: Params;
}

/** Of the JSON-RPC specification, 5.1; the last one is the first of those left to implementations. */
const codes = { parse: -32_700, request: -32_600, method: -32_601, failed: -32_000 } as const;

/** line → answer, without the newline; never rejects. */
export function createOrders(cluster: TestCluster): (line: string) => Promise<string> {
  const methods = methodsOf(cluster);
  return async (line) => {
    const request = parsed(line);
    if (typeof request === "number") return refusal(null, request, "not a JSON-RPC 2.0 request");
    const { id, method, params } = request;
    const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (run === undefined) return refusal(id, codes.method, `no such method; there are: ${Object.keys(methods).join(", ")}`);
    try {
      return JSON.stringify({ jsonrpc: "2.0", id, result: (await run(params)) ?? null });
    } catch (error) {
      return refusal(id, codes.failed, errorMessage(error), error instanceof FairleadError ? error.code : undefined);
    }
  };
}

function methodsOf(cluster: TestCluster): Readonly<Record<string, Method>> {
  const { clock, faults } = cluster;
  const active = new Map<number, Fault>();
  let last = 0;
  const begun = (fault: Fault) => {
    active.set(++last, fault);
    return { fault: last };
  };
  return {
    "clock.now": () => ({ ms: clock.now() }),
    "clock.advance": async ({ ms }) => {
      await clock.advance(numberOf(ms, "ms"));
      return { ms: clock.now() };
    },
    "clock.freeze": () => clock.freeze(),
    "clock.run": () => clock.run(),
    "faults.endpointDown": ({ pod, how }) =>
      begun(faults.endpointDown(textOf(pod, "pod"), { ...(how === undefined ? {} : { how: oneOf(how, ["refused", "silent"], "how") }) })),
    "faults.dns": ({ name, answer }) =>
      begun(
        faults.dns({
          ...(name === undefined ? {} : { name: textOf(name, "name") }),
          ...(answer === undefined ? {} : { answer: oneOf(answer, ["SERVFAIL", "NXDOMAIN", "REFUSED", "drop"], "answer") }),
        }),
      ),
    "faults.partition": ({ from, how }) =>
      begun(faults.partition({ ...fromOf(from), ...(how === undefined ? {} : { how: oneOf(how, ["fail", "hang"], "how") }) })),
    "faults.slowWatch": ({ from, resource, delay }) =>
      begun(
        faults.slowWatch({
          ...fromOf(from),
          ...(resource === undefined ? {} : { resource: textOf(resource, "resource") }),
          ...(delay === undefined ? {} : { delay: numberOf(delay, "delay") }),
        }),
      ),
    "faults.end": ({ fault }) => {
      const found = active.get(numberOf(fault, "fault"));
      if (found === undefined) throw new FairleadError("FL_USAGE", "no such fault");
      found.end();
    },
    apply: ({ manifests }) => cluster.apply(textOf(manifests, "manifests")),
    resolve: async ({ name, type = "A" }) => ({ answers: await cluster.resolve(textOf(name, "name"), textOf(type, "type")) }),
    fetch: async ({ url }) => {
      const response = await cluster.fetch(textOf(url, "url"));
      return { status: response.status, body: await response.text() };
    },
    explain: ({ target, from }) =>
      cluster.explain({ target: textOf(target, "target"), ...(from === undefined ? {} : { from: textOf(from, "from") }) }),
    untilReady: ({ target, namespace, timeout }) =>
      cluster.untilReady(textOf(target, "target"), {
        ...(namespace === undefined ? {} : { namespace: textOf(namespace, "namespace") }),
        ...(timeout === undefined ? {} : { timeout: numberOf(timeout, "timeout") }),
      }),
  };
}

function parsed(line: string): Request | number {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // What it is not, the answer says.
    return codes.parse;
  }
  if (typeof value !== "object" || value === null) return codes.request;
  const { jsonrpc, id = null, method, params = {} } = value as Readonly<Record<string, unknown>>;
  const isId = id === null || typeof id === "string" || typeof id === "number";
  if (jsonrpc !== "2.0" || !isId || typeof method !== "string" || typeof params !== "object" || params === null) return codes.request;
  return { id, method, params: params as Params };
}

function refusal(id: Request["id"], code: number, message: string, data?: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } });
}

function fromOf(from: unknown): Pick<Partition, "from"> {
  return from === undefined ? {} : { from: textOf(from, "from") };
}

function textOf(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new FairleadError("FL_USAGE", `${name} must be a string`);
}

function numberOf(value: unknown, name: string): number {
  if (typeof value === "number" && value >= 0) return value;
  throw new FairleadError("FL_USAGE", `${name} must be a number, and not below 0`);
}

function oneOf<const T extends string>(value: unknown, allowed: readonly T[], name: string): T {
  const found = allowed.find((one) => one === value);
  if (found !== undefined) return found;
  throw new FairleadError("FL_USAGE", `${name} must be one of ${allowed.join(", ")}`);
}
