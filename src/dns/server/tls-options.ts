/** The `tls` directive as options of node:tls. */
import type { TlsOptions } from "node:tls";
import { FairleadError } from "../../lib/errors.ts";
import type { TlsSettings } from "../plugin.ts";

/** Throws FL_LISTEN when there is no certificate. */
export function tlsOptions(settings: TlsSettings | undefined): TlsOptions {
  if (settings === undefined) {
    throw new FairleadError("FL_LISTEN", "DNS over TLS, HTTPS and gRPC need a certificate", {
      hint: "Add `tls CERT KEY` to the server block.",
    });
  }
  const { cert, key, ca, clientAuth } = settings;
  return {
    cert,
    key,
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca }),
    requestCert: clientAuth !== "nocert",
    rejectUnauthorized: clientAuth === "require_and_verify",
  };
}

/** What node:tls has no word for: whether a client may go on with the certificate that it gave, or did not. */
export function acceptsClient(settings: TlsSettings, has: { readonly certificate: boolean; readonly verified: boolean }): boolean {
  switch (settings.clientAuth) {
    case "nocert":
    case "request":
      return true;
    case "require":
      return has.certificate;
    case "verify_if_given":
      return !has.certificate || has.verified;
    case "require_and_verify":
      return has.certificate && has.verified;
  }
}
