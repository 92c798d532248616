/** The text of a kubeconfig with one cluster, one user and one context. It holds a private key: write it with mode 0600. */
import type { CertificateAndKey } from "./certificates.ts";

export interface KubeconfigOptions {
  /** `fairlead`; context, cluster and user are called so. */
  readonly name: string;
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** PEM */
  readonly ca: string;
  readonly client: CertificateAndKey;
  /** Where `kubectl` works without `-n`; default: not named. */
  readonly namespace?: string;
}

export function kubeconfigText({ name, server, ca, client, namespace }: KubeconfigOptions): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  // JSON strings are YAML strings.
  const quoted = JSON.stringify(name);
  return `apiVersion: v1
kind: Config
current-context: ${quoted}
clusters:
- name: ${quoted}
  cluster:
    server: ${JSON.stringify(server)}
    certificate-authority-data: ${base64(ca)}
contexts:
- name: ${quoted}
  context:
    cluster: ${quoted}
    user: ${quoted}${namespace === undefined ? "" : `\n    namespace: ${JSON.stringify(namespace)}`}
preferences: {}
users:
- name: ${quoted}
  user:
    client-certificate-data: ${base64(client.cert)}
    client-key-data: ${base64(client.key)}
`;
}
