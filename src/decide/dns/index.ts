/** The decisions of DNS: what the cluster's zone holds, and why. */
export { MutableDnsIndex, type DnsIndex, type EndpointEntry, type ServiceEntry, type SliceEntry } from "./dns-index.ts";
export type { LookupReason, LookupZone } from "./find.ts";
export type { Answer, LookupResult, NameError, NoData } from "./lookup-result.ts";
export { authority, lookup } from "./lookup.ts";
export { changeTag } from "./change-tag.ts";
