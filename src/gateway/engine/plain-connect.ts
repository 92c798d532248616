/** Connections to endpoints from this host's own network. */
import { connectTcp } from "../../net/connect.ts";
import type { Carrier } from "./carrier.ts";

export const plainConnect: Carrier["connect"] = ({ ip, port }, timeoutMs) =>
  new Promise((resolve, reject) => {
    connectTcp({ host: ip, port, timeoutMs }, (result) => {
      if ("failed" in result) reject(Object.assign(new Error(result.failed), { code: result.failed }));
      else resolve(result);
    });
  });
