/** Tries the cluster: real requests from inside a pod through ClusterIPs, real DNS queries to the cluster's server. */
import { Resolver } from "node:dns/promises";
import { objectKey } from "../api/object.ts";
import type { NodeAgent } from "../api/node-agent.ts";
import type { Pod, Service, ServicePort } from "../api/types.ts";
import { errnoCode, errorMessage } from "../lib/errors.ts";
import { formatIp, joinHostPort, parseIp, reverseName } from "../lib/ip.ts";
import { isHttp, isOfUser, isPodReady, readyEndpoints, type Reading } from "./collect.ts";
import type { NameRow, RequestRow } from "./report.ts";

export interface CheckOptions {
  readonly agent: NodeAgent;
  /** The command that requests a URL COUNT times: `[node, http-probe.js]`. */
  readonly probe: readonly string[];
  readonly dnsServer: { readonly host: string; readonly port: number };
  readonly clusterDomain: string;
  /** More Services than this are not asked, so that a large set of manifests starts quickly. */
  readonly maxServices?: number;
}

interface Target {
  readonly service: Service;
  readonly port: ServicePort;
  readonly endpoints: readonly string[];
}

/** A GET to each HTTP port that has ready endpoints of its own pods: three rounds over all of them. */
export async function requestRows(reading: Reading, options: CheckOptions): Promise<readonly RequestRow[]> {
  const from = reading.pods.find((pod) => isOfUser(pod) && isPodReady(pod));
  if (from === undefined) return [];
  const targets = reading.services.flatMap((service) => targetsOf(reading, service)).slice(0, options.maxServices ?? 8);
  return await Promise.all(targets.map((target) => ask(from, target, options)));
}

function targetsOf(reading: Reading, service: Service): readonly Target[] {
  const { clusterIP = "", selector = {} } = service.spec ?? {};
  if (!isOfUser(service) || parseIp(clusterIP) === undefined || Object.keys(selector).length === 0) return [];
  return (service.spec?.ports ?? [])
    .filter(isHttp)
    .map((port) => ({ service, port, endpoints: readyEndpoints(reading, service, port.name ?? "") }))
    .filter(({ endpoints }) => endpoints.length > 0);
}

async function ask(from: Pod, { service, port, endpoints }: Target, { agent, probe }: CheckOptions): Promise<RequestRow> {
  const url = `http://${joinHostPort(service.spec?.clusterIP ?? "", port.port)}/`;
  const sent = Math.min(endpoints.length * 3, 30);
  const answers = new Set<string>();
  const errors = new Set<string>();
  let succeeded = 0;
  try {
    for (const line of await run(agent, from, [...probe, url, String(sent)])) {
      const answer = JSON.parse(line) as { status?: number; body?: string; error?: string };
      if (answer.error !== undefined) errors.add(answer.error);
      else {
        succeeded += 1;
        answers.add((answer.body ?? "").trim().split("\n")[0]?.slice(0, 120) ?? "");
      }
    }
  } catch (error) {
    errors.add(errorMessage(error));
  }
  return {
    url,
    from: objectKey(from),
    sent,
    succeeded,
    endpoints: endpoints.length,
    answers: [...answers].sort(),
    errors: [...errors].sort(),
  };
}

async function run(agent: NodeAgent, pod: Pod, command: readonly string[]): Promise<readonly string[]> {
  const container = pod.spec?.containers[0]?.name ?? "";
  const ref = { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name ?? "", uid: pod.metadata.uid ?? "" };
  const session = await agent.exec(ref, { container, command, stdin: false, stdout: true, stderr: true, tty: false });
  const output: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
  session.onOutput((stream, chunk) => {
    output[stream] += Buffer.from(chunk).toString("utf8");
  });
  const status = await session.done;
  if (status.kind === "failed" || status.code !== 0)
    throw new Error(status.kind === "failed" ? status.message : `exit code ${status.code}: ${output.stderr.trim().slice(0, 200)}`);
  return output.stdout.split("\n").filter(Boolean);
}

/** The records that a Service's clients ask for, from the cluster's own server over UDP. */
export async function nameRows(reading: Reading, options: CheckOptions): Promise<readonly NameRow[]> {
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers([joinHostPort(options.dnsServer.host, options.dnsServer.port)]);
  const zone = options.clusterDomain;
  const questions = reading.services
    .filter(isOfUser)
    .slice(0, options.maxServices ?? 8)
    .flatMap((service): readonly (readonly [string, "A" | "AAAA" | "CNAME" | "SRV" | "PTR"])[] => {
      const name = `${service.metadata.name}.${service.metadata.namespace}.svc.${zone}`;
      if (service.spec?.type === "ExternalName") return [[name, "CNAME"]];
      const port = service.spec?.ports?.find((candidate) => candidate.name !== undefined);
      const ip = parseIp(service.spec?.clusterIP ?? "");
      return [
        [name, service.spec?.ipFamilies?.[0] === "IPv6" ? "AAAA" : "A"],
        ...(port === undefined ? [] : [[`_${port.name}._${(port.protocol ?? "TCP").toLowerCase()}.${name}`, "SRV"] as const]),
        ...(ip === undefined ? [] : [[reverseName(ip).replace(/\.$/, ""), "PTR"] as const]),
      ];
    });
  return await Promise.all(questions.map(([name, type]) => resolve(resolver, name, type)));
}

async function resolve(resolver: Resolver, name: string, type: "A" | "AAAA" | "CNAME" | "SRV" | "PTR"): Promise<NameRow> {
  try {
    const records = await resolver.resolve(name, type);
    const answers = (records as readonly (string | { name: string; port: number })[]).map((record) =>
      typeof record === "string" ? canonical(record) : `${record.name}:${record.port}`,
    );
    return { name, type, rcode: "NOERROR", answers: answers.sort() };
  } catch (error) {
    const codes: Readonly<Record<string, string>> = {
      ENOTFOUND: "NXDOMAIN",
      ENODATA: "no such record",
      ESERVFAIL: "SERVFAIL",
      EREFUSED: "REFUSED",
      ETIMEOUT: "no answer",
    };
    const code = errnoCode(error) ?? "";
    return { name, type, rcode: codes[code] ?? code, answers: [] };
  }
}

function canonical(text: string): string {
  const ip = parseIp(text);
  return ip === undefined ? text : formatIp(ip);
}
