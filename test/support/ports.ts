/** Ports of the loopback address, for servers that are programs of others. */
import { connect, createServer, type AddressInfo } from "node:net";

/** One that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Resolves when somebody listens there; the caller ends a wait that is in vain. */
export async function accepts(port: number): Promise<void> {
  for (;;) {
    const outcome = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
      socket.on("error", () => resolve(false));
    });
    if (outcome) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
