import type { Renewal } from './action.js';

/** A credential as it was got: the token, and how many milliseconds it is good for, if that is known. */
export interface Credential {
  token: string;
  lifetime: number | undefined;
}

/** Where credentials come from: nowhere or from the settings, or from something that can be asked again. */
export type CredentialKind = 'fixed' | 'renewable';

/** The shortest time between two renewals, however soon tokens expire. */
const RENEWAL_MIN = 500;
/** How many tokens in a row, each got anew, may be refused. */
const REFUSALS_MAX = 2;

/** The credential that there is, and when it is to be renewed: at half of its lifetime. */
export class CredentialKeeper {
  readonly #kind: CredentialKind;
  #token: string | undefined;
  #renewAt: number | undefined;
  #expiresAt: number | undefined;
  #refusals = 0;

  constructor(kind: CredentialKind, token: string | undefined) {
    this.#kind = kind;
    this.#token = token;
  }

  get token(): string | undefined {
    return this.#token;
  }

  get renewAt(): number | undefined {
    return this.#renewAt;
  }

  /** What has to be done before a connection can begin. */
  need(now: number): 'nothing' | Renewal {
    if (this.#kind === 'fixed') return 'nothing';
    if (this.#token === undefined || (this.#expiresAt !== undefined && now >= this.#expiresAt)) return 'anew';
    return this.#renewAt !== undefined && now >= this.#renewAt ? 'refresh' : 'nothing';
  }

  take({ token, lifetime }: Credential, now: number): void {
    this.#token = token;
    this.#renewAt = lifetime === undefined ? undefined : now + Math.max(lifetime / 2, RENEWAL_MIN);
    this.#expiresAt = lifetime === undefined ? undefined : now + lifetime;
  }

  /** The server took it. */
  handleAccepted(): void {
    this.#refusals = 0;
  }

  /** The server refused this token. Answers whether to come back with another. */
  handleRefused(token: string | undefined): boolean {
    if (this.#kind === 'fixed') return false;
    // It may have been renewed in the meantime.
    if (token === this.#token) this.#token = undefined;
    this.#refusals += 1;
    return this.#refusals < REFUSALS_MAX;
  }
}
