/**
 * DNS records as frozen plain data, and the numbers of the protocol that decisions need (RFC 1035, RFC 6895). How they look
 * on the wire is `dns/wire`; nothing here knows bytes beyond opaque ones.
 */

/** Type mnemonic → code (IANA "Resource Record (RR) TYPEs"). */
export const recordTypes = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  RT: 21,
  SIG: 24,
  KEY: 25,
  AAAA: 28,
  LOC: 29,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  DS: 43,
  SSHFP: 44,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  CDS: 59,
  CDNSKEY: 60,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  URI: 256,
  CAA: 257,
} as const satisfies Readonly<Record<string, number>>;

export const rcodes = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
} as const satisfies Readonly<Record<string, number>>;

export const classes = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

const typeNames = new Map<number, string>(Object.entries(recordTypes).map(([name, code]) => [code, name]));
const rcodeNames = new Map<number, string>(Object.entries(rcodes).map(([name, code]) => [code, name]));
const classNames = new Map<number, string>(Object.entries(classes).map(([name, code]) => [code, name]));

/** `AAAA`; `TYPE65280` for one without a mnemonic (RFC 3597 5). */
export const typeName = (code: number): string => typeNames.get(code) ?? `TYPE${code}`;
/** `NXDOMAIN`; `RCODE28` for one without a mnemonic. */
export const rcodeName = (code: number): string => rcodeNames.get(code) ?? `RCODE${code}`;
/** `IN`; `CLASS42` for one without a mnemonic (RFC 3597 5). */
export const className = (code: number): string => classNames.get(code) ?? `CLASS${code}`;

/** The code of `AAAA` or `TYPE28`, any case; undefined for anything else. */
export function typeCode(name: string): number | undefined {
  const upper = name.toUpperCase();
  return own(recordTypes, upper) ?? numbered(upper, "TYPE");
}

export function classCode(name: string): number | undefined {
  const upper = name.toUpperCase();
  return own(classes, upper) ?? numbered(upper, "CLASS");
}

export function rcodeCode(name: string): number | undefined {
  return own(rcodes, name.toUpperCase());
}

function own(table: Readonly<Record<string, number>>, key: string): number | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

function numbered(text: string, prefix: string): number | undefined {
  const digits = text.startsWith(prefix) ? text.slice(prefix.length) : "";
  return /^\d{1,5}$/.test(digits) && Number(digits) <= 0xffff ? Number(digits) : undefined;
}

export interface SvcParam {
  readonly key: number;
  readonly value: Uint8Array;
}

/**
 * What a record says, by the shape of its data. Names are absolute, in presentation form (`a\.b.example.`); character strings
 * hold one byte a character.
 */
export type RecordData =
  /** A, AAAA: canonical text. */
  | { readonly kind: "address"; readonly address: string }
  /** NS, CNAME, PTR, DNAME and the old MD, MF, MB, MG, MR. */
  | { readonly kind: "name"; readonly target: string }
  | {
      readonly kind: "soa";
      readonly mname: string;
      readonly rname: string;
      readonly serial: number;
      readonly refresh: number;
      readonly retry: number;
      readonly expire: number;
      readonly minimum: number;
    }
  /** MX, and alike AFSDB, RT and KX. */
  | { readonly kind: "mx"; readonly preference: number; readonly exchange: string }
  | { readonly kind: "srv"; readonly priority: number; readonly weight: number; readonly port: number; readonly target: string }
  /** TXT, SPF: one or more strings of at most 255 bytes. */
  | { readonly kind: "txt"; readonly strings: readonly string[] }
  | { readonly kind: "hinfo"; readonly cpu: string; readonly os: string }
  /** RP, MINFO. */
  | { readonly kind: "names"; readonly first: string; readonly second: string }
  | { readonly kind: "caa"; readonly flags: number; readonly tag: string; readonly value: string }
  /** SVCB, HTTPS: parameters in ascending order of their keys (RFC 9460). */
  | { readonly kind: "svcb"; readonly priority: number; readonly target: string; readonly params: readonly SvcParam[] }
  | {
      readonly kind: "naptr";
      readonly order: number;
      readonly preference: number;
      readonly flags: string;
      readonly services: string;
      readonly regexp: string;
      readonly replacement: string;
    }
  /** Everything else, as it came (RFC 3597). */
  | { readonly kind: "opaque"; readonly bytes: Uint8Array };

export interface ResourceRecord {
  /** Owner: absolute, presentation form, in the case that is to be sent. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Seconds. */
  readonly ttl: number;
  readonly data: RecordData;
}

export const addressRecord = (name: string, ttl: number, address: string): ResourceRecord => ({
  name,
  type: address.includes(":") ? recordTypes.AAAA : recordTypes.A,
  class: classes.IN,
  ttl,
  data: { kind: "address", address },
});

/** NS, CNAME or PTR. */
export const nameRecord = (name: string, type: number, ttl: number, target: string): ResourceRecord => ({
  name,
  type,
  class: classes.IN,
  ttl,
  data: { kind: "name", target },
});
