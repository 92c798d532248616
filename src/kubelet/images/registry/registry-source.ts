/** Images out of the registries that their names say (OCI distribution-spec v1.1). */
import { sha256 } from "../digest.ts";
import { ImageSourceError, mostManifestBytes, type ImageSource, type ResolvedImage } from "../image-source.ts";
import { manifestTypes, type Descriptor } from "../manifest.ts";
import { readAll, RegistrySession, type Fetch } from "./session.ts";

export function registrySource(fetch: Fetch = globalThis.fetch): ImageSource {
  return {
    name: "its registry",
    async resolve(reference, options) {
      const session = new RegistrySession({ ...options, reference, fetch });
      const answer = await session.get(`manifests/${reference.digest ?? reference.tag}`, manifestTypes);
      if (answer.status === 404) {
        await answer.body?.cancel();
        return undefined;
      }
      const content = await readAll(answer, mostManifestBytes);
      const digest = sha256(content);
      if (reference.digest !== undefined && digest !== reference.digest)
        throw new ImageSourceError(`${reference.registry} gives another manifest, ${digest}, for ${reference.digest}`);
      const mediaType = (answer.headers.get("content-type") ?? "").split(";")[0] as string;
      return resolved(session, { mediaType, digest, size: content.length }, content);
    },
  };
}

function resolved(session: RegistrySession, top: Descriptor, content: Buffer): ResolvedImage {
  return {
    top,
    async manifest({ digest }) {
      if (digest === top.digest) return content;
      return await readAll(await found(session, `manifests/${digest}`, manifestTypes), mostManifestBytes);
    },
    async *blob({ digest }) {
      const answer = await found(session, `blobs/${digest}`, []);
      yield* answer.body ?? [];
    },
  };
}

async function found(session: RegistrySession, path: string, accept: readonly string[]): Promise<Response> {
  const answer = await session.get(path, accept);
  if (answer.status === 404) throw new ImageSourceError(`the registry has no ${path}`);
  return answer;
}
