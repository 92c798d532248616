/** Who asks for a certificate is who sends the request, whatever it says (`pkg/registry/certificates/certificates/strategy.go`). */
import type { Draft } from "../../api/object.ts";
import { certificateSigningRequests } from "../../api/resources.ts";
import type { CertificateSigningRequest } from "../../api/types.ts";
import type { AdmissionPlugin } from "./admission.ts";

export const certificateRequestor: AdmissionPlugin = {
  name: "CertificateRequestor",
  admit({ kind, operation, subresource, object, user }) {
    if (operation !== "CREATE" || subresource !== undefined || kind.resource.plural !== certificateSigningRequests.plural) return;
    const { spec } = object as unknown as Draft<CertificateSigningRequest>;
    if (spec === undefined) return;
    delete spec.uid;
    delete spec.extra;
    spec.username = user.name;
    spec.groups = [...user.groups];
    if (user.uid !== undefined) spec.uid = user.uid;
    if (user.extra !== undefined) spec.extra = structuredClone(user.extra) as NonNullable<typeof spec.extra>;
  },
};
