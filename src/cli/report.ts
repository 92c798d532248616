/**
 * What `up` and `status` tell: the state of the cluster as the API has it, and what came back when it was tried.
 * Plain data (documented in docs/cli/report.md: `-o json` prints it as it is), and its form for people.
 */
import { table, type Paint } from "./terminal.ts";

export interface ClusterReport {
  readonly apiVersion: "fairlead.dev/v1alpha1";
  readonly kind: "ClusterReport";
  readonly name: string;
  readonly version: string;
  /** `loopback`: pods are processes that share the host's network. */
  readonly mode: string;
  readonly server: string;
  readonly kubeconfig: string;
  /** The URL of the web console, with its token; absent: there is none. */
  readonly console?: string;
  readonly nodes: readonly NodeRow[];
  readonly pods: readonly PodRow[];
  readonly services: readonly ServiceRow[];
  /** Requests sent from inside a pod through a Service's ClusterIP. */
  readonly requests: readonly RequestRow[];
  readonly names: readonly NameRow[];
  /** Where a program on the host finds a Service. */
  readonly open: readonly OpenRow[];
  /** What a person should know: manifests refused, Warnings, Services without endpoints, ports that could not be bound. */
  readonly problems: readonly string[];
}

export interface NodeRow {
  readonly name: string;
  readonly ready: boolean;
  readonly address: string;
  readonly podCIDR: string;
}

export interface PodRow {
  readonly namespace: string;
  readonly name: string;
  readonly ready: boolean;
  /** As `kubectl get pods` shows it. */
  readonly status: string;
  readonly ip: string;
  readonly node: string;
}

export interface ServiceRow {
  readonly namespace: string;
  readonly name: string;
  readonly type: string;
  /** "None" for headless, "" for ExternalName. */
  readonly clusterIP: string;
  /** `web 8080/TCP` */
  readonly ports: readonly string[];
  /** `127.97.0.2:8080` of ready endpoints, or the external name. */
  readonly endpoints: readonly string[];
}

export interface RequestRow {
  readonly service: string;
  readonly url: string;
  /** `shop/webapp-…` */
  readonly from: string;
  readonly sent: number;
  readonly succeeded: number;
  /** How many endpoints the Service has for this port, and how many different answers came. */
  readonly endpoints: number;
  readonly answers: readonly string[];
  readonly errors: readonly string[];
}

export interface NameRow {
  readonly name: string;
  readonly type: string;
  /** `NOERROR`, `NXDOMAIN`, … or what went wrong. */
  readonly rcode: string;
  readonly answers: readonly string[];
}

export interface OpenRow {
  readonly service: string;
  readonly url: string;
}

/** Of each table: nobody reads thousands. */
const mostRows = 120;

export function reportText(report: ClusterReport, paint: Paint): string {
  const sections: string[] = [];
  const section = (title: string, rows: readonly (readonly string[])[]) => {
    const more = rows.length > mostRows ? `\n  ${paint.dim(`… and ${rows.length - mostRows} more; -o json has all`)}` : "";
    if (rows.length > 0) sections.push(`${paint.bold(title)}\n${table(rows.slice(0, mostRows), "  ")}${more}`);
  };
  section(
    "Nodes",
    report.nodes.map((node) => [node.name, mark(node.ready, paint), node.address, paint.dim(`pods ${node.podCIDR}`)]),
  );
  section(
    "Pods",
    report.pods.map((pod) => [`${pod.namespace}/${pod.name}`, mark(pod.ready, paint, pod.status), pod.ip || "-", paint.dim(pod.node)]),
  );
  section(
    "Services",
    report.services.map((service) => serviceRow(service, paint)),
  );
  if (report.requests.length > 0) sections.push(requestsText(report.requests, paint));
  section(
    "Names",
    report.names.map((name) => nameRow(name, paint)),
  );
  section(
    "Open from this machine",
    report.open.map((row) => [row.service, paint.cyan(row.url)]),
  );
  section(
    "To know",
    report.problems.map((problem) => [`${paint.yellow("!")} ${problem}`]),
  );
  if (report.console !== undefined) sections.push(`${paint.bold("Console")}\n  ${paint.cyan(report.console)}`);
  sections.push(`${paint.bold("kubectl")}\n  ${paint.cyan(`export KUBECONFIG=${shellWord(report.kubeconfig)}`)}`);
  return sections.join("\n\n");
}

function mark(ready: boolean, paint: Paint, text = ready ? "Ready" : "NotReady"): string {
  return ready ? paint.green(text) : paint.yellow(text);
}

function serviceRow(service: ServiceRow, paint: Paint): readonly string[] {
  const target =
    service.endpoints.length === 0
      ? paint.yellow("no endpoints")
      : service.endpoints.length > 4
        ? `${service.endpoints.slice(0, 4).join(", ")} + ${service.endpoints.length - 4} more`
        : service.endpoints.join(", ");
  return [`${service.namespace}/${service.name}`, service.type, service.clusterIP || "-", service.ports.join(", ") || "-", `→ ${target}`];
}

/** A row for each Service; what came back from the first, and whatever went wrong. */
function requestsText(requests: readonly RequestRow[], paint: Paint): string {
  const row = ({ service, url, sent, succeeded, endpoints, answers }: RequestRow) => {
    const spread = endpoints > 1 ? `, ${answers.length} of ${endpoints} endpoints answered` : "";
    const verdict = `${succeeded} of ${sent} succeeded${spread}`;
    return [service, url, succeeded === sent ? paint.green(verdict) : paint.yellow(verdict)];
  };
  const errors = requests.flatMap((request) => request.errors.map((error) => `  ${paint.yellow(`${request.service}: ${error}`)}`));
  const samples = (requests[0]?.answers ?? []).map((answer) => `    ${paint.dim(answer)}`);
  return [`${paint.bold("Requests")} from pod ${requests[0]?.from}`, table(requests.map(row), "  "), ...samples, ...errors].join("\n");
}

function nameRow(name: NameRow, paint: Paint): readonly string[] {
  const shown = name.answers.length > 4 ? [...name.answers.slice(0, 4), `+ ${name.answers.length - 4} more`] : name.answers;
  return [name.name, name.type, name.answers.length > 0 ? shown.join(", ") : paint.yellow(name.rcode)];
}

/** A word that a POSIX shell reads as it stands. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}
