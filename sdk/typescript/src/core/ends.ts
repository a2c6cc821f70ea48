import { AntiphonError, UnreachableError } from '../errors.js';

/** Close codes after which coming back would end the same way, and what to tell of them. */
const FATAL: Record<number, string> = {
  1002: 'the server found the WebSocket broken',
  1003: 'the server takes no binary messages',
  1007: 'the server found text that is not UTF-8',
  1008: 'the server found too many messages malformed',
  1009: 'a message was longer than the server takes: lower messageBytesMax to what its message_bytes_max says',
};

/** The error to end with, if the connection's end is a reason not to come back. `reconnect` is what the server said of it. */
export function fatalClose(code: number, said: string, reconnect: boolean | undefined): AntiphonError | undefined {
  const why = FATAL[code] ?? (reconnect === false ? 'the server closed the connection for good' : undefined);
  if (why === undefined) return undefined;
  const type = code === 1009 ? 'too-large' : 'protocol';
  return new AntiphonError({ type, detail: said ? `${why} (${said})` : why });
}

export function unreachable(detail: string, cause?: unknown): UnreachableError {
  return new UnreachableError({ type: 'unreachable', detail, cause });
}
