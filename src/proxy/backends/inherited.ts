/** Listening sockets of the proxy before this one, by the address that they serve. */
export interface HandedListener {
  /** `TCP 10.96.0.1 80`: protocol, virtual address, port. */
  readonly key: string;
  /** Where it listens. */
  readonly port: number;
  readonly fd: number;
}

/** By `HandedListener.key`. Who uses one takes it out; what is left when all Services are known is closed. */
export type InheritedListeners = Map<string, { readonly port: number; readonly fd: number }>;
