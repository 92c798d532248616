import { FairleadError } from "../../lib/errors.ts";
import type { Terminal } from "../terminal.ts";
import type { SnapshotChoice } from "./read-snapshot.ts";

export async function audit(_options: SnapshotChoice & { readonly output: string }, _terminal: Terminal): Promise<number> {
  throw new FairleadError("FL_UNSUPPORTED", "explain --all");
}
