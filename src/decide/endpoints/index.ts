/** The decisions about endpoints: who is one, in which slice, and why not. Pure; see each file. */
export { endpointReasons, serviceReasons, type EndpointPlace, type EndpointReason, type ServiceReason } from "./reasons.ts";
export { selectEndpoints, type LeftOut, type NodeLookup, type SelectedEndpoint, type Selection } from "./select.ts";
export { reconcileSlices, type EndpointGroup, type SliceChanges, type SliceOptions } from "./slices.ts";
export { sliceParentOfEndpoints, sliceParentOfService, type SliceParent } from "./slice-metadata.ts";
export { subsetsOf, truncateSubsets } from "./subsets.ts";
export { mirrorSubsets } from "./mirror.ts";
export { withHints } from "./hints.ts";
