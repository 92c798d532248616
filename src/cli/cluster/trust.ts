/**
 * `fairlead trust`: where the local CA's certificate is, and how to have programs trust it. It changes nothing by itself: a CA that is
 * trusted without being asked for is a hole.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { FairleadError } from "../../lib/errors.ts";
import { findCluster, type ClusterChoice } from "../connect.ts";
import type { Output } from "../options.ts";
import { clusterPaths, clusterRoot } from "../paths.ts";
import { shellWord } from "../report.ts";
import type { Terminal } from "../terminal.ts";

export interface TrustOptions extends ClusterChoice {
  readonly output: Output;
}

export function trust(options: TrustOptions, terminal: Terminal): number {
  const file = authorityFile(options);
  if (!existsSync(file))
    throw new FairleadError("FL_NOT_RUNNING", "this cluster has no local CA yet", {
      hint: "It comes with the first Ingress: apply one that has a TLS host, such as shop.localhost.",
    });
  if (options.output === "json") terminal.print(JSON.stringify({ certificate: file }));
  else terminal.print(instructions(file, terminal));
  return 0;
}

/** A running cluster may live outside the data home (`--data-dir`, `--ephemeral`): its kubeconfig lies beside its keys. */
function authorityFile(options: TrustOptions): string {
  try {
    return join(dirname(findCluster(options).kubeconfig), "pki", "local-ca.crt");
  } catch (error) {
    if (!(error instanceof FairleadError) || error.code !== "FL_NOT_RUNNING") throw error;
    return join(clusterPaths(clusterRoot(options)).pki, "local-ca.crt");
  }
}

function instructions(file: string, { paint }: Terminal): string {
  const path = shellWord(file);
  const ways: readonly (readonly [string, string])[] = [
    ["one curl", `curl --cacert ${path} https://…`],
    ["Node programs", `export NODE_EXTRA_CA_CERTS=${path}`],
    ["Chromium, and what else uses your NSS store", `certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n fairlead -i ${path}`],
    ["Firefox", `Settings, Certificates, Import: ${file}`],
    ["everything on a Debian machine", `sudo cp ${path} /usr/local/share/ca-certificates/fairlead.crt && sudo update-ca-certificates`],
  ];
  return [
    `The local CA that signs for this cluster's Ingress hosts: ${paint.cyan(file)}`,
    "Its key lies beside it, mode 0600, and it can vouch for names of this machine only (*.localhost, *.test, …). To trust it, for:",
    ...ways.map(([whom, command]) => `  ${whom}\n    ${paint.cyan(command)}`),
  ].join("\n");
}
