/**
 * The ways to an endpoint in loopback mode, with a test's faults in them: the proxy's, the forward proxy's to an address that is
 * no Service, the gateway's, and the kubelet's for probes. A time limit runs by the cluster's clock here, so that a
 * test which moves it need not wait.
 */
import type { Socket } from "node:net";
import type { Connect } from "../../kubelet/runtime/runtime.ts";
import { connectFromHost } from "../../kubelet/runtime/connect.ts";
import type { Clock } from "../../lib/clock.ts";
import { connectTcp, type ConnectOptions, type ConnectResult } from "../../net/connect.ts";
import { hostTransport, type Transport } from "../../proxy/transport.ts";
import type { Interference, Unreachable } from "../interference.ts";

export interface InterferedWays {
  /** The proxy's. */
  readonly transport: Transport;
  /** To an address that is no Service. */
  readonly connectTcp: (options: ConnectOptions, done: (result: ConnectResult) => void) => void;
  /** The gateway's. Rejects with the system's error. */
  readonly connectEndpoint: (ip: string, port: number, timeoutMs: number) => Promise<Socket>;
  /** The kubelet's. */
  readonly probe: Connect;
}

const defaultProbeTimeoutMs = 10_000;
/** Nothing listens there: the kernel itself refuses the datagrams. */
const closedPort = 1;

export function interferedWays({ unreachable }: Interference, clock: Clock): InterferedWays {
  const failing = (code: Unreachable, timeoutMs: number, fail: () => void) => {
    if (code === "ETIMEDOUT") clock.after(timeoutMs, fail);
    else setImmediate(fail);
  };
  const rejecting = (code: Unreachable, where: string, timeoutMs: number) =>
    new Promise<never>((_, reject) => {
      failing(code, timeoutMs, () => reject(Object.assign(new Error(`connect ${code} ${where}`), { code })));
    });
  return {
    transport: {
      ...hostTransport,
      connect(approach, timeoutMs, done) {
        const code = unreachable(approach.endpoint.ip);
        if (code === undefined) hostTransport.connect(approach, timeoutMs, done);
        else failing(code, timeoutMs, () => done({ failed: code }));
      },
      udpTarget(approach) {
        const target = hostTransport.udpTarget(approach);
        return unreachable(approach.endpoint.ip) === undefined ? target : { ...target, port: closedPort };
      },
    },
    connectTcp(options, done) {
      const code = unreachable(options.host);
      if (code === undefined) connectTcp(options, done);
      else failing(code, options.timeoutMs, () => done({ failed: code }));
    },
    connectEndpoint(ip, port, timeoutMs) {
      const code = unreachable(ip);
      return code === undefined ? connectFromHost({ host: ip, port, timeoutMs }) : rejecting(code, `${ip}:${port}`, timeoutMs);
    },
    probe(target) {
      const { host, port, timeoutMs = defaultProbeTimeoutMs } = target;
      const code = unreachable(host);
      return code === undefined ? connectFromHost(target) : rejecting(code, `${host}:${port}`, timeoutMs);
    },
  };
}
