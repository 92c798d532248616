/** Labels and annotations of Endpoints and EndpointSlices (`k8s.io/api/core/v1`, `k8s.io/api/discovery/v1`). */

export const serviceNameLabel = "kubernetes.io/service-name";
export const sliceManagedByLabel = "endpointslice.kubernetes.io/managed-by";
export const skipMirrorLabel = "endpointslice.kubernetes.io/skip-mirror";
export const headlessLabel = "service.kubernetes.io/headless";
export const endpointsManagedByLabel = "endpoints.kubernetes.io/managed-by";
export const triggerTimeAnnotation = "endpoints.kubernetes.io/last-change-trigger-time";
export const overCapacityAnnotation = "endpoints.kubernetes.io/over-capacity";
/** The lock of old leader elections: such Endpoints belong to no Service. */
export const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader";

export const sliceControllerName = "endpointslice-controller.k8s.io";
export const mirroringControllerName = "endpointslicemirroring-controller.k8s.io";
export const endpointsControllerName = "endpoint-controller";
