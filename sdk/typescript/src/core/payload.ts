import { AntiphonError } from '../errors.js';

/** A payload's members in a message of the wire. */
export interface WirePayload {
  payload: unknown;
  encoding?: 'base64';
}

/**
 * A payload as it is sent: bytes (any `ArrayBuffer` or view of one) in base64, `undefined` as null, all else as JSON.
 *
 * Throws an `AntiphonError` of type `invalid-parameter` for what JSON has no form for.
 */
export function writePayload(payload: unknown): WirePayload {
  const bytes = asBytes(payload);
  if (bytes) return { payload: toBase64(bytes), encoding: 'base64' };
  if (payload === undefined) return { payload: null };
  if (typeof payload === 'function' || typeof payload === 'symbol') throw notJson(`a ${typeof payload} has no form in JSON`);
  return { payload };
}

/** A payload as it came. */
export function readPayload({ payload, encoding }: { payload?: unknown; encoding?: unknown }): unknown {
  if (encoding === 'base64' && typeof payload === 'string') return fromBase64(payload);
  return payload ?? null;
}

/** A message as JSON. */
export function writeJson(message: object): string {
  try {
    return JSON.stringify(message);
  } catch (cause) {
    throw notJson(cause instanceof Error ? cause.message : String(cause));
  }
}

/** The length of a text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair counts two of its four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

function asBytes(payload: unknown): Uint8Array | undefined {
  if (payload instanceof Uint8Array) return payload;
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  return undefined;
}

// As many at once as an argument list safely holds.
const CHUNK = 0x2000;

export function toBase64(bytes: Uint8Array): string {
  let latin1 = '';
  for (let at = 0; at < bytes.length; at += CHUNK) latin1 += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(latin1);
}

export function fromBase64(text: string): Uint8Array {
  const latin1 = atob(text);
  const bytes = new Uint8Array(latin1.length);
  for (let at = 0; at < latin1.length; at += 1) bytes[at] = latin1.charCodeAt(at);
  return bytes;
}

function notJson(detail: string): AntiphonError {
  return new AntiphonError({ type: 'invalid-parameter', detail, parameter: 'payload' });
}
