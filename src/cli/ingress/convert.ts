/** `fairlead ingress convert FILE…`: Ingresses, Traefik's IngressRoutes and Istio's VirtualServices as the Gateway API, on standard output. */
import { stringify } from "yaml";
import type { KubeObject } from "../../api/object.ts";
import type { Ingress, Service } from "../../api/types.ts";
import { gatewayApiVersion, type ConversionNote } from "../../decide/routes/convert/converted.ts";
import { convertIngresses } from "../../decide/routes/convert/ingress.ts";
import { convertVirtualServices } from "../../decide/routes/convert/istio.ts";
import { convertIngressRoutes, type Middleware } from "../../decide/routes/convert/traefik.ts";
import { FairleadError } from "../../lib/errors.ts";
import { problemText, readAll } from "../apply.ts";
import { readSource, sourceFiles } from "../sources.ts";
import type { Terminal } from "../terminal.ts";

export interface ConvertFlags {
  readonly gateway: string;
  readonly gatewayClass: string;
}

/** 0: everything was converted; 1: something was refused, by name on standard error. Throws FL_MANIFEST for files that cannot be read. */
export async function convert(files: readonly string[], flags: ConvertFlags, terminal: Terminal): Promise<number> {
  const { manifests, problems } = await readAll(sourceFiles(files).map(readSource));
  if (problems.length > 0) throw new FairleadError("FL_MANIFEST", problems.map(problemText).join("\n"));
  const { objects, notes } = convertObjects(
    manifests.map(({ object }) => object),
    flags,
  );
  terminal.print(
    objects
      .map((object) => stringify(object))
      .join("---\n")
      .trimEnd(),
  );
  for (const note of notes) terminal.note(noteText(note, terminal));
  return notes.some(({ verdict }) => verdict === "refused") ? 1 : 0;
}

export function convertObjects(all: readonly KubeObject[], { gateway, gatewayClass }: ConvertFlags) {
  const objects = all.map((each) => ({ ...each, metadata: { ...each.metadata, namespace: each.metadata.namespace ?? "default" } }));
  const of = (kind: string, group: string) =>
    objects.filter((each) => each.kind === kind && (each.apiVersion ?? "").startsWith(`${group}/`));
  const services = objects.filter(({ kind }) => kind === "Service") as unknown as readonly Service[];
  const ingresses = convertIngresses(of("Ingress", "networking.k8s.io") as unknown as readonly Ingress[], {
    gatewayName: gateway,
    gatewayClassName: gatewayClass,
    portNumber: (namespace, name, port) =>
      services
        .find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)
        ?.spec?.ports?.find((each) => each.name === port)?.port,
  });
  const parent = { name: gateway };
  const routes = convertIngressRoutes(of("IngressRoute", "traefik.io"), of("Middleware", "traefik.io") as readonly Middleware[], parent);
  const virtual = convertVirtualServices(of("VirtualService", "networking.istio.io"), parent);
  const others = [...routes.objects, ...virtual.objects];
  const missing = new Set(others.map(({ metadata }) => metadata.namespace ?? "default"));
  for (const { kind, metadata } of ingresses.objects) if (kind === "Gateway") missing.delete(metadata.namespace ?? "default");
  const gateways = [...missing].map((namespace) => ({
    apiVersion: gatewayApiVersion,
    kind: "Gateway",
    metadata: { name: gateway, namespace },
    spec: { gatewayClassName: gatewayClass, listeners: [{ name: "http", port: 80, protocol: "HTTP" }] },
  }));
  return { objects: [...ingresses.objects, ...gateways, ...others], notes: [...ingresses.notes, ...routes.notes, ...virtual.notes] };
}

function noteText({ verdict, object, field, message }: ConversionNote, { paint }: Terminal): string {
  const mark = verdict === "refused" ? paint.red("refused") : paint.yellow("differs");
  return `${mark} ${object}${field === "" ? "" : ` ${field}`}: ${message}`;
}
