/** From a Service's ports to the ports of one pod (upstream `podutil.FindPort`). */
import type { Container, DiscoveryEndpointPort, Pod, Service, ServicePort } from "../../api/types.ts";

/** A Service port whose named targetPort the pod does not have. */
export interface MissingPort {
  /** The Service port's name; "" for an unnamed one. */
  readonly servicePort: string;
  readonly targetPort: string;
  readonly protocol: string;
  /** `http 8080/TCP`: the named ports that the pod has. */
  readonly available: readonly string[];
}

export interface PodPorts {
  readonly ports: readonly DiscoveryEndpointPort[];
  readonly missing: readonly MissingPort[];
}

export function podPorts(service: Service, pod: Pod): PodPorts {
  const ports: DiscoveryEndpointPort[] = [];
  const missing: MissingPort[] = [];
  for (const servicePort of service.spec?.ports ?? []) {
    const number = findPort(pod, servicePort);
    if (number === undefined) missing.push(missingPort(pod, servicePort));
    else ports.push(endpointPort(servicePort, number));
  }
  return { ports, missing };
}

function endpointPort({ name, protocol, appProtocol }: ServicePort, port: number): DiscoveryEndpointPort {
  return { name: name ?? "", protocol: protocol ?? "TCP", port, ...(appProtocol === undefined ? {} : { appProtocol }) };
}

/** The number behind a targetPort in this pod; undefined when it is a name that no container declares. */
export function findPort(pod: Pod, { port, targetPort, protocol = "TCP" }: ServicePort): number | undefined {
  if (typeof targetPort === "number") return targetPort === 0 ? port : targetPort;
  if (targetPort === undefined || targetPort === "") return port;
  for (const container of servingContainers(pod)) {
    for (const declared of container.ports ?? []) {
      if (declared.name === targetPort && (declared.protocol ?? "TCP") === protocol) return declared.containerPort;
    }
  }
  return undefined;
}

/** Containers that run as long as the pod: the ordinary ones, then init containers that are sidecars. */
function servingContainers(pod: Pod): readonly Container[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...(pod.spec?.containers ?? []), ...sidecars];
}

function missingPort(pod: Pod, { name = "", targetPort, protocol = "TCP" }: ServicePort): MissingPort {
  const available = servingContainers(pod).flatMap(({ ports = [] }) =>
    ports.flatMap((port) => (port.name === undefined ? [] : [`${port.name} ${port.containerPort}/${port.protocol ?? "TCP"}`])),
  );
  return { servicePort: name, targetPort: String(targetPort), protocol, available };
}
