/** What a program must know when pods share the machine's network: where to listen. */
import type { Container } from "../../api/types.ts";
import type { PodIdentity } from "./runtime.ts";

export function loopbackVariables({ ip }: PodIdentity, container: Container): Readonly<Record<string, string>> {
  const port = container.ports?.[0]?.containerPort;
  return { HOST: ip, POD_IP: ip, ...(port === undefined ? {} : { PORT: String(port) }) };
}
