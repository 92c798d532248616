/** Names of images, as the distribution's grammar has them (github.com/distribution/reference). Pure. */

export interface ImageReference {
  /** `docker.io`, `registry.k8s.io`, `127.0.0.1:5000` */
  readonly registry: string;
  /** `library/nginx` */
  readonly repository: string;
  /** Absent only where there is a digest. */
  readonly tag?: string;
  /** `sha256:…` */
  readonly digest?: string;
}

const defaultRegistry = "docker.io";
const defaultTag = "latest";
const mostNameChars = 255;
const component = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const repositoryPattern = new RegExp(`^${component}(?:/${component})*$`);
const label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const registryPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[a-f0-9]{64}$/;

/** Undefined where the text is no image's name. */
export function parseImageReference(text: string): ImageReference | undefined {
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : digest === undefined ? defaultTag : undefined;
  const { registry, repository } = splitName(hasTag ? named.slice(0, colon) : named);
  if (!registryPattern.test(registry) || !repositoryPattern.test(repository)) return undefined;
  if (registry.length + 1 + repository.length > mostNameChars) return undefined;
  if (tag !== undefined && !tagPattern.test(tag)) return undefined;
  if (digest !== undefined && !digestPattern.test(digest)) return undefined;
  return { registry, repository, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

/** The whole name: `docker.io/library/nginx:latest`. */
export function formatImageReference({ registry, repository, tag, digest }: ImageReference): string {
  return `${registry}/${repository}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
}

function splitName(name: string): { readonly registry: string; readonly repository: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isRegistry = /[.:]/.test(first) || first === "localhost";
  const registry = !isRegistry || first === "index.docker.io" ? defaultRegistry : first;
  const path = isRegistry ? name.slice(slash + 1) : name;
  return { registry, repository: registry === defaultRegistry && !path.includes("/") ? `library/${path}` : path };
}
