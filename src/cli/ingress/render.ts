/** `fairlead ingress render --engine nginx FILE…`: the same rules as a configuration of nginx, on standard output. */
import type { KubeObject } from "../../api/object.ts";
import type { EndpointSlice, Ingress, IngressClass, Service } from "../../api/types.ts";
import {
  backendKey,
  belongsTo,
  ingressController,
  standInClasses,
  processors,
  renderNginx,
  resolveBackend,
  type Listener,
} from "../../decide/routes/index.ts";
import { FairleadError } from "../../lib/errors.ts";
import { problemText, readAll } from "../apply.ts";
import { readSource, sourceFiles } from "../sources.ts";
import type { Terminal } from "../terminal.ts";

/** 0: every rule is in it; 1: something was refused, by name on standard error. Throws FL_MANIFEST for files that cannot be read. */
export async function render(files: readonly string[], terminal: Terminal): Promise<number> {
  const { manifests, problems } = await readAll(sourceFiles(files).map(readSource));
  if (problems.length > 0) throw new FairleadError("FL_MANIFEST", problems.map(problemText).join("\n"));
  const { text, refused } = renderObjects(manifests.map(({ object }) => object));
  terminal.print(`events {}\nhttp {\n${text.replace(/^(?=.)/gm, "  ")}}`);
  for (const each of refused) terminal.note(`${terminal.paint.red("refused")} ${each}`);
  return refused.length > 0 ? 1 : 0;
}

export function renderObjects(all: readonly KubeObject[], listen = "80") {
  const objects = all.map((each) => ({ ...each, metadata: { ...each.metadata, namespace: each.metadata.namespace ?? "default" } }));
  const of = <T>(kind: string) => objects.filter((each) => each.kind === kind) as unknown as readonly T[];
  const [services, endpointSlices] = [of<Service>("Service"), of<EndpointSlice>("EndpointSlice")];
  const { routeTable } = processors(
    { ingresses: of<Ingress>("Ingress"), ingressClasses: of<IngressClass>("IngressClass"), services, endpointSlices },
    { controller: ingressController, standInFor: [...standInClasses, "fairlead"], serveClassless: true },
  );
  const listener = routeTable.listeners[0] as Listener;
  const refs = listener.virtualHosts.flatMap(({ routes }) => routes.flatMap(({ backends }) => backends));
  const backends = new Map(
    refs.map((ref) => {
      const service = services.find(({ metadata }) => metadata.namespace === ref.namespace && metadata.name === ref.name);
      return [
        backendKey(ref),
        resolveBackend(
          ref,
          service,
          endpointSlices.filter((slice) => belongsTo(slice, ref)),
        ),
      ] as const;
    }),
  );
  return renderNginx(listener, { listen, backends });
}
