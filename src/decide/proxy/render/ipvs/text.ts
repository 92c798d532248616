/** The state as the programs that make it read it: `ipvsadm --restore`, `ipset restore`, `ip -batch`, `iptables-restore --noflush`. */
import { joinHostPort, type IpFamily } from "../../../../lib/ip.ts";
import { restoreText } from "../iptables/text.ts";
import { ipvsSets, kernelSetName, type SetName } from "./sets.ts";
import { realKey, type IpvsState, type VirtualServer } from "./state.ts";

/** Upstream `defaultDummyDevice`. */
export const dummyLink = "kube-ipvs0";

const serviceFlags = { TCP: "-t", UDP: "-u", SCTP: "--sctp-service" } as const;

/** As `ipvsadm -Sn` prints it. */
export function ipvsadmLines(servers: readonly VirtualServer[]): readonly string[] {
  return servers.flatMap((server) => {
    const { scheduler, persistenceSeconds, hashPort } = server;
    const which = `${serviceFlags[server.protocol]} ${joinHostPort(server.address, server.port)}`;
    const sticky = persistenceSeconds === undefined ? "" : ` -p ${persistenceSeconds}`;
    return [
      `-A ${which} -s ${scheduler}${sticky}${hashPort === true ? " -b mh-port" : ""}`,
      ...server.realServers.map((real) => `-a ${which} -r ${realKey(real)} -m -w ${real.weight}`),
    ];
  });
}

export function createSetLine(name: SetName, family: IpFamily): string {
  const { type } = ipvsSets[name];
  const words = type === "bitmap:port" ? "range 0-65535" : `family inet${family === 6 ? "6" : ""} hashsize 1024 maxelem ${maxEntries}`;
  return `create ${kernelSetName(name, family)} ${type} ${words}`;
}

/** More than kube-proxy's 65,536, which a large cluster has: the kernel takes memory only for what is in a set. */
export const maxEntries = 1_048_576;

export function ipsetLines({ family, sets }: Pick<IpvsState, "family" | "sets">): readonly string[] {
  return [...sets].flatMap(([name, entries]) => [
    createSetLine(name, family),
    ...entries.map((entry) => `add ${kernelSetName(name, family)} ${entry}`),
  ]);
}

export function linkLines({ addresses }: Pick<IpvsState, "addresses">): readonly string[] {
  return [
    `link add ${dummyLink} type dummy`,
    ...addresses.map((address) => `address add ${address}/${address.includes(":") ? 128 : 32} dev ${dummyLink}`),
  ];
}

/** Everything of one family, each part after the command that reads it. */
export function ipvsText(state: IpvsState): string {
  const { family, rules } = state;
  const six = family === 6 ? "6" : "";
  const part = (command: string, lines: readonly string[]) => [`# ${command}`, ...lines, ""].join("\n");
  return [
    part("ipset restore", ipsetLines(state)),
    part(`ip -${family} -batch -`, linkLines(state)),
    part("ipvsadm --restore", ipvsadmLines(state.virtualServers)),
    part(`ip${six}tables-restore --noflush`, [restoreText(rules, { jumps: true }).trimEnd()]),
  ].join("\n");
}
