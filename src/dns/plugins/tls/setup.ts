import { errorMessage } from "../../../lib/errors.ts";
import type { TokenReader } from "../../corefile/reader.ts";
import { blockPath } from "../../corefile/sources.ts";
import type { BlockContext, PluginEntry, TlsSettings } from "../../plugin.ts";

const clientAuths: readonly TlsSettings["clientAuth"][] = ["nocert", "request", "require", "verify_if_given", "require_and_verify"];

const acme = "let certbot or cert-manager keep the certificate, and name its files: tls CERT KEY";

/** CoreDNS's options that are not here: refused by name. */
const absent: Readonly<Record<string, string>> = {
  keylog: "it writes the keys of every connection into a file; ask with kdig +tls instead",
  acme,
  email: acme,
  ca: acme,
  storage: acme,
  ca_root: acme,
  resolver: acme,
};

function unsupported(reader: TokenReader): Error {
  const why = Object.hasOwn(absent, reader.value) ? absent[reader.value] : undefined;
  return why === undefined
    ? reader.error(`unknown option '${reader.value}'; expected client_auth`)
    : reader.error(`option '${reader.value}' of tls is not supported here: ${why}`);
}

export const tls: PluginEntry = {
  name: "tls",
  setup(reader, block) {
    if (block.listening.tls !== undefined) throw reader.error("TLS already configured for this server instance");
    reader.next();
    const args = reader.args();
    if (args.length === 0 && reader.nextInBlock()) throw unsupported(reader);
    if (args.length < 2 || args.length > 3) throw reader.argumentError();
    const [cert = "", key = "", ca] = args;
    let clientAuth: TlsSettings["clientAuth"] = "nocert";
    while (reader.nextInBlock()) {
      if (reader.value !== "client_auth") throw unsupported(reader);
      const [word = ""] = reader.exactly(1);
      const known = clientAuths.find((one) => one === word);
      if (known === undefined) throw reader.error(`unknown authentication type '${word}'; expected ${clientAuths.join(", ")}`);
      clientAuth = known;
    }
    block.listening.tls = {
      cert: readPem(reader, block, cert),
      key: readPem(reader, block, key),
      ...(ca === undefined ? {} : { ca: readPem(reader, block, ca) }),
      clientAuth,
    };
    return {};
  },
};

export function readPem(reader: TokenReader, block: BlockContext, path: string): string {
  try {
    return block.environment.sources.readFile(blockPath(block, path));
  } catch (error) {
    throw reader.error(`${path} cannot be read: ${errorMessage(error)}`, error);
  }
}
