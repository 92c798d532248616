/** What a Service says of how its endpoints are asked, for every route that leads there: Ingress or Gateway API. */
import type { Service } from "../../api/types.ts";
import { parseBalance, type BalancePolicy } from "./balance.ts";

export interface ServiceTuning {
  readonly balance?: BalancePolicy;
  /** An endpoint that joins others takes its full share after so long only; milliseconds. */
  readonly slowStartMs?: number;
  /** Each connection begins with a PROXY header of this version, which names the client. */
  readonly proxyProtocol?: 1 | 2;
}

const prefix = "fairlead.dev/";

/** Or a sentence about what cannot be read: a Service that asks for what nobody does is not served otherwise. */
export function readServiceTuning({ metadata }: Service): ServiceTuning | string {
  const { annotations = {} } = metadata;
  const [balanceText, slowText, proxyText] = ["load-balance", "slow-start", "proxy-protocol"].map((name) => annotations[prefix + name]);
  const balance = balanceText === undefined ? undefined : parseBalance(balanceText);
  const slowStartMs = slowText === undefined ? undefined : secondsOf(slowText);
  const proxyProtocol = ({ v1: 1, v2: 2 } as const)[proxyText ?? ""];
  if (balanceText !== undefined && balance === undefined)
    return `${prefix}load-balance ${JSON.stringify(balanceText)} is none of round-robin, least-requests, ewma, hash $variable`;
  if (slowText !== undefined && slowStartMs === undefined)
    return `${prefix}slow-start ${JSON.stringify(slowText)} is no time between 1s and 15m`;
  if (proxyText !== undefined && proxyProtocol === undefined)
    return `${prefix}proxy-protocol ${JSON.stringify(proxyText)} is neither v1 nor v2`;
  return {
    ...(balance === undefined ? {} : { balance }),
    ...(slowStartMs === undefined ? {} : { slowStartMs }),
    ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
  };
}

const units = { s: 1000, m: 60_000 } as const;

function secondsOf(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^([1-9]\d{0,3})(s|m)$/.exec(text) ?? [];
  const ms = Number(digits) * units[unit as keyof typeof units];
  return ms > 0 && ms <= 15 * units.m ? ms : undefined;
}
