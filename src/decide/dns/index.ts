/** The decisions of DNS: what the cluster's zone holds, and why. */
export { MutableDnsIndex, type DnsIndex } from "./dns-index.ts";
export type { EndpointEntry, ServiceEntry, SliceEntry } from "./entries.ts";
export { leanTransform, type LeanOptions, type Transform } from "./lean.ts";
export type { LookupReason, LookupZone } from "./find.ts";
export type { Answer, LookupResult, NameError, NoData } from "./lookup-result.ts";
export { authority, lookup } from "./lookup.ts";
export { changeTag } from "./change-tag.ts";
