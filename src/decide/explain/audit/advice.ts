/** What works, and not as somebody may think. */
import type { NetworkPolicy, Pod, Service } from "../../../api/types.ts";
import { matchesLabels, selectorOf } from "../../../api/selectors.ts";
import { wantsZoneHints, zoneHints, zoneShares } from "../../endpoints/zone-hints.ts";
import { diffModes } from "../../proxy/diff/diff.ts";
import { planServices } from "../../proxy/services.ts";
import { planNodeOf } from "../nodes.ts";
import { refOf } from "../snapshot.ts";
import { listed, plural } from "../walk.ts";
import type { World } from "../world.ts";
import { finding, type Finding } from "./finding.ts";

const zoneLabel = "topology.kubernetes.io/zone";

export function adviceFor(world: World, service: Service): readonly Finding[] {
  return [...affinity(service), ...hints(world, service)];
}

function affinity(service: Service): readonly Finding[] {
  const { sessionAffinity, ports = [], type, externalTrafficPolicy, clusterIP } = service.spec ?? {};
  if (sessionAffinity !== "ClientIP") return [];
  const ref = refOf("Service", service);
  const at = (rule: "AffinityLost" | "AffinityPerPort", text: string, ...changes: readonly string[]) => [
    finding(rule, ref, "spec.sessionAffinity", text, changes),
  ];
  if (clusterIP === "None") return at("AffinityLost", "a headless Service has no proxy that could remember its clients");
  const outside = type === "NodePort" || type === "LoadBalancer";
  const lost =
    outside && externalTrafficPolicy !== "Local"
      ? at(
          "AffinityLost",
          "with externalTrafficPolicy Cluster a client that comes by two nodes is two clients",
          "Set externalTrafficPolicy to Local, or let the load balancer keep clients on one node",
        )
      : [];
  return ports.length > 1 ? [...lost, ...at("AffinityPerPort", `the ${ports.length} ports remember a client each for itself`)] : lost;
}

function hints(world: World, service: Service): readonly Finding[] {
  return wantsZoneHints(service) ? autoHints(world, service) : distributionHints(world, service);
}

/** Topology mode Auto: all ready endpoints get hints, or none does. */
function autoHints(world: World, service: Service): readonly Finding[] {
  const ref = refOf("Service", service);
  const slices = world.slicesOf(ref.namespace ?? "", ref.name);
  const families = Map.groupBy(slices, ({ addressType }) => addressType);
  return [...families].flatMap(([family, own]) => {
    const made = zoneHints(
      own.flatMap((slice) => slice.endpoints ?? []),
      zoneShares(world.snapshot.nodes),
    );
    if (made.kind === "given") return [];
    const text = `topology-mode Auto gives no hints to the ${family} endpoints: ${made.why}`;
    return [
      finding("HintsWithheld", ref, "metadata.annotations", text, [
        "Set trafficDistribution to PreferSameZone instead: it keeps to the zone whatever the load",
      ]),
    ];
  });
}

function distributionHints(world: World, service: Service): readonly Finding[] {
  const wanted = service.spec?.trafficDistribution;
  if (wanted === undefined || wanted === "") return [];
  const ref = refOf("Service", service);
  const endpoints = world.slicesOf(ref.namespace ?? "", ref.name).flatMap((slice) => slice.endpoints ?? []);
  const ready = endpoints.filter(({ conditions }) => conditions?.ready !== false);
  const bare = ready.filter(({ hints: given }) => (given?.forZones ?? []).length === 0);
  const [first] = bare;
  if (first !== undefined) {
    const why =
      first.zone === undefined ? `node ${first.nodeName ?? "?"} has no label ${zoneLabel}` : "the EndpointSlice controller gave it none";
    const text = `${bare.length} of ${plural(ready.length, "ready endpoint")} have no hint (${first.targetRef?.name ?? first.addresses[0]}: ${why}): ${wanted} has no effect`;
    return [
      finding(
        "HintsWithheld",
        ref,
        "spec.trafficDistribution",
        text,
        first.zone === undefined ? [`Label each node with ${zoneLabel}`] : [],
      ),
    ];
  }
  const served = new Set(ready.flatMap(({ hints: given }) => (given?.forZones ?? []).map(({ name }) => name)));
  const zones = new Set(world.snapshot.nodes.flatMap(({ metadata }) => metadata.labels?.[zoneLabel] ?? []));
  const empty = [...zones].filter((zone) => !served.has(zone)).toSorted();
  if (ready.length === 0 || empty.length === 0) return [];
  const text = `${listed(empty)} ${empty.length === 1 ? "has" : "have"} no endpoint: clients there use all ${ready.length} of the other zones`;
  return [
    finding("ZoneWithoutEndpoints", ref, "spec.trafficDistribution", text, ["Spread the pods: topologySpreadConstraints with this label"]),
  ];
}

/** Names in the environment and arguments of containers that the search path asks for in vain first. */
export function ndotsWaste({ snapshot }: World): readonly Finding[] {
  const { clusterDomain, nodeSearches } = snapshot.config;
  const seen = new Set<string>();
  return snapshot.pods.flatMap((pod) => {
    const owner = pod.metadata.ownerReferences?.[0]?.name ?? templateOf(pod);
    const key = `${pod.metadata.namespace}/${owner}`;
    if (seen.has(key) || (pod.spec?.dnsPolicy ?? "ClusterFirst") !== "ClusterFirst" || pod.spec?.hostNetwork === true) return [];
    if (pod.spec?.dnsConfig?.options?.some(({ name }) => name === "ndots") === true) return [];
    const names = [...new Set(outsideNames(pod, clusterDomain))];
    if (names.length === 0) return [];
    seen.add(key);
    // A and AAAA, for each of the cluster's three domains and the node's own.
    const questions = 2 * (3 + nodeSearches.length);
    const text = `${listed(names)}: each lookup asks ${questions} questions in vain before the right one`;
    return [
      finding("NdotsWaste", refOf("Pod", pod), "spec.dnsConfig", text, [
        "Set ndots to 2 in dnsConfig.options, or write the names with a final dot",
      ]),
    ];
  });
}

/** `web-5d9c…-x7k2p` and `web-a` alike: pods of one template say the same. */
const templateOf = ({ metadata }: Pod): string => (metadata.name ?? "").replace(/-[a-z0-9]{1,10}$/, "");

function outsideNames({ spec }: Pod, clusterDomain: string): readonly string[] {
  const texts = (spec?.containers ?? []).flatMap(({ env = [], args = [], command = [] }) => [
    ...env.map(({ value = "" }) => value),
    ...args,
    ...command,
  ]);
  return texts.flatMap((text) =>
    [...text.matchAll(/(?:^|[\s"'=@/,])((?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|cloud|app|cn|de|eu|gov|edu))(?=$|[\s"'/:,?])/g)].flatMap(
      ([, name = ""]) => (name.endsWith(clusterDomain) || name.split(".").length > 5 ? [] : [name]),
    ),
  );
}

/** What nftables does otherwise than the mode that the cluster has now (`fairlead proxy diff`). */
export function modeMigration({ snapshot, node }: World): readonly Finding[] {
  const { proxyMode } = snapshot.config;
  if (proxyMode !== "iptables" && proxyMode !== "ipvs") return [];
  const [first] = snapshot.nodes;
  const planNode = planNodeOf(first, snapshot.config);
  const plan = planServices(snapshot.services, snapshot.endpointSlices, planNode, { labelsOf: (name) => node(name)?.metadata.labels });
  return diffModes(plan, { from: proxyMode, to: "nftables" }).services.flatMap(({ service, changes }) => {
    const lost = changes.filter(({ effect }) => effect === "loses");
    const [namespace = "", name = ""] = service.split("/");
    if (lost.length === 0) return [];
    const text = lost.map(({ code, from, to }) => `${code}: ${from}; with nftables ${to}`).join(". ");
    return [finding("ModeMigration", { kind: "Service", namespace, name }, "", text)];
  });
}

export function idlePolicies(world: World): readonly Finding[] {
  return world.snapshot.networkPolicies.flatMap((policy: NetworkPolicy) => {
    const selector = selectorOf(policy.spec?.podSelector ?? {});
    const pods = world.podsIn(policy.metadata.namespace ?? "");
    if (pods.length === 0 || pods.some(({ metadata }) => matchesLabels(selector, metadata.labels ?? {}))) return [];
    return [
      finding(
        "PolicySelectsNothing",
        refOf("NetworkPolicy", policy),
        "spec.podSelector",
        "no pod of its namespace has these labels: it protects nothing",
      ),
    ];
  });
}
