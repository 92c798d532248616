/** How much of this server a client may take. */

export interface RequestLimits {
  /** Bytes of a body; upstream's limit. */
  readonly bodyBytes: number;
  /** Bytes of all headers together. */
  readonly headerBytes: number;
  /** Requests under way on one HTTP/2 connection. */
  readonly concurrentStreams: number;
  /** Reads under way, watches and logs aside; more wait, and one client has three quarters of them at most. */
  readonly inFlight: number;
  /** Writes under way. */
  readonly mutatingInFlight: number;
  /** Requests of one client that may wait for their turn; more are answered 429. */
  readonly waiting: number;
  /** Milliseconds that a request may wait for its turn. */
  readonly patience: number;
  /** Milliseconds until the headers, or the body after them, must have come. */
  readonly headersTimeout: number;
  readonly bodyTimeout: number;
  /** Milliseconds that requests under way are given when the server stops. */
  readonly stopGrace: number;
}

export const defaultLimits: RequestLimits = {
  bodyBytes: 3 * 1024 * 1024,
  headerBytes: 64 * 1024,
  concurrentStreams: 1000,
  inFlight: 400,
  mutatingInFlight: 200,
  waiting: 2000,
  patience: 15_000,
  headersTimeout: 20_000,
  bodyTimeout: 60_000,
  stopGrace: 2000,
};
