/** A name on its way to addresses: the names that the resolver makes of it, what DNS says to each, and why none is there. */
import { addressRecordsOf, type Answered } from "./answers.ts";
import { foldName, isWithin } from "../dns/name.ts";
import { lookup } from "../dns/lookup.ts";
import type { LookupResult } from "../dns/lookup-result.ts";
import { recordTypes } from "../dns/records.ts";
import { dnsView, zoneOf } from "./dns-view.ts";
import { hostsEntry, type HostsEntry } from "./hosts-file.ts";
import { nameFault } from "./name-fault.ts";
import { clusterPolicyFor, resolverOf, searchNames } from "./resolver.ts";
import { refOf, type ObjectRef } from "./snapshot.ts";
import { step, type Outcome, type Walk } from "./walk.ts";
import { serviceReady } from "./ready.ts";
import type { Candidate } from "./explanation.ts";

export type Resolved =
  | { readonly kind: "answer"; readonly answered: Answered }
  /** It ends here. */
  | { readonly kind: "end"; readonly outcome: Outcome };

const end = (outcome: Outcome): Resolved => ({ kind: "end", outcome });

/** Adds the step. */
export function resolve(walk: Walk, name: string): Resolved {
  const { world, client } = walk;
  const { config } = world.snapshot;
  const hosts = client.pod === undefined ? undefined : hostsEntry(client.pod, name, config.clusterDomain);
  if (hosts !== undefined) return fromHostsFile(walk, name, hosts);
  const resolver = resolverOf(client, config);
  if (!resolver.cluster) return outsideResolver(walk, name, resolver.why);
  const down = dnsServerFault(walk);
  if (down !== undefined) return end(down);
  const zone = zoneOf(config);
  const view = dnsView(world);
  const asked: Asked[] = [];
  for (const full of searchNames(name, resolver)) {
    if (!isWithin(zone.origin, foldName(full))) {
      asked.push({ name: full });
      continue;
    }
    const result = lookupBoth(full, (type) => lookup(view, full, type, zone));
    asked.push({ name: full, result });
    if (result.kind === "answer") return answered(walk, name, asked, result, full);
  }
  return nothing(walk, name, asked);
}

/** The file goes before DNS (nsswitch.conf `files dns`); where it hides a Service of the name, that is hardly what was meant. */
function fromHostsFile(walk: Walk, name: string, { address, why }: HostsEntry): Resolved {
  const { client, world } = walk;
  const hidden = world.service(client.namespace, name);
  const text = `${name} is ${address} by /etc/hosts of ${client.text} (${why}), and DNS is not asked`;
  const own = world.podsAt(address).some((pod) => pod === client.pod);
  step(walk, { kind: "resolve", ok: hidden === undefined, text, ...(client.ref === undefined || !own ? {} : { ref: client.ref }) });
  if (hidden === undefined) return { kind: "answer", answered: { kind: "addresses", name, addresses: [address] } };
  const target = walk.question.target.replace(name, `${name}.${client.namespace}`);
  const cause = `${text}: Service ${client.namespace}/${name} is not what it leads to`;
  return end({ code: "HostsFileAnswers", text: cause, proposals: [{ text: `Ask for ${name}.${client.namespace}`, ask: { target } }] });
}

/** A name that was asked; without a result it is none of the cluster's zone. */
export interface Asked {
  readonly name: string;
  readonly result?: LookupResult;
}

/** A resolver asks for both families at once; what either has is enough. */
function lookupBoth(name: string, ask: (type: number) => LookupResult): LookupResult {
  if (name.startsWith("_")) return ask(recordTypes.SRV);
  const four = ask(recordTypes.A);
  const six = ask(recordTypes.AAAA);
  if (four.kind !== "answer") return six.kind === "answer" ? six : four;
  return six.kind === "answer" ? { ...four, records: [...four.records, ...six.records] } : four;
}

function answered(walk: Walk, name: string, asked: readonly Asked[], result: LookupResult & { kind: "answer" }, full: string): Resolved {
  const found = addressRecordsOf(full, result);
  const ref = serviceOfName(walk, full);
  const says = found.kind === "outside" ? `is an alias for ${found.target}` : `resolves to ${found.addresses.join(", ")}`;
  step(walk, {
    kind: "resolve",
    ok: true,
    text: `${name} ${says} (${full}, ${result.reason})`,
    ...(ref === undefined ? {} : { ref }),
    candidates: candidatesOf(asked),
  });
  return { kind: "answer", answered: found };
}

function candidatesOf(asked: readonly Asked[]): readonly Candidate[] {
  return asked
    .map(({ name, result }) => {
      if (result === undefined)
        return { kept: false, name, reason: "OutsideZone", detail: "not the cluster's: asked of the servers upstream" };
      return { kept: result.kind === "answer", name, reason: result.reason, detail: detailOf(result) };
    })
    .toSorted((a, b) => Number(b.kept) - Number(a.kept));
}

function detailOf(result: LookupResult): string {
  switch (result.kind) {
    case "answer":
      return result.records
        .map(({ data }) => (data.kind === "address" ? data.address : data.kind === "name" ? data.target : data.kind))
        .join(", ");
    case "noData":
      return "the name exists and has no address";
    case "nameError":
      return "NXDOMAIN";
  }
}

function serviceOfName(walk: Walk, full: string): ObjectRef | undefined {
  const { clusterDomain } = walk.world.snapshot.config;
  const labels = foldName(full).slice(0, -`.${clusterDomain}.`.length).split(".");
  const [name = "", namespace = ""] = labels.at(-1) === "svc" ? labels.slice(-3, -1) : [];
  const service = walk.world.service(namespace, name);
  return service === undefined ? undefined : refOf("Service", service);
}

function nothing(walk: Walk, name: string, asked: readonly Asked[]): Resolved {
  const outcome = nameFault(walk, name, asked);
  step(walk, { kind: "resolve", ok: outcome.code === "LeavesCluster", text: outcome.text, candidates: candidatesOf(asked) });
  return end(outcome);
}

/** Nodes and clients outside: a name of the cluster means nothing to them. */
function outsideResolver(walk: Walk, name: string, why: string): Resolved {
  const { client, world } = walk;
  const { clusterDomain } = world.snapshot.config;
  const meant = isClusterName(walk, name);
  const text = `${client.text} does not ask the cluster's DNS for ${name}: ${why}`;
  step(walk, { kind: "resolve", ok: !meant, text });
  if (!meant) return end({ code: "LeavesCluster", text: `${name} is a name outside of ${clusterDomain}` });
  const { pod } = client;
  if (pod === undefined)
    return end({ code: "NotAClusterClient", text, proposals: [{ text: "Ask from a pod", ask: { from: "anywhere" } }] });
  const ref = refOf("Pod", pod);
  const to = clusterPolicyFor(pod);
  const edit = { ref, field: "spec.dnsPolicy", from: pod.spec?.dnsPolicy ?? "ClusterFirst", to };
  return end({ code: "NotAClusterClient", text, proposals: [{ text: `Give pod ${ref.namespace}/${ref.name} dnsPolicy ${to}`, edit }] });
}

/** Whether a cluster could answer it: a short name of a Service, or one below the cluster's domain. */
function isClusterName({ world, client }: Walk, name: string): boolean {
  const { clusterDomain } = world.snapshot.config;
  const folded = foldName(name).replace(/\.$/, "");
  if (folded.endsWith(`.${clusterDomain}`) || folded.endsWith(".svc")) return true;
  const [service = "", namespace = client.namespace] = folded.split(".");
  return world.service(namespace, service) !== undefined || !folded.includes(".");
}

/** The cluster's DNS is a Service like any other. */
function dnsServerFault(walk: Walk): Outcome | undefined {
  const service = walk.world.service("kube-system", "kube-dns") ?? walk.world.service("kube-system", "coredns");
  // A cluster whose DNS runs elsewhere, or a directory of manifests.
  if (service === undefined || serviceReady(walk.world, service)) return undefined;
  const name = service.metadata.name ?? "";
  const text = `the cluster's DNS, Service kube-system/${name}, has no ready endpoint: no name resolves`;
  step(walk, { kind: "resolve", ok: false, text, ref: refOf("Service", service) });
  return { code: "DnsServerDown", text, proposals: [{ text: `Mend it first: fairlead explain svc/kube-system/${name}` }] };
}
