/** CertificateSigningRequests (certificates.k8s.io/v1). */
import { humanDuration } from "../duration.ts";
import { certificateSigningRequests } from "../resources.ts";
import type { CertificateSigningRequest } from "../types.ts";
import { validateCertificateSigningRequest } from "../validation/certificate-signing-request.ts";
import { ageColumn, defineKind, nameColumn, text } from "./define.ts";

function conditionText({ status }: CertificateSigningRequest): string {
  const types = new Set((status?.conditions ?? []).map(({ type }) => type));
  const verdict = types.has("Denied") ? "Denied" : types.has("Approved") ? "Approved" : "Pending";
  const issued = (status?.certificate ?? "") !== "" ? ",Issued" : "";
  return `${verdict}${types.has("Failed") ? ",Failed" : ""}${issued}`;
}

export const certificateSigningRequestKind = defineKind<CertificateSigningRequest>({
  resource: certificateSigningRequests,
  definition: "CertificateSigningRequest",
  singular: "certificatesigningrequest",
  shortNames: ["csr"],
  categories: [],
  subresources: ["status", "approval"],
  nameRule: "dns1123Subdomain",
  prepareForCreate: (request) => {
    request.status = {};
  },
  // What was asked for stays as it was asked, and by whom.
  prepareForUpdate: (request, old) => {
    if (old.spec === undefined) delete (request as { spec?: unknown }).spec;
    else request.spec = structuredClone(old.spec) as typeof request.spec;
    request.status = structuredClone(old.status ?? {}) as NonNullable<typeof request.status>;
  },
  validate: validateCertificateSigningRequest,
  selectableFields: { "spec.signerName": ({ spec }) => spec?.signerName ?? "" },
  columns: [
    nameColumn,
    ageColumn,
    text("SignerName", "Who is asked to sign.", ({ spec }) => spec?.signerName || "<none>"),
    text("Requestor", "Who asks.", ({ spec }) => spec?.username ?? ""),
    text("RequestedDuration", "For how long.", ({ spec }) =>
      spec?.expirationSeconds === undefined ? "<none>" : humanDuration(spec.expirationSeconds * 1000),
    ),
    text("Condition", "What became of it.", conditionText),
  ],
});
