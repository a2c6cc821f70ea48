import { AntiphonError, errorOfProblem, UnreachableError } from './errors.js';

/** What a request needs besides its URL. */
export interface Request {
  method: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  /** In milliseconds. */
  timeout: number;
}

// A browser does not tell a page which of the two it is.
const UNREACHABLE = `the server cannot be reached${'document' in globalThis ? ", or does not allow this page's origin" : ''}`;

/**
 * Makes a request and gives the JSON of its answer.
 *
 * Throws the error that the server answers, or an `UnreachableError` where it does not. No URL is in the error: it may hold a token.
 */
export async function requestJson(url: string, { method, headers = {}, body, timeout }: Request): Promise<unknown> {
  const given = new AbortController();
  const timer = setTimeout(() => given.abort(), timeout);
  try {
    const answer = await fetch(url, { method, headers, signal: given.signal, cache: 'no-store', ...(body !== undefined && { body }) });
    const text = await answer.text();
    const document = parsed(text);
    if (!answer.ok) throw errorOfProblem(document, answer.status, retryAfter(answer));
    return document;
  } catch (cause) {
    if (cause instanceof AntiphonError) throw cause;
    const detail = given.signal.aborted ? `the server did not answer within ${timeout} ms` : UNREACHABLE;
    throw new UnreachableError({ type: 'unreachable', detail, cause });
  } finally {
    clearTimeout(timer);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function retryAfter(answer: Response): number | undefined {
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3600) * 1000 : undefined;
}
