/** What the EndpointSlices say now, beside what they should. */
import type { EndpointSlice, Service } from "../../api/types.ts";
import { joinHostPort } from "../../lib/ip.ts";
import type { PodExplanation } from "./service.ts";

/** Slices through which traffic can go: pods that lack every port of a Service are in one that has none. */
export function usableSlices(service: Service, slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
  return (service.spec?.ports ?? []).length === 0 ? slices : slices.filter(({ ports = [] }) => ports.length > 0);
}

/** `address:port` of each ready endpoint, sorted; the address alone where a slice has no ports. */
export function publishedEndpoints(slices: readonly EndpointSlice[]): readonly string[] {
  const texts = slices.flatMap(({ endpoints = [], ports = [] }) =>
    endpoints
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) =>
        addresses.flatMap((address) =>
          ports.length === 0 ? [address] : ports.map(({ port }) => (port === undefined ? address : joinHostPort(address, port))),
        ),
      ),
  );
  return [...new Set(texts)].sort();
}

/** True when the slices name other ready pods than the pods' own state calls for: a controller is behind, or off. */
export function comparePods(slices: readonly EndpointSlice[], pods: readonly PodExplanation[]): boolean {
  const said = slices.flatMap(({ endpoints = [] }) =>
    endpoints.filter(({ conditions }) => conditions?.ready === true).map(({ targetRef }) => targetRef?.name ?? ""),
  );
  const due = pods.filter(({ place }) => place === "ready").map(({ name }) => name);
  return [...new Set(said)].sort().join() !== [...due].sort().join();
}
