/** A zone from its file. */
import { errorMessage } from "../../../lib/errors.ts";
import { besideFile, type CorefileSources } from "../../corefile/sources.ts";
import { parseZoneFile, type ZoneFile } from "../../zone-file/parse-zone-file.ts";

/** `origin`: folded. The error says what is wrong and where. */
export function loadZone(path: string, origin: string, sources: Pick<CorefileSources, "readFile">): ZoneFile {
  const include = (name: string, from: string) => {
    const file = besideFile(from, name);
    return { text: sources.readFile(file), file };
  };
  try {
    return parseZoneFile(sources.readFile(path), { origin, file: path, include });
  } catch (error) {
    return { kind: "error", reason: errorMessage(error) };
  }
}
