/** Why a Service port has nothing behind it: the first cause, and what could be otherwise. */
import type { Pod, Service } from "../../api/types.ts";
import { isPodReady, podAddresses } from "../endpoints/pod-state.ts";
import { findPort, podPorts } from "../endpoints/ports.ts";
import type { EndpointReason } from "../endpoints/reasons.ts";
import { addressTypesOf, matchesSelector, missingPortsText, selectEndpoints, type Selection } from "../endpoints/select.ts";
import type { ExplainCode } from "./codes.ts";
import type { Edit } from "./explanation.ts";
import { selectorCause } from "./selector-cause.ts";
import { refOf } from "./snapshot.ts";
import { listed, plural, type Outcome, type Proposal, type ServiceTarget } from "./walk.ts";
import type { World } from "./world.ts";
import { notReady } from "./not-ready.ts";

/** The pods that the selector means, and what the controllers make of them. */
export function podsBehind(world: World, service: Service): { readonly matching: readonly Pod[]; readonly selection: Selection } {
  const selector = service.spec?.selector ?? {};
  const matching =
    Object.keys(selector).length === 0
      ? []
      : world.podsIn(service.metadata.namespace ?? "").filter(({ metadata }) => matchesSelector(selector, metadata.labels));
  // Without the nodes nobody can say that one is missing.
  const knowsNodes = world.snapshot.nodes.length > 0;
  const lookup = knowsNodes ? world.node : () => ({ metadata: {} });
  return { matching, selection: selectEndpoints(service, matching, lookup) };
}

export function emptyCause(world: World, target: ServiceTarget): Outcome {
  const { service } = target;
  const id = `${service.metadata.namespace}/${service.metadata.name}`;
  const { matching, selection } = podsBehind(world, service);
  if (selection.reason !== undefined) return writtenByHand(world, target, id);
  if (world.snapshot.config.unread.some(({ kind }) => kind === "Pod"))
    return { code: "NotRead", text: `Service ${id} has no ready endpoint; why cannot be said, since the pods could not be read` };
  if (matching.length === 0) return selectorCause(world, service);
  return podsCause(world, target, id, matching, selection);
}

/** Endpoints of a Service without selector come from people. */
function writtenByHand(world: World, { service, port }: ServiceTarget, id: string): Outcome {
  const { namespace = "", name = "" } = service.metadata;
  const slices = world.slicesOf(namespace, name);
  const endpoints = slices.flatMap((slice) => slice.endpoints ?? []);
  if (endpoints.length === 0) {
    const text = `Service ${id} has no selector, and no EndpointSlice was written for it`;
    return {
      code: "NoSelectorNoEndpoints",
      text,
      proposals: [{ text: `Give Service ${id} a selector, or write an EndpointSlice labelled kubernetes.io/service-name: ${name}` }],
    };
  }
  const wanted = port.name ?? "";
  const names = [...new Set(slices.flatMap(({ ports = [] }) => ports.map((each) => `${each.name ?? ""}/${each.protocol ?? "TCP"}`)))];
  if (!names.includes(`${wanted}/${port.protocol ?? "TCP"}`)) {
    const text = `the EndpointSlices of Service ${id} have the ports ${listed(names.map(quotePort))}, and its port is ${quotePort(`${wanted}/${port.protocol ?? "TCP"}`)}: names and protocols must agree`;
    return { code: "EndpointPortMismatch", text, proposals: sliceNameEdits(world, namespace, name, wanted) };
  }
  const families = addressTypesOf(service);
  if (!slices.some(({ addressType }) => families.includes(addressType as "IPv4")))
    return {
      code: "NoAddressOfFamily",
      text: `the EndpointSlices of Service ${id} are ${listed([...new Set(slices.map((slice) => slice.addressType))])}, and it uses ${listed(families)}`,
    };
  return { code: "PodsNotReady", text: `none of the ${plural(endpoints.length, "endpoint")} written for Service ${id} is marked ready` };
}

const quotePort = (text: string): string => JSON.stringify(text.split("/")[0]) + ` ${text.split("/")[1]}`;

function sliceNameEdits(world: World, namespace: string, service: string, to: string): readonly Proposal[] {
  return world.slicesOf(namespace, service).flatMap((slice) => {
    if ((slice.ports ?? []).length !== 1) return [];
    const ref = refOf("EndpointSlice", slice);
    const edit: Edit = { ref, field: "ports[0].name", from: slice.ports?.[0]?.name ?? "", to };
    return [{ text: `Name the port of EndpointSlice ${ref.namespace}/${ref.name} ${JSON.stringify(to)}`, edit }];
  });
}

function podsCause(world: World, target: ServiceTarget, id: string, matching: readonly Pod[], selection: Selection): Outcome {
  const { port } = target;
  const usable = matching.filter((pod) => !selection.leftOut.some((out) => out.pod === pod));
  const ready = usable.filter((pod) => isPodReady(pod) && pod.metadata.deletionTimestamp === undefined);
  const lacking = ready.filter((pod) => findPort(pod, port) === undefined);
  if (ready.length > 0 && lacking.length === ready.length) return missingPort(target, id, lacking);
  if (ready.length > lacking.length) {
    const text = `${plural(ready.length, "pod")} of Service ${id} ${ready.length === 1 ? "is" : "are"} ready, and its EndpointSlices do not say so: is the EndpointSlice controller running?`;
    return {
      code: "EndpointsBehind",
      text,
      proposals: [{ text: "Look after the controller endpointslice-controller of kube-controller-manager" }],
    };
  }
  const left = ofLeftOut(selection, id);
  if (usable.length === 0 && left !== undefined) return left;
  return notReady(world, id, matching);
}

const leftOutCodes: Partial<Record<EndpointReason, ExplainCode>> = { NodeNotFound: "NodeUnknown", NoAddressOfFamily: "NoAddressOfFamily" };

function ofLeftOut({ leftOut }: Selection, id: string): Outcome | undefined {
  const found = leftOut.find(({ reason }) => leftOutCodes[reason] !== undefined);
  const code = found === undefined ? undefined : leftOutCodes[found.reason];
  if (found === undefined || code === undefined) return undefined;
  const { metadata } = found.pod;
  const text = `no pod of Service ${id} can be an endpoint: pod ${metadata.name} ${found.detail}`;
  if (code !== "NoAddressOfFamily") return { code, text };
  const has = podAddresses(found.pod).some((address) => address.includes(":")) ? "IPv6" : "IPv4";
  return { code, text, proposals: [{ text: `Make Service ${id} anew with ipFamilies [${has}] (the primary family cannot be changed)` }] };
}

function missingPort({ service, port }: ServiceTarget, id: string, [pod]: readonly Pod[]): Outcome {
  const missing = pod === undefined ? [] : podPorts(service, pod).missing.filter(({ servicePort }) => servicePort === (port.name ?? ""));
  const text = `no pod of Service ${id} has the port: ${missingPortsText(missing)}`;
  const index = (service.spec?.ports ?? []).indexOf(port);
  const ref = refOf("Service", service);
  const proposals = (missing[0]?.available ?? []).flatMap((available): Proposal[] => {
    const [name = "", , protocol = ""] = /^(\S+) \d+\/(\w+)$/.exec(available) === null ? [] : available.split(/[ /]/);
    if (protocol !== (port.protocol ?? "TCP")) {
      if (name !== String(port.targetPort)) return [];
      const edit: Edit = { ref, field: `spec.ports[${index}].protocol`, from: port.protocol ?? "TCP", to: protocol };
      return [
        { text: `Declare the container port ${name} for ${port.protocol ?? "TCP"}, if the program serves that` },
        { text: `Set the protocol of port ${port.port} of Service ${id} to ${protocol}, if clients use that`, edit },
      ];
    }
    const edit: Edit = { ref, field: `spec.ports[${index}].targetPort`, from: port.targetPort, to: name };
    return [{ text: `Set targetPort of port ${port.port} of Service ${id} to ${name}`, edit }];
  });
  return { code: "TargetPortNameMissing", text, proposals: [...numberMeant(service, port, ref, id), ...proposals] };
}

/** `"9376"` in quotes is a name: the number was meant. */
function numberMeant(service: Service, port: ServiceTarget["port"], ref: ReturnType<typeof refOf>, id: string): readonly Proposal[] {
  const { targetPort } = port;
  if (typeof targetPort !== "string" || !/^\d{1,5}$/.test(targetPort)) return [];
  const edit: Edit = {
    ref,
    field: `spec.ports[${(service.spec?.ports ?? []).indexOf(port)}].targetPort`,
    from: targetPort,
    to: Number(targetPort),
  };
  return [{ text: `Set targetPort of port ${port.port} of Service ${id} to the number ${targetPort}: in quotes it is a name`, edit }];
}
