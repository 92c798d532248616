/** A request as webhooks and expressions see it: `admission.k8s.io/v1` AdmissionRequest. */
import type { AdmissionRequest } from "./admission.ts";
import { shownUser } from "../reviews/review.ts";

export function reviewRequest(request: AdmissionRequest, uid: string): Readonly<Record<string, unknown>> {
  const { kind, operation, subresource, namespace, name, object, old, user, dryRun } = request;
  const { group, version, plural } = kind.resource;
  const about = { kind: { group, version, kind: kind.resource.kind }, resource: { group, version, resource: plural } };
  return {
    uid,
    ...about,
    ...(subresource === undefined ? {} : { subResource: subresource }),
    requestKind: about.kind,
    requestResource: about.resource,
    ...(subresource === undefined ? {} : { requestSubResource: subresource }),
    ...(name === "" ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    operation,
    userInfo: shownUser(user),
    object: object ?? null,
    oldObject: old ?? null,
    dryRun,
    options: { kind: optionsKinds[operation], apiVersion: "meta.k8s.io/v1", ...(dryRun ? { dryRun: ["All"] } : {}) },
  };
}

const optionsKinds = { CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions" } as const;
