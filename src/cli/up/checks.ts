/** Tries the cluster: real requests from inside a pod through ClusterIPs, real DNS queries as a pod asks them. */
import { objectKey } from "../../api/object.ts";
import type { NodeAgent } from "../../api/node-agent.ts";
import type { Pod, Service, ServicePort } from "../../api/types.ts";
import { probe, probeProgram, type DnsQuestion, type HttpAnswer, type ProbeResult } from "../pod-probe.ts";
import { errorMessage } from "../../lib/errors.ts";
import { formatIp, joinHostPort, parseIp, reverseName } from "../../lib/ip.ts";
import { isHttp, isOfUser, isPodReady, readyEndpoints, type Reading } from "../collect.ts";
import type { NameRow, RequestRow } from "../report.ts";

export interface CheckOptions {
  /** Of the node with this name. */
  readonly agentOf: (nodeName: string) => NodeAgent;
  /** The Node that pods of image `node` have. */
  readonly node: string;
  /** Which server is asked; absent: none, or with `resolvers: "pod"` the one of the pod's resolv.conf. */
  readonly dnsServer?: { readonly host: string; readonly port: number };
  readonly resolvers: "server" | "pod";
  readonly clusterDomain: string;
  /** Whether a virtual address is served; one that is not is named elsewhere in the report, with the reason. Default: all are. */
  readonly serves?: (address: string, port: number) => boolean;
  /** More Services than this are not asked, so that a large set of manifests starts quickly. */
  readonly maxServices?: number;
}

export interface Checks {
  readonly requests: readonly RequestRow[];
  readonly names: readonly NameRow[];
}

/** The kernel draws at random: with 24 requests to three endpoints one is left out in 2 of 10,000 runs, with 9 in 8 of 100. */
const requestsPerEndpoint = 8;

interface Target {
  readonly service: string;
  readonly url: string;
  readonly count: number;
  readonly endpoints: number;
}

/** A GET to each HTTP port that has ready endpoints of its own pods (so many that each should answer), and the names of each Service. */
export async function runChecks(reading: Reading, options: CheckOptions): Promise<Checks> {
  const max = options.maxServices ?? 8;
  const targets = reading.services.flatMap((service) => targetsOf(reading, service, options)).slice(0, max);
  const asks = options.resolvers === "pod" || options.dnsServer !== undefined;
  const questions = asks
    ? reading.services
        .filter(isOfUser)
        .slice(0, max)
        .flatMap((service) => questionsOf(service, options.clusterDomain))
    : [];
  const server =
    options.resolvers === "server" && options.dnsServer !== undefined
      ? { server: joinHostPort(options.dnsServer.host, options.dnsServer.port) }
      : {};
  const from = clientPod(reading.pods);
  if (from === undefined) {
    // Only a server of the host's own network can be asked without a pod.
    const names = options.resolvers === "server" ? (await probe({ requests: [], dns: { ...server, questions } })).names : [];
    return { requests: [], names: names.map(nameRow) };
  }
  const program = probeProgram({ requests: targets, dns: { ...server, questions } });
  try {
    const result = await inside(options.agentOf(from.spec?.nodeName ?? ""), from, [options.node, "-e", program]);
    return {
      requests: targets.map((target, index) => requestRow(from, target, result.requests[index] ?? [])),
      names: result.names.map(nameRow),
    };
  } catch (error) {
    const message = errorMessage(error);
    return {
      requests: targets.map((target) => ({ ...requestRow(from, target, []), errors: [message] })),
      names: questions.map(({ name, type }) => ({ name, type, rcode: message, answers: [] })),
    };
  }
}

/** A ready pod, one that has Node if there is one. A real image has nothing of this machine, nor its Node. */
function clientPod(pods: readonly Pod[]): Pod | undefined {
  const ready = pods.filter((pod) => isOfUser(pod) && isPodReady(pod) && !hasRealImage(pod));
  return ready.find((pod) => /(^|\/)node(:|$)/.test(pod.spec?.containers[0]?.image ?? "")) ?? ready[0];
}

function hasRealImage({ status }: Pod): boolean {
  return /^(?:crun|runc):/.test(status?.containerStatuses?.[0]?.containerID ?? "");
}

function targetsOf(reading: Reading, service: Service, { serves = () => true }: CheckOptions): readonly Target[] {
  const { clusterIP = "", selector = {} } = service.spec ?? {};
  if (!isOfUser(service) || parseIp(clusterIP) === undefined || Object.keys(selector).length === 0) return [];
  const ports = (service.spec?.ports ?? []).filter((port) => isHttp(port) && serves(clusterIP, port.port));
  return ports.flatMap((port) => {
    const endpoints = readyEndpoints(reading, service, port.name ?? "").length;
    return endpoints === 0
      ? []
      : [{ service: objectKey(service), url: urlOf(clusterIP, port), count: Math.min(endpoints * requestsPerEndpoint, 60), endpoints }];
  });
}

function urlOf(clusterIP: string, { port }: ServicePort): string {
  return `http://${joinHostPort(clusterIP, port)}/`;
}

function requestRow(from: Pod, { service, url, count, endpoints }: Target, answers: readonly HttpAnswer[]): RequestRow {
  const bodies = answers.flatMap(({ error, body = "" }) => (error === undefined ? [body.trim().split("\n")[0]?.slice(0, 120) ?? ""] : []));
  return {
    service,
    url,
    from: objectKey(from),
    sent: count,
    succeeded: bodies.length,
    endpoints,
    answers: [...new Set(bodies)].sort(),
    errors: [...new Set(answers.flatMap(({ error }) => error ?? []))].sort(),
  };
}

function nameRow({ name, type, rcode, answers }: ProbeResult["names"][number]): NameRow {
  return { name, type, rcode, answers: answers.map(canonical).sort() };
}

/** Runs the probe in the pod's first container. */
async function inside(agent: NodeAgent, pod: Pod, command: readonly string[]): Promise<ProbeResult> {
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
  return JSON.parse(output.stdout) as ProbeResult;
}

/** The records that a Service's clients ask for. */
function questionsOf(service: Service, zone: string): readonly DnsQuestion[] {
  const name = `${service.metadata.name}.${service.metadata.namespace}.svc.${zone}`;
  if (service.spec?.type === "ExternalName") return [{ name, type: "CNAME" }];
  const port = service.spec?.ports?.find((candidate) => candidate.name !== undefined);
  const ip = parseIp(service.spec?.clusterIP ?? "");
  return [
    { name, type: service.spec?.ipFamilies?.[0] === "IPv6" ? "AAAA" : "A" },
    ...(port === undefined ? [] : [{ name: `_${port.name}._${(port.protocol ?? "TCP").toLowerCase()}.${name}`, type: "SRV" as const }]),
    ...(ip === undefined ? [] : [{ name: reverseName(ip).replace(/\.$/, ""), type: "PTR" as const }]),
  ];
}

function canonical(text: string): string {
  const ip = parseIp(text);
  return ip === undefined ? text : formatIp(ip);
}
