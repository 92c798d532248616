/** The Gateway API's definitions, as its release has them, that come with this program (`scripts/gateway-api-definitions.ts` writes the file). */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { FairleadError } from "../../lib/errors.ts";
import type { Source } from "../sources.ts";

export const gatewayApiChannels = ["standard", "experimental"] as const;
export type GatewayApiChannel = (typeof gatewayApiChannels)[number];

interface Definitions extends Readonly<Record<GatewayApiChannel, string>> {
  readonly release: string;
}

/** As a manifest. Throws FL_MANIFEST where the file is not installed. */
export function gatewayApiDefinitions(channel: GatewayApiChannel): Source {
  const definitions = JSON.parse(brotliDecompressSync(readFileSync(file())).toString()) as Definitions;
  return { name: `Gateway API ${definitions.release} (${channel})`, text: definitions[channel] };
}

/** Beside `dist`, or beside `src` when the sources run. */
function file(): string {
  const places = ["../packaging", "../../../packaging"].map((place) => join(import.meta.dirname, place, "gateway-api.json.br"));
  const found = places.find((path) => existsSync(path));
  if (found === undefined) throw new FairleadError("FL_MANIFEST", "the Gateway API's definitions are not installed with this program");
  return found;
}
