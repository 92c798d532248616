/**
 * Answers that are the same for everybody until the kinds change: discovery and OpenAPI. Each is made when it is first asked
 * for, kept as bytes, and has an ETag, so that clients with a cache get 304.
 */
import { createHash } from "node:crypto";
import type { ApiRequest, ApiResponse } from "../api/request.ts";
import { notAcceptableError } from "../api/status.ts";
import { aggregatedDiscovery, aggregatedType } from "./discovery/aggregated.ts";
import { apiGroup, apiGroupList, apiResourceList, apiVersions } from "./discovery/legacy.ts";
import { aggregatedDiscoveryVersion } from "./encode/accept.ts";
import type { KindTable } from "./kind-table.ts";

const json = "application/json";
const v2Protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/** The type that clients ask for has a character that no media type may have: the answer's is written differently. */
const v2ProtobufSent = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

interface Document {
  readonly type: string;
  readonly bytes: Uint8Array;
  readonly etag: string;
}

export interface DocumentsOptions {
  /** Another object whenever other kinds are served. */
  readonly table: () => KindTable;
  /** `v1.36.0+fairlead` */
  readonly version: string;
  /** `127.0.0.1:6443`; asked each time, since the listener may come later. */
  readonly address: () => string;
}

export class Documents {
  readonly #options: DocumentsOptions;
  readonly #made = new Map<string, Document>();
  /** What the documents made so far describe. */
  #of: KindTable | undefined;

  constructor(options: DocumentsOptions) {
    this.#options = options;
  }

  #table(): KindTable {
    const table = this.#options.table();
    if (table !== this.#of) this.#made.clear();
    this.#of = table;
    return table;
  }

  /** The document at a path; undefined when there is none. Throws 406. */
  async answer(request: ApiRequest): Promise<ApiResponse | undefined> {
    const { path, headers } = request;
    const parts = path.split("/").filter((part) => part !== "");
    const [root] = parts;
    const document = root === "openapi" ? await this.#openApi(parts, headers["accept"]) : this.#discovery(parts, headers["accept"]);
    return document && sent(document, request);
  }

  #discovery(parts: readonly string[], accept: string | undefined): Document | undefined {
    const { address } = this.#options;
    const table = this.#table();
    const [root, group = "", version] = parts;
    const aggregated = parts.length === 1 ? aggregatedDiscoveryVersion(accept) : undefined;
    if (aggregated !== undefined)
      return this.#make(`aggregated ${root} ${aggregated}`, aggregatedType(aggregated), () =>
        encoded(aggregatedDiscovery(table, root === "api", aggregated)),
      );
    if (root === "api" && parts.length === 1) return this.#make(`api ${address()}`, json, () => encoded(apiVersions(table, address())));
    if (root === "api" && parts.length === 2) return this.#optional(`api/${group}`, () => apiResourceList(table, "", group));
    if (root !== "apis") return undefined;
    if (parts.length === 1) return this.#make("apis", json, () => encoded(apiGroupList(table)));
    if (version === undefined) return this.#optional(`apis/${group}`, () => apiGroup(table, group));
    return parts.length === 3 && group !== ""
      ? this.#optional(`apis/${group}/${version}`, () => apiResourceList(table, group, version))
      : undefined;
  }

  // The generators are read in when somebody asks: a start without kubectl never does.
  async #openApi([, kind, ...rest]: readonly string[], accept = json): Promise<Document | undefined> {
    if (kind === "v2" && rest.length === 0) return this.#openApiV2(accept);
    if (kind !== "v3") return undefined;
    if (!acceptsJson(accept)) throw notAcceptableError(`only the following media types are accepted: ${json}`);
    const { version } = this.#options;
    const table = this.#table();
    const { openApiV3, openApiV3Index } = await import("../api/openapi/v3.ts");
    // The documents follow from kinds and version alone: their hash in the index need not wait for them to be made.
    const hashOf = (groupVersion: string) => hash(`${version} ${groupVersion} ${table.kinds.map(({ definition }) => definition).join()}`);
    if (rest.length === 0) return this.#make("v3", json, () => encoded(openApiV3Index(table.kinds, hashOf)));
    const groupVersion = groupVersionOf(rest);
    return groupVersion === undefined
      ? undefined
      : this.#optional(`v3/${groupVersion}`, () => openApiV3(table.kinds, groupVersion, version));
  }

  /** kubectl before 1.29 reads the second version, and only as protobuf. */
  async #openApiV2(accept: string): Promise<Document> {
    const { version } = this.#options;
    const table = this.#table();
    const { openApiV2 } = await import("../api/openapi/v2.ts");
    if (accept.includes("proto-openapi.spec.v2@v1.0+protobuf")) {
      const { openApiV2Protobuf } = await import("../api/openapi/v2-protobuf.ts");
      return this.#make("v2 protobuf", v2ProtobufSent, () => openApiV2Protobuf(openApiV2(table.kinds, version)));
    }
    if (!acceptsJson(accept)) throw notAcceptableError(`only the following media types are accepted: ${json}, ${v2Protobuf}`);
    return this.#make("v2", json, () => encoded(openApiV2(table.kinds, version)));
  }

  #optional(key: string, make: () => object | undefined): Document | undefined {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const object = make();
    return object && this.#make(key, json, () => encoded(object));
  }

  #make(key: string, type: string, make: () => Uint8Array): Document {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const bytes = make();
    const document = { type, bytes, etag: hash(bytes) };
    this.#made.set(key, document);
    return document;
  }
}

const acceptsJson = (accept: string): boolean => /json|\*\/\*|application\/\*/.test(accept);

const hash = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex").slice(0, 32).toUpperCase();

const encoded = (object: object): Buffer => Buffer.from(JSON.stringify(object));

/** `api/v1` or `apis/apps/v1`, as the index of version 3 names them. */
function groupVersionOf(parts: readonly string[]): string | undefined {
  const [root, ...rest] = parts;
  if ((root === "api" && rest.length === 1) || (root === "apis" && rest.length === 2)) return rest.join("/");
  return undefined;
}

function sent({ type, bytes, etag }: Document, { headers }: ApiRequest): ApiResponse {
  const common = { etag: `"${etag}"`, vary: "accept", "cache-control": "no-cache, private" };
  if (headers["if-none-match"]?.includes(etag) === true) return { status: 304, headers: common, body: { kind: "empty" } };
  return { status: 200, headers: { ...common, "content-type": type }, body: { kind: "bytes", bytes } };
}
