/** A Service at all of its ports, as its clients find it. */
import type { Service } from "../../api/types.ts";
import { emptyCause, podsBehind } from "./cause.ts";
import { connect, waysIn, withPort } from "./connect.ts";
import { deliver } from "./deliver.ts";
import { resolve } from "./resolve.ts";
import { refOf } from "./snapshot.ts";
import { listed, step, type Outcome, type Proposal, type Walk } from "./walk.ts";

/** Every port, or the one that is named; the first that is broken ends it. */
export function throughWholeService(walk: Walk, service: Service, only?: number): Outcome {
  const { spec = {}, metadata } = service;
  const id = `${metadata.namespace}/${metadata.name}`;
  if (spec.type === "ExternalName") return alias(walk, service);
  if (spec.clusterIP === "None") return headless(walk, service, only);
  const ports = (spec.ports ?? []).filter(({ port }) => only === undefined || port === only);
  const address = entranceOf(walk, service);
  if (typeof address !== "string") return address;
  if (ports.length === 0) return connect(walk, { address, port: only ?? 0, protocol: "TCP" });
  const outcomes: Outcome[] = [];
  for (const port of ports) {
    const node = walk.client.kind === "outside" && spec.type === "NodePort";
    const outcome = connect(walk, {
      address,
      port: node ? (port.nodePort ?? port.port) : port.port,
      protocol: (port.protocol ?? "TCP") as "TCP",
    });
    if (outcome.code !== "Reachable") return outcome;
    outcomes.push(outcome);
  }
  const endpoints = [...new Set(outcomes.flatMap((each) => each.endpoints ?? []))].toSorted();
  return { code: "Reachable", text: `Service ${id}: ${[...new Set(outcomes.map(({ text }) => text))].join("; ")}`, endpoints };
}

/** Where the client finds the Service, or why nowhere. */
function entranceOf(walk: Walk, service: Service): string | Outcome {
  const { spec = {}, status, metadata } = service;
  const id = `${metadata.namespace}/${metadata.name}`;
  const ref = refOf("Service", service);
  const fail = (outcome: Outcome): Outcome => {
    step(walk, { kind: "service", ok: false, ref, text: outcome.text });
    return outcome;
  };
  if (walk.client.kind === "outside") {
    const [balancer] = status?.loadBalancer?.ingress ?? [];
    if (balancer?.ip !== undefined) return balancer.ip;
    if (balancer?.hostname !== undefined)
      return fail({ code: "LeavesCluster", text: `Service ${id} has its load balancer at ${balancer.hostname}, a name outside` });
    if (spec.type === "LoadBalancer") {
      const text = `Service ${id} is of type LoadBalancer, and nothing has given it an address (status.loadBalancer is empty): does the cluster have a controller for that?`;
      return fail({ code: "LoadBalancerPending", text, proposals: waysIn(service) });
    }
    const [node] = walk.world.snapshot.nodes;
    const address = node?.status?.addresses?.find(({ type }) => type === "InternalIP" || type === "ExternalIP")?.address;
    if (spec.type === "NodePort" && address !== undefined) return address;
    if (spec.externalIPs?.[0] !== undefined) return spec.externalIPs[0];
  }
  const [address] = spec.clusterIPs ?? [spec.clusterIP ?? ""];
  if (address !== undefined && address !== "") return address;
  return fail({ code: "NoClusterIP", text: `Service ${id} has no cluster IP` });
}

function alias(walk: Walk, { metadata }: Service): Outcome {
  const resolved = resolve(walk, `${metadata.name}.${metadata.namespace}`);
  if (resolved.kind === "end") return resolved.outcome;
  const { answered } = resolved;
  const target = answered.kind === "outside" ? answered.target : answered.addresses.join(", ");
  return {
    code: answered.kind === "outside" ? "LeavesCluster" : "Resolves",
    text: `Service ${metadata.namespace}/${metadata.name} is an alias for ${target}`,
  };
}

/** Clients get the pods' addresses from DNS, and must use the pods' ports. */
export function headless(walk: Walk, service: Service, only: number | undefined): Outcome {
  const { metadata, spec } = service;
  const id = `${metadata.namespace}/${metadata.name}`;
  const ref = refOf("Service", service);
  const slices = walk.world.slicesOf(metadata.namespace ?? "", metadata.name ?? "");
  const ports = spec?.ports ?? [];
  const ready = slices.flatMap((slice) =>
    (slice.endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses, targetRef }) =>
        ((slice.ports ?? []).length === 0 ? [undefined] : (slice.ports ?? [])).map((port) => ({
          ip: addresses[0] ?? "",
          port: port?.port,
          ...(targetRef?.name === undefined ? {} : { target: `Pod ${targetRef.namespace}/${targetRef.name}` }),
        })),
      ),
  );
  if (ready.length === 0) {
    const [port = { port: 0 }] = ports;
    const cause = emptyCause(walk.world, { service, port });
    step(walk, { kind: "endpoints", ok: false, ref, text: cause.text });
    return cause;
  }
  const mapped = ports.find(({ port, targetPort }) => port === only && targetPort !== undefined && targetPort !== port);
  const targets = [...new Set(ready.flatMap(({ port }) => port ?? []))];
  if (only !== undefined && mapped !== undefined && !targets.includes(only)) {
    const says = `Service ${id} is headless: its port ${only} is not mapped to the pods' ${listed(targets.map(String))}`;
    step(walk, { kind: "service", ok: false, ref, text: says });
    return {
      code: "HeadlessPort",
      text: says,
      proposals: targets.map((port) => askPort(walk.question.target, port)),
    };
  }
  const text = `Service ${id} is headless: DNS gives the addresses of its ${podsBehind(walk.world, service).matching.length} pods, and no port is mapped`;
  step(walk, { kind: "service", ok: true, ref, text });
  const wanted = only === undefined ? ready : ready.map((each) => ({ ...each, port: only }));
  const unique = [...new Map(wanted.map((each) => [`${each.ip} ${each.port}`, { ...each, port: each.port ?? 0 }])).values()];
  return deliver(walk, unique, "TCP", undefined);
}

function askPort(target: string, port: number): Proposal {
  const other = withPort(target, port);
  return { text: `Ask for port ${port}`, ...(other === undefined ? {} : { ask: { target: other } }) };
}
