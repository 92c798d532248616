/**
 * Windows' Host Compute Network by its own library, computenetwork.dll (Windows SDK computenetwork.h): objects are JSON, of schema version
 * 2. UNTESTED: no Windows has run this. What decides is in src/decide/proxy/render/kernelspace and has its tests; `fake.ts` is the same in memory.
 */
import { FairleadError } from "../../lib/errors.ts";
import { loadKoffi } from "../syscalls/koffi.ts";

export type HcnKind = "Network" | "Endpoint" | "LoadBalancer";
export type HcnObject = Readonly<Record<string, unknown>>;

export interface Hcn {
  /** Ids of all. */
  list(kind: HcnKind): readonly string[];
  properties(kind: HcnKind, id: string): HcnObject;
  /** `network`: of an endpoint. */
  create(kind: "Endpoint" | "LoadBalancer", id: string, settings: object, network?: string): void;
  remove(kind: "Endpoint" | "LoadBalancer", id: string): void;
}

/** As much of koffi as is needed here: text of 16 bits, and pointers that the callee fills in. */
interface WindowsKoffi {
  load(path: string): { func(prototype: string): (...values: unknown[]) => number };
  decode(pointer: unknown, type: string, length: number): string;
}

type Out = [unknown];
type Call = (...values: unknown[]) => number;

/** Throws FL_UNSUPPORTED elsewhere than on Windows. */
export function openHcn(platform: NodeJS.Platform = process.platform): Hcn {
  if (platform !== "win32") throw new FairleadError("FL_UNSUPPORTED", `HNS is of Windows, this is ${platform}`);
  const koffi = loadKoffi() as unknown as WindowsKoffi | undefined;
  if (koffi === undefined) throw new FairleadError("FL_UNSUPPORTED", "HNS needs the koffi package, which is not installed");
  return hcnOf(koffi);
}

function hcnOf(koffi: WindowsKoffi): Hcn {
  const [library, ole] = [koffi.load("computenetwork.dll"), koffi.load("ole32.dll")];
  const free = ole.func("void __stdcall CoTaskMemFree(void*)");
  const bound = new Map<string, Call>();
  const call = (name: string, parameters: string): Call => {
    const known = bound.get(name) ?? library.func(`int32_t __stdcall ${name}(${parameters})`);
    bound.set(name, known);
    return known;
  };
  const take = (out: Out): string => {
    if (out[0] === null) return "";
    const text = koffi.decode(out[0], "char16_t", -1);
    free(out[0]);
    return text;
  };
  const check = (what: string, run: (error: Out) => number): void => {
    const error: Out = [null];
    const result = run(error);
    const message = take(error);
    if (result < 0) throw new FairleadError("FL_RUNTIME", `${what}: 0x${(result >>> 0).toString(16)} ${message}`);
  };
  const withHandle = <T>(kind: HcnKind, id: string, use: (handle: unknown) => T): T => {
    const handle: Out = [null];
    const open = call(`HcnOpen${kind}`, "const void* id, _Out_ void** handle, _Out_ void** error");
    check(`HcnOpen${kind} ${id}`, (error) => open(guidBytes(id), handle, error));
    try {
      return use(handle[0]);
    } finally {
      call(`HcnClose${kind}`, "void* handle")(handle[0]);
    }
  };
  return {
    list(kind) {
      const found: Out = [null];
      const enumerate = call(`HcnEnumerate${kind}s`, "const char16_t* query, _Out_ void** found, _Out_ void** error");
      check(`HcnEnumerate${kind}s`, (error) => enumerate(JSON.stringify({ SchemaVersion: { Major: 2, Minor: 0 } }), found, error));
      return JSON.parse(take(found) || "[]") as string[];
    },
    properties: (kind, id) =>
      withHandle(kind, id, (handle) => {
        const found: Out = [null];
        const query = call(`HcnQuery${kind}Properties`, "void* handle, const char16_t* query, _Out_ void** found, _Out_ void** error");
        check(`HcnQuery${kind}Properties ${id}`, (error) => query(handle, "{}", found, error));
        return JSON.parse(take(found) || "{}") as HcnObject;
      }),
    create(kind, id, settings, network) {
      const made: Out = [null];
      const [text, bytes] = [JSON.stringify(settings), guidBytes(id)];
      const common = "const void* id, const char16_t* settings, _Out_ void** made, _Out_ void** error";
      if (network === undefined) check(`HcnCreate${kind}`, (error) => call(`HcnCreate${kind}`, common)(bytes, text, made, error));
      else
        withHandle("Network", network, (handle) =>
          check(`HcnCreate${kind}`, (error) => call(`HcnCreate${kind}`, `void* network, ${common}`)(handle, bytes, text, made, error)),
        );
      call(`HcnClose${kind}`, "void* handle")(made[0]);
    },
    remove(kind, id) {
      check(`HcnDelete${kind} ${id}`, (error) => call(`HcnDelete${kind}`, "const void* id, _Out_ void** error")(guidBytes(id), error));
    },
  };
}

/** As Windows keeps it: the first three groups in the machine's order, the rest as written. */
export function guidBytes(id: string): Uint8Array {
  const bytes = Buffer.from(id.replace(/[{}-]/g, ""), "hex");
  if (bytes.length !== 16) throw new TypeError(`no GUID: ${id}`);
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
