import { FairleadError } from "../../lib/errors.ts";

/** An FL_COREFILE error in CoreDNS's form: `Corefile:3 - Error during parsing: Unknown directive 'foo'`. */
export function corefileError(file: string, line: number, message: string, cause?: unknown): FairleadError {
  return new FairleadError("FL_COREFILE", `${file}:${line} - Error during parsing: ${message}`, cause === undefined ? {} : { cause });
}

/** What a directive's setup refuses, `plugin/cache: Corefile:7 - …`, so that the reader knows which plugin said it. */
export function pluginError(plugin: string, error: FairleadError): FairleadError {
  return new FairleadError("FL_COREFILE", `plugin/${plugin}: ${error.message}`, { cause: error });
}
